"""What starts the system agrees with itself: compose file, bin/, proxy template and Makefile."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from telcox.testing.processes import ROOT

pytestmark = pytest.mark.once

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def test_every_process_of_ours_is_started_by_a_command_of_bin() -> None:
    assert set(OURS) == {"web", "live", "worker", "beat", "migrate", "bss-standin"}
    commands = {service["command"] for service in OURS.values()}
    assert [command for command in commands if not is_executable(ROOT / command)] == []


def test_services_wait_for_what_they_need_to_be_healthy() -> None:
    for name, service in SERVICES.items():
        for needed, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "test" in SERVICES[needed]["healthcheck"], f"{name} waits for {needed}"


def test_a_process_is_asked_how_it_is_in_the_way_it_can_answer() -> None:
    def question(name: str) -> list[str]:
        inherited: list[str] = OURS[name]["healthcheck"]["test"]
        return inherited

    assert question("web") == question("live") == ["CMD", "bin/healthy"]
    assert question("worker") == ["CMD", "bin/healthy", "worker"]
    assert question("beat") == ["CMD", "bin/healthy", "beat"]


def test_a_worker_gives_up_its_task_before_it_is_killed() -> None:
    grace = re.fullmatch(r"(\d+)s", OURS["worker"]["stop_grace_period"])
    assert grace
    assert int(grace[1]) - 5 > settings.WORKER_STOP_SECONDS


def test_the_compose_file_holds_no_secret() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD|AUTH", variable):
                assert not value or value.startswith("${"), f"{name}: {variable}"
            # The password of a URL is written between : and @.
            for password in re.findall(r"://[^/]*:([^/]*)@", re.sub(r":\?[^}]*}", "}", value)):
                assert password.startswith("${"), f"{name}: {variable}"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_can_change_nothing_but_its_volumes(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service
    assert "privileged" not in service


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_runs_as_root(name: str) -> None:
    if name in OURS:
        assert re.findall(r"^USER (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["telcox"]
        assert "user" not in SERVICES[name]
    else:
        assert SERVICES[name]["user"] in ("nginx", "mysql", "redis")


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_containers_can_write_where_they_have_to(name: str) -> None:
    service = OURS[name]
    environment = service["environment"]
    assert service["tmpfs"].startswith(f"{environment['TMPDIR']}:mode=1777,")
    assert service["volumes"] == [f"documents:{environment['DOCUMENTS_ROOT']}"]


def test_the_proxy_writes_in_its_volume_only() -> None:
    proxy = SERVICES["proxy"]
    folder = proxy["environment"]["RUN_FOLDER"]
    assert f"proxy:{folder}" in proxy["volumes"]
    assert proxy["environment"]["NGINX_ENVSUBST_OUTPUT_DIR"] == folder
    assert f"{folder}/nginx.conf" in proxy["command"]


def test_every_variable_without_a_default_is_explained_in_the_example() -> None:
    needed = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text()))
    explained = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert needed - explained == set()


def test_the_proxy_is_given_every_name_its_template_asks_for() -> None:
    asked = set(re.findall(r"\$\{(\w+)\}", (ROOT / "deploy" / "nginx.conf.template").read_text()))
    assert asked - set(SERVICES["proxy"]["environment"]) == set()


@pytest.mark.processes
def test_every_target_of_the_makefile_is_in_its_help() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    shown = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert re.findall(r"^ +make ([\w-]+)", shown, re.MULTILINE) == targets[1].split()


@pytest.mark.parametrize(
    "script", [*sorted((ROOT / "bin").iterdir()), ROOT / ".ci" / "run"], ids=lambda path: path.name
)
@pytest.mark.processes
def test_every_script_can_be_run(script: Path) -> None:
    assert is_executable(script)
    if script.read_text().startswith("#!/usr/bin/env bash"):
        subprocess.run(["bash", "-n", script], check=True)
