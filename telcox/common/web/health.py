"""Health checks and metrics: `/healthz`, `/readyz`, `/metrics`."""

import os

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from telcox.common.database.retrying import DATABASE_UNAVAILABLE

# Reading the migration files takes long. Once all are applied, that does not change in this process.
_migrations_applied = False


def alive(request: HttpRequest) -> HttpResponse:
    """Answer 200: this process responds."""
    return HttpResponse("ok\n", content_type="text/plain")


def ready(request: HttpRequest) -> JsonResponse:
    """Answer whether this process can work: 503 without database or with migrations to apply.

    Without Redis it is degraded and still ready: usage is counted all the same. To take it out of service
    because the live feed is missing would turn a partial outage into a complete one.
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
    """Answer with metrics as Prometheus text, of all processes that share this address, if there are several
    (`bin/web`)."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
