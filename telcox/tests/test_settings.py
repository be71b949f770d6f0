"""What the environment decides."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from telcox.testing.databases import manage

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {"DEBUG": "0", "ALLOWED_HOSTS": "telcox.example", "SECRET_KEY": "a" * 60}


def setting(name: str, **env: str) -> str:
    code = f"from django.conf import settings; print(settings.{name})"
    return manage(env, "shell", "--verbosity=0", "-c", code).strip()


@pytest.mark.processes
def test_production_does_not_start_without_a_secret_key() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"DEBUG": "0", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "SECRET_KEY must be set" in done.stderr


@pytest.mark.parametrize(("env", "is_open"), [({}, "True"), (PRODUCTION, "False")])
@pytest.mark.processes
def test_the_api_is_open_in_development_and_closed_in_production(env: dict[str, str], is_open: str) -> None:
    assert setting("API_OPEN", **env) == is_open


@pytest.mark.parametrize(
    ("url", "engine", "layer"),
    [
        ("", "sqlite3", "InMemoryChannelLayer"),
        ("redis://127.0.0.1:1/0", "sqlite3", "RedisPubSubChannelLayer"),
    ],
)
@pytest.mark.processes
def test_database_and_channel_layer_follow_their_urls(url: str, engine: str, layer: str) -> None:
    env = {"DATABASE_URL": "sqlite:///x.sqlite3", "REDIS_URL": url}
    assert setting("DATABASES['default']['ENGINE']", **env).endswith(engine)
    assert setting("CHANNEL_LAYERS['default']['BACKEND']", **env).endswith(layer)


@pytest.mark.parametrize(
    ("env", "broker"),
    [
        ({"REDIS_URL": ""}, ""),
        ({"REDIS_URL": "redis://one:1/0,redis://two:2/0"}, "redis://one:1/0"),
        ({"REDIS_URL": "redis://one:1/0", "CELERY_BROKER_URL": "redis://other:3/1"}, "redis://other:3/1"),
    ],
)
@pytest.mark.processes
def test_tasks_go_through_the_first_redis_or_are_done_in_place(env: dict[str, str], broker: str) -> None:
    assert setting("CELERY_BROKER_URL", **env) == broker
    assert setting("CELERY_TASK_ALWAYS_EAGER", **env) == str(not broker)


@pytest.mark.django_db
def test_only_origins_named_in_the_environment_may_call_the_api(
    client: Client, open_api: None, settings
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.telcox.example"]
    settings.CORS_ALLOWED_ORIGIN_REGEXES = []

    def allowed(origin: str) -> str | None:
        return client.get("/api/plans", headers={"Origin": origin}).get("Access-Control-Allow-Origin")

    assert allowed("https://app.telcox.example") == "https://app.telcox.example"
    assert allowed("https://evil.example") is None
