"""Redis as docker-compose.yml starts it."""

import os
import subprocess
from pathlib import Path

import pytest
import redis
import yaml

from telcox.testing.processes import ROOT, free_port, port_answers, wait_until
from telcox.testing.servers import program


@pytest.mark.redis
def test_redis_lets_nobody_in_without_its_password(tmp_path: Path) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    shell, option, script = services["redis"]["command"]
    port, password = free_port(), "letters0and0digits"
    redis_server = program("redis-server", "redis-server")
    process = subprocess.Popen(
        [shell, option, script.replace("$$", "$").replace(" - ", f" - --port {port} --bind 127.0.0.1 ", 1)],
        cwd=tmp_path,
        env={"PATH": f"{Path(redis_server).parent}:{os.environ['PATH']}", "REDISCLI_AUTH": password},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: port_answers(port), 30, "redis-server answers")
        assert redis.Redis(port=port, password=password).ping()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        assert password not in Path(f"/proc/{process.pid}/cmdline").read_text()
    finally:
        process.terminate()
        assert process.wait(30) == 0
