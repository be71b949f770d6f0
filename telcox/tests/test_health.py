import pytest
from django.db import OperationalError
from django.test import Client

from telcox.common.web import health


def test_alive_needs_nothing(client: Client) -> None:
    assert client.get("/healthz").status_code == 200


@pytest.mark.django_db
def test_ready_when_database_and_migrations_are_there(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["database"] == "ok"
    assert response.json()["migrations"] == "ok"


@pytest.mark.django_db
def test_without_redis_it_is_degraded_and_still_ready(client: Client, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    response = client.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")


def test_without_database_it_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OperationalError(2002, "gone")

    monkeypatch.setattr(health.connection, "cursor", gone)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["database"] == "unreachable"


@pytest.mark.django_db
def test_metrics_name_routes_and_no_number(client: Client, open_api: None) -> None:
    client.get("/api/customers/0969786985/usage")
    text = client.get("/metrics").content.decode()
    assert "telcox_http_requests_total" in text
    assert "0969786985" not in text
