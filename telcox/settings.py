"""One file for every deployment: what differs comes from the environment (docs/configuration.md)."""

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

# --- What kind of deployment is this? ---

# On by default: the first look needs no configuration, and only answers this machine. The image sets DEBUG=0.
DEBUG = env.bool("DEBUG", default=True)

SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("SECRET_KEY must be set when DEBUG is off.")
    SECRET_KEY = "development-only-key-that-protects-nothing"  # noqa: S105

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# The API answers anyone, as the original does. Off: a login or token is needed, customers see only their own.
API_OPEN = env.bool("API_OPEN", default=DEBUG)

# --- What it is made of ---

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
# A connection outlives its request, and is checked before it is used again: a database that was restarted
# costs the requests of that moment a 503 and nothing after it.
_database.setdefault("CONN_MAX_AGE", env.int("CONN_MAX_AGE", default=600))
_database["CONN_HEALTH_CHECKS"] = True
# How long the database may take over one statement, in seconds, before it counts as away; 0 is for ever. For
# `bin/web`, where somebody waits for the answer: commands and migrations may take their time.
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
            # A lock that is not to be had must show as that, and be tried for again, before the connection
            # counts as lost.
            "init_command": f"SET SESSION innodb_lock_wait_timeout = {max(1, DATABASE_TIMEOUT_SECONDS // 2)}",
            **_database["OPTIONS"],
        }

# --- When more is asked than can be done ---

# How many threads a `web` process has (bin/web).
WEB_THREADS = env.int("WEB_THREADS", default=16)
# How long a request waits for its turn, in seconds, before it is answered 503; and how long another one must
# have been waiting for those who come to be answered so at once.
QUEUE_WAIT_SECONDS = env.float("QUEUE_WAIT_SECONDS", default=5.0)
QUEUE_BEHIND_SECONDS = env.float("QUEUE_BEHIND_SECONDS", default=2.0)

FIXTURE_DIRS = [BASE_DIR / "fixtures"]

# --- Usage ---

# How far ahead of ours the network's clocks may be, in seconds: what happened later than that is refused.
USAGE_FUTURE_SECONDS = env.float("USAGE_FUTURE_SECONDS", default=300.0)
# The most reports one request may carry, and the largest body of them that is read, inflated, in bytes.
USAGE_BATCH_MAX = env.int("USAGE_BATCH_MAX", default=10_000)
USAGE_BODY_BYTES = env.int("USAGE_BODY_BYTES", default=8 * 1024 * 1024)

# --- Live feed ---

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                # Several hosts, comma-separated: the layer shards groups over them.
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

# How often a live process compares what its sockets were sent with the database, in seconds. It is what
# makes the feed right again after messages were lost (Redis restarted, a process killed after its commit).
LIVE_RESYNC_SECONDS = env.float("LIVE_RESYNC_SECONDS", default=5.0)
# A socket whose reader takes nothing for so long, in seconds, is cut off.
LIVE_STALLED_SECONDS = env.float("LIVE_STALLED_SECONDS", default=20.0)
# The most sockets of one process, and of one line in it. More are told to come back later.
LIVE_SOCKETS_MAX = env.int("LIVE_SOCKETS_MAX", default=10_000)
LIVE_SOCKETS_PER_LINE = env.int("LIVE_SOCKETS_PER_LINE", default=2_000)

# How many frames a client may send, a second and in the long run; five seconds' worth of them at once. And
# how large a message of it may be, in bytes.
LIVE_MESSAGES_PER_SECOND = env.float("LIVE_MESSAGES_PER_SECOND", default=10.0)
LIVE_MESSAGE_BYTES = env.int("LIVE_MESSAGE_BYTES", default=16 * 1024)

# How long a process that was asked to stop waits for its sockets and requests to end, in seconds; and over
# how many seconds those who were closed by us are asked to spread their coming back.
LIVE_STOP_SECONDS = env.float("LIVE_STOP_SECONDS", default=10.0)
LIVE_RETRY_SECONDS = env.float("LIVE_RETRY_SECONDS", default=15.0)

# --- Tasks: `bin/worker` does them, `bin/beat` sends them (docs/operations.md) ---

# Of several Redis hosts the first. Without any, whoever sends a task does it at once, in its own process.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or REDIS_URL.split(",")[0]
CELERY_TASK_ALWAYS_EAGER = not CELERY_BROKER_URL
CELERY_TASK_EAGER_PROPAGATES = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # No socket_timeout: a worker that stops waiting for Redis' answer when it says that a task is done counts
    # it as under way, and asks for no other.
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    # A task that takes longer, in seconds, is taken for lost and is begun again.
    "visibility_timeout": 6 * 60 * 60,
}
# Redis may be away for as long as it likes.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
# A task is safe to do twice, so it is over when it is done and not when it was begun.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# How long a `worker` that was asked to stop waits for its task to end, in seconds.
WORKER_STOP_SECONDS = env.float("WORKER_STOP_SECONDS", default=20.0)

CELERY_BEAT_SCHEDULER = "telcox.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 10
_THIS_HOUR = {"expires": 55 * 60}
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    # Periods end at any time of day, so every hour. What nobody did before the next one is sent is dropped:
    # the next one does it.
    "run_day": {"task": "billing.tasks.run_day", "schedule": crontab("5"), "options": _THIS_HOUR},
    # Each minute.
    "send_notices": {"task": "billing.tasks.send_notices", "schedule": crontab(), "options": {"expires": 55}},
    # Does nothing where periods are billed as they end. Past the hour at which run_day begins the next ones.
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

# Who collects the money of top-ups, as a dotted path.
PAYMENT_GATEWAY = env.str("PAYMENT_GATEWAY", default="billing.wallets.gateway.LocalGateway")

# Who carries SMS to subscribers, as a dotted path.
SMS_GATEWAY = env.str("SMS_GATEWAY", default="customers.sms.console.ConsoleGateway")
# For the HTTP one: where messages are posted, and what it is told to know us by.
SMS_URL = env.str("SMS_URL", default="")
if SMS_GATEWAY == "customers.sms.http.HttpGateway" and not SMS_URL:
    raise ImproperlyConfigured("SMS_URL must be set when SMS are posted to a gateway.")
SMS_TOKEN = env.str("SMS_TOKEN", default="")
SMS_TIMEOUT_SECONDS = env.float("SMS_TIMEOUT_SECONDS", default=5.0)

# --- Billing ---

# Establishment and emission point, as Ecuador's SRI numbers its documents.
INVOICE_SERIES = env.str("INVOICE_SERIES", default="001-001")
CREDIT_NOTE_SERIES = env.str("CREDIT_NOTE_SERIES", default="001-002")
# From the day an invoice is issued, unless its customer or plan says otherwise.
INVOICE_DUE_DAYS = env.int("INVOICE_DUE_DAYS", default=15)
# How many days after an invoice was due its customer is reminded of it, and by what (docs/overdue.md).
REMINDER_LADDER = parse_ladder(env.str("REMINDER_LADDER", default="3:mail,10:mail+sms,20:sms"))
# How many days after that its line is suspended; 0 is never.
SUSPEND_AFTER_DAYS = suspension_limit(env.int("SUSPEND_AFTER_DAYS", default=0))
# For how long after its end a period's use, arriving after it was billed, is charged with a later one.
LATE_USAGE_DAYS = env.int("LATE_USAGE_DAYS", default=92)

# Where printed documents are kept (docs/printing.md): another place in STORAGES is as good.
DOCUMENTS_ROOT = env.str("DOCUMENTS_ROOT", default=str(BASE_DIR / "documents"))
# Whether customers who have an e-mail address are sent their documents.
MAIL_DOCUMENTS = env.bool("MAIL_DOCUMENTS", default=False)

# Whether periods are billed hour by hour, as they end; else by a run of last month, which begins at
# BILLING_HOUR of the first of the month (docs/billing-day.md).
BILL_AS_PERIODS_END = env.bool("BILL_AS_PERIODS_END", default=True)
BILLING_HOUR = env.int("BILLING_HOUR", default=3)
# Dollars. A bill over that is set aside until somebody has looked at it; 0 is for none.
BILLING_SUSPICIOUS_USD = Decimal(env.str("BILLING_SUSPICIOUS_USD", default="500"))
# A billing run that was not seen for so long, in seconds, was left by whoever did it.
RUN_SILENT_SECONDS = env.float("RUN_SILENT_SECONDS", default=60.0)

# The most dollars of one top-up.
TOP_UP_MAX_USD = Decimal(env.str("TOP_UP_MAX_USD", default="500"))

# More names of a bank statement's columns, ours to the bank's (billing/bank/statements.py), and the largest
# file of one that the back-office takes, in bytes.
BANK_COLUMNS = env.dict("BANK_COLUMNS", default={})
BANK_FILE_BYTES = env.int("BANK_FILE_BYTES", default=128 * 1024)

# --- E-mail ---

# Django's address form: `smtp+tls://user:password@mail.telcox.example:587`.
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
    # `?format=` is not for choosing a renderer: there is one.
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "telcox.common.web.problems.exception_handler",
}
# The largest JSON body that is read, in bytes.
MAX_BODY_BYTES = env.int("MAX_BODY_BYTES", default=1024 * 1024)

SPECTACULAR_SETTINGS = {
    "TITLE": "TelcoX Self-Service API",
    "DESCRIPTION": "Self-service for customers, usage reports from the network, payments and credit notes for "
    "the office. Amounts are in US dollars; errors are `application/problem+json` (RFC 9457).",
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
        "PaymentMethod": "billing.models.PaymentMethod",
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
USE_TZ = True
CELERY_TIMEZONE = TIME_ZONE

STATIC_URL = "static/"
# In development files are served from where they are.
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
        # They name people: nobody's but ours.
        "OPTIONS": {
            "location": DOCUMENTS_ROOT,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG

# --- Security ---

# Behind a proxy that ends TLS. Off where there is no TLS at all, as in `make stack` on one machine.
HTTPS = env.bool("HTTPS", default=not DEBUG)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
# Probes and the scraper come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS

# --- Logs ---

LOGGING = logging_config(json_lines=not DEBUG, level=env.str("LOG_LEVEL", default="INFO"))
