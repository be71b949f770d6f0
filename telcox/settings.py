"""Settings of every deployment; values that differ come from the environment (docs/configuration.md)."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from billing.overdue.ladder import parse_ladder, suspension_limit
from telcox.common.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- Deployment ---

# On by default, so that `make run` needs no configuration, for this machine only. The image sets DEBUG=0.
DEBUG = env.bool("DEBUG", default=True)

SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("SECRET_KEY must be set when DEBUG is off.")
    SECRET_KEY = "development-only-key-that-protects-nothing"  # noqa: S105

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# If on, the API answers any client, as the original does. If off, a login or token is required, and customers
# only see their own lines.
API_OPEN = env.bool("API_OPEN", default=DEBUG)

# --- Apps, middleware, templates ---

INSTALLED_APPS = [
    "daphne",
    "telcox.backoffice",  # before the admin, whose templates it replaces
    "telcox.backoffice.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "telcox.apps.TelcoxConfig",
    "customers",
    "usage",
    "billing",
]

MIDDLEWARE = [
    "telcox.common.web.observability.ObservabilityMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "telcox.common.web.middleware.ChunkedBodyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "telcox.common.web.middleware.PageMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "telcox.urls"
WSGI_APPLICATION = "telcox.wsgi.application"
ASGI_APPLICATION = "telcox.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# --- Database ---

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'telcox.sqlite3'}")}
_database = DATABASES["default"]
# A connection is kept for CONN_MAX_AGE seconds, and is checked before each request that uses it: after a
# restart of the database, only the requests of that moment are answered with 503.
_database.setdefault("CONN_MAX_AGE", env.int("CONN_MAX_AGE", default=600))
_database["CONN_HEALTH_CHECKS"] = True
# Time-out of one SQL statement, in seconds; 0 is none. `bin/web` sets it, because a client waits for the
# answer. Commands and migrations may take longer.
DATABASE_TIMEOUT_SECONDS = env.int("DATABASE_TIMEOUT_SECONDS", default=0)
if _database["ENGINE"].endswith("sqlite3"):
    _database["OPTIONS"] = {
        # Writers queue at BEGIN instead of failing half-way with "database is locked".
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode = WAL",
        **_database.get("OPTIONS", {}),
    }
elif _database["ENGINE"].endswith("mysql"):
    _database["ENGINE"] = "telcox.common.mysql"
    _database["OPTIONS"] = {
        "charset": "utf8mb4",
        "connect_timeout": 3,
        "isolation_level": "read committed",
        "sql_mode": "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ENGINE_SUBSTITUTION",
        **_database.get("OPTIONS", {}),
    }
    if DATABASE_TIMEOUT_SECONDS:
        _database["OPTIONS"] = {
            "read_timeout": DATABASE_TIMEOUT_SECONDS,
            "write_timeout": DATABASE_TIMEOUT_SECONDS,
            # Shorter than the time-out of the statement, so that waiting for a lock ends as a lock time-out,
            # which is retried, and not as a lost connection.
            "init_command": f"SET SESSION innodb_lock_wait_timeout = {max(1, DATABASE_TIMEOUT_SECONDS // 2)}",
            **_database["OPTIONS"],
        }

# --- Load shedding (telcox/common/web/admission.py) ---

# Threads of a `web` process (bin/web).
WEB_THREADS = env.int("WEB_THREADS", default=16)
# How long a request waits for its turn, in seconds, before it is answered 503. When a request has waited for
# QUEUE_BEHIND_SECONDS, new ones are answered 503 at once.
QUEUE_WAIT_SECONDS = env.float("QUEUE_WAIT_SECONDS", default=5.0)
QUEUE_BEHIND_SECONDS = env.float("QUEUE_BEHIND_SECONDS", default=2.0)

FIXTURE_DIRS = [BASE_DIR / "fixtures"]

# --- Usage ---

# How far the network's clocks may be ahead of this one, in seconds; later events are rejected.
USAGE_FUTURE_SECONDS = env.float("USAGE_FUTURE_SECONDS", default=300.0)
# Most reports in one request, and its largest body, in bytes after decompression.
USAGE_BATCH_MAX = env.int("USAGE_BATCH_MAX", default=10_000)
USAGE_BODY_BYTES = env.int("USAGE_BODY_BYTES", default=8 * 1024 * 1024)

# --- Live feed ---

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                # Several hosts, separated by commas: the layer distributes groups among them.
                "hosts": [
                    {"address": address, "socket_connect_timeout": 2, "socket_keepalive": True}
                    for address in REDIS_URL.split(",")
                ],
            },
        }
    }
else:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.InMemoryChannelLayer",
            "CONFIG": {"capacity": 10_000, "group_expiry": 10**9},
        }
    }

# How often a live process compares what it sent to its sockets with the database, in seconds. This repairs
# the feed after lost messages (Redis was restarted, or a process was killed after its commit).
LIVE_RESYNC_SECONDS = env.float("LIVE_RESYNC_SECONDS", default=5.0)
# A socket whose reader takes nothing for this long, in seconds, is closed.
LIVE_STALLED_SECONDS = env.float("LIVE_STALLED_SECONDS", default=20.0)
# Most sockets of one process, and of one line in it. Further ones are closed with 1013 (try again later).
LIVE_SOCKETS_MAX = env.int("LIVE_SOCKETS_MAX", default=10_000)
LIVE_SOCKETS_PER_LINE = env.int("LIVE_SOCKETS_PER_LINE", default=2_000)

# Frames that a client may send per second, after a burst of five seconds' worth; its largest message (bytes).
LIVE_MESSAGES_PER_SECOND = env.float("LIVE_MESSAGES_PER_SECOND", default=10.0)
LIVE_MESSAGE_BYTES = env.int("LIVE_MESSAGE_BYTES", default=16 * 1024)

# How long a stopping process waits for its sockets and requests to end, in seconds; and over how many seconds
# the clients whose sockets it closed are asked to spread their reconnecting.
LIVE_STOP_SECONDS = env.float("LIVE_STOP_SECONDS", default=10.0)
LIVE_RETRY_SECONDS = env.float("LIVE_RETRY_SECONDS", default=15.0)

# --- Tasks: `bin/worker` does them, `bin/beat` sends them (docs/operations.md) ---

# The first of several Redis hosts. Without Redis, a task is run at once in the process that sends it.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or REDIS_URL.split(",")[0]
CELERY_TASK_ALWAYS_EAGER = not CELERY_BROKER_URL
CELERY_TASK_EAGER_PROPAGATES = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # No socket_timeout: if it expired while a worker acknowledges a task, the worker would count the task as
    # in progress and take no other.
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    # A task that takes longer than this, in seconds, counts as lost and is sent again.
    "visibility_timeout": 6 * 60 * 60,
}
# Reconnect without limit, however long Redis is not reachable.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
# Tasks may be run twice, so they are acknowledged when they are done and not when they are started.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# How long a stopping `worker` waits for its task to end, in seconds.
WORKER_STOP_SECONDS = env.float("WORKER_STOP_SECONDS", default=20.0)

CELERY_BEAT_SCHEDULER = "telcox.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 10
_THIS_HOUR = {"expires": 55 * 60}
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    # Every hour, because periods end at any time of day. A task that no worker took before the next one is
    # sent expires: the next one does its work.
    "run_day": {"task": "billing.tasks.run_day", "schedule": crontab("5"), "options": _THIS_HOUR},
    "send_notices": {"task": "billing.tasks.send_notices", "schedule": crontab(), "options": {"expires": 55}},
    # Does nothing if periods are billed as they end. It is sent after run_day, which begins the next periods.
    "bill_last_month": {
        "task": "billing.tasks.bill_last_month",
        "schedule": crontab("20"),
        "options": _THIS_HOUR,
    },
}

# --- Ports ---

BSS_GATEWAY = env.str("BSS_GATEWAY", default="billing.bss.LocalGateway")
BSS_URL = env.str("BSS_URL", default="http://127.0.0.1:8001")
BSS_TIMEOUT_SECONDS = env.float("BSS_TIMEOUT_SECONDS", default=2.0)

# Adapter that collects the money of top-ups, as a dotted path.
PAYMENT_GATEWAY = env.str("PAYMENT_GATEWAY", default="billing.wallets.gateway.LocalGateway")

# Adapter that sends SMS, as a dotted path.
SMS_GATEWAY = env.str("SMS_GATEWAY", default="customers.sms.console.ConsoleGateway")
# For the HTTP adapter: the address to which it posts messages, and its bearer token.
SMS_URL = env.str("SMS_URL", default="")
if SMS_GATEWAY == "customers.sms.http.HttpGateway" and not SMS_URL:
    raise ImproperlyConfigured("SMS_URL must be set when SMS are posted to a gateway.")
SMS_TOKEN = env.str("SMS_TOKEN", default="")
SMS_TIMEOUT_SECONDS = env.float("SMS_TIMEOUT_SECONDS", default=5.0)

# --- Billing ---

# Establishment and emission point, as Ecuador's SRI numbers its documents.
INVOICE_SERIES = env.str("INVOICE_SERIES", default="001-001")
CREDIT_NOTE_SERIES = env.str("CREDIT_NOTE_SERIES", default="001-002")
# Days from issue until an invoice is due, unless its customer or plan says otherwise.
INVOICE_DUE_DAYS = env.int("INVOICE_DUE_DAYS", default=15)
# Dunning: days after the due date on which a reminder is sent, and by what (docs/overdue.md).
REMINDER_LADDER = parse_ladder(env.str("REMINDER_LADDER", default="3:mail,10:mail+sms,20:sms"))
# Days after the due date on which the line is suspended; 0 is never.
SUSPEND_AFTER_DAYS = suspension_limit(env.int("SUSPEND_AFTER_DAYS", default=0))
# Late usage: for how many days after its end a billed period's usage is still charged, with a later invoice.
LATE_USAGE_DAYS = env.int("LATE_USAGE_DAYS", default=92)

# Folder of printed documents (docs/printing.md). Another storage can be set in STORAGES.
DOCUMENTS_ROOT = env.str("DOCUMENTS_ROOT", default=str(BASE_DIR / "documents"))
# Whether customers who have an e-mail address are sent their documents.
MAIL_DOCUMENTS = env.bool("MAIL_DOCUMENTS", default=False)

# Whether periods are billed every hour, as they end. If not, a billing run bills last month; it begins at
# BILLING_HOUR of the first of the month (docs/billing-day.md).
BILL_AS_PERIODS_END = env.bool("BILL_AS_PERIODS_END", default=True)
BILLING_HOUR = env.int("BILLING_HOUR", default=3)
# A bill over this many dollars is quarantined until the office approves it; 0 is no limit.
BILLING_SUSPICIOUS_USD = Decimal(env.str("BILLING_SUSPICIOUS_USD", default="500"))
# A billing run that shows no progress for this long, in seconds, counts as abandoned and can be resumed.
RUN_SILENT_SECONDS = env.float("RUN_SILENT_SECONDS", default=60.0)

# Most dollars of one top-up.
TOP_UP_MAX_USD = Decimal(env.str("TOP_UP_MAX_USD", default="500"))

# More names of a bank statement's columns, from TelcoX's to the bank's (billing/bank/statements.py); and the
# largest statement that the back-office accepts, in bytes.
BANK_COLUMNS = env.dict("BANK_COLUMNS", default={})
BANK_FILE_BYTES = env.int("BANK_FILE_BYTES", default=128 * 1024)

# --- E-mail ---

# An address as django-environ reads it: `smtp+tls://user:password@mail.telcox.example:587`.
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = env.float("EMAIL_TIMEOUT", default=10.0)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="TelcoX <no-reply@localhost>")

# --- REST ---

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # First, so that a refused request is answered 401 with a WWW-Authenticate header.
        "telcox.common.web.authentication.PreparedTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["telcox.common.web.permissions.OpenOrAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "telcox.common.web.negotiation.JSONWhateverIsAccepted",
    "DEFAULT_PARSER_CLASSES": ["telcox.common.web.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "telcox.common.web.openapi.Schema",
    # `?format=` does not choose a renderer, because there is only one.
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "telcox.common.web.problems.exception_handler",
}
# The largest JSON body that is read, in bytes.
MAX_BODY_BYTES = env.int("MAX_BODY_BYTES", default=1024 * 1024)

SPECTACULAR_SETTINGS = {
    "TITLE": "TelcoX Self-Service API",
    "DESCRIPTION": "Self-service for customers, usage reports from the network, payments and credit notes "
    "for the office. Amounts are in US dollars; errors are `application/problem+json` (RFC 9457).",
    "VERSION": "2.0.0",
    "OAS_VERSION": "3.1.0",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_PERMISSIONS": ["telcox.common.web.permissions.OpenOrAuthenticated"],
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["telcox.common.web.openapi.without_trailing_slash"],
    "ENUM_NAME_OVERRIDES": {
        "ProductType": "customers.models.ProductType",
        "InvoiceStatus": "billing.models.InvoiceStatus",
        "DataCategory": "usage.vocabulary.DATA_CATEGORIES",
        "UsageCategory": "usage.ingestion.reports.CATEGORY_NAMES",
        "PaymentMethod": "billing.models.MONEY_METHODS",
        "WalletEntryKind": "billing.models.EntryKind",
    },
}

CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_ALLOWED_ORIGIN_REGEXES = [r"^https?://(localhost|127\.0\.0\.1)(:\d+)?$"] if DEBUG else []
CORS_ALLOW_CREDENTIALS = True
CORS_URLS_REGEX = r"^/(api/|openapi\.json)"

# --- Language, time, files ---

LANGUAGE_CODE = "es"
LANGUAGES = [("es", _("Spanish")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "telcox" / "locale"]
FORMAT_MODULE_PATH = ["telcox.formats"]
TIME_ZONE = env.str("TIME_ZONE", default="America/Guayaquil")
NUMBERING_PLAN = env.str("NUMBERING_PLAN", default="")  # telcox/common/phone.py; empty: Ecuador's
USE_TZ = True
CELERY_TIMEZONE = TIME_ZONE

STATIC_URL = "static/"
# In development, static files are served from their source folders.
STATIC_ROOT = None if DEBUG else env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
    "documents": {
        "BACKEND": "telcox.common.storage.WholeFiles",
        # Documents contain personal data: only this user may read them.
        "OPTIONS": {
            "location": DOCUMENTS_ROOT,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG

# --- Security ---

# On if a proxy in front ends TLS; off without TLS, as in `make stack` on one machine.
HTTPS = env.bool("HTTPS", default=not DEBUG)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
# Health checks and Prometheus send plain HTTP requests from the internal network.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS

# --- Logs ---

LOGGING = logging_config(json_lines=not DEBUG, level=env.str("LOG_LEVEL", default="INFO"))
