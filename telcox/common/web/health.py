"""`/healthz`, `/readyz`, `/metrics`: for the operator's machinery, not for people."""

import os

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from telcox.common.database.retrying import DATABASE_UNAVAILABLE

# Reading the migration files takes long; once nothing was left to apply, nothing will be in this process.
_migrations_applied = False


def alive(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def ready(request: HttpRequest) -> JsonResponse:
    """This process can do its work: 503 without database or with migrations to apply.

    Without Redis it is degraded and still ready: usage is taken all the same, and to send nobody here for
    the lack of a live feed would turn half an outage into a whole one.
    """
    database, migrations = _database_state()
    checks = {"database": database, "migrations": migrations, "redis": _redis_state()}
    usable = database == "ok" and migrations == "ok"
    healthy = usable and checks["redis"] in ("ok", "not configured")
    status = "ready" if healthy else "degraded" if usable else "unavailable"
    return JsonResponse({"status": status, **checks}, status=200 if usable else 503)


def _database_state() -> tuple[str, str]:
    global _migrations_applied
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _migrations_applied:
            executor = MigrationExecutor(connection)
            _migrations_applied = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DATABASE_UNAVAILABLE:
        return "unreachable", "unknown"
    return "ok", "ok" if _migrations_applied else "pending"


def _redis_state() -> str:
    if not settings.REDIS_URL:
        return "not configured"
    try:
        for url in settings.REDIS_URL.split(","):
            with redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as client:
                client.ping()
    except redis.RedisError:
        return "unreachable"
    return "ok"


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text; of all the processes that share this address, where there are several (`bin/web`)."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
