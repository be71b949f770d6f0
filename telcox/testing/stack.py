"""TelcoX's processes on free ports of this machine, started by the scripts of `bin/`."""

import contextlib
import os
import resource
import secrets
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from telcox.common import heartbeat
from telcox.testing.processes import LOOPBACK, ROOT, ProcessFailed, Server, Service, port_answers
from telcox.testing.servers import program

NGINX_TEMPLATE = ROOT / "deploy" / "nginx.conf.template"


def production_env(database_url: str, redis_url: str) -> dict[str, str]:
    """Return production settings for one machine without TLS. The secret key is random if none is set."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DEBUG": "0",
        "HTTPS": "0",
        "ALLOWED_HOSTS": f"localhost,{LOOPBACK}",
        "SECRET_KEY": os.environ.get("SECRET_KEY") or secrets.token_urlsafe(48),
    }


def _environment(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment for a process: without DJANGO_SETTINGS_MODULE, which a test run sets and a user
    who starts `bin/web` does not."""
    inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return {**inherited, **env, "TMPDIR": str(folder)}


class Served(Server):
    """One `bin/web` or `bin/live`. With DEBUG=1 and an SQLite DATABASE_URL, `live` is the embedded server."""

    def __init__(
        self,
        kind: Literal["web", "live"],
        env: Mapping[str, str],
        *,
        port: int | None = None,
        to_terminal: bool = False,
    ) -> None:
        super().__init__(kind, [str(ROOT / "bin" / kind)], port=port, to_terminal=to_terminal)
        self.env = _environment(env, self.folder) | {"BIND": LOOPBACK, "PORT": str(self.port)}

    def is_ready(self) -> bool:
        try:
            # The URL is always HTTP on this machine.
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            raise ProcessFailed(f"{self.name}: /healthz answers {error.code}") from error
        except OSError:
            return False


class Background(Service):
    """One `bin/worker` or `bin/beat`. It has no port; other processes only reach it through Redis."""

    def __init__(
        self, kind: Literal["worker", "beat"], env: Mapping[str, str], *, to_terminal: bool = False
    ) -> None:
        super().__init__(kind, [str(ROOT / "bin" / kind)], to_terminal=to_terminal)
        self.env = _environment(env, self.folder)

    def start(self) -> Self:
        heartbeat.clear(self.name, self.folder)
        return super().start()

    def is_ready(self) -> bool:
        return heartbeat.is_alive(self.name, self.folder)


class Proxy(Server):
    """nginx in front of these processes, with the configuration that docker-compose.yml uses."""

    def __init__(
        self, web: list[Served], live: list[Served], *, port: int | None = None, to_terminal: bool = False
    ) -> None:
        super().__init__("proxy", port=port, to_terminal=to_terminal)
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            _rendered(
                NGINX_TEMPLATE.read_text(),
                LISTEN=f"{LOOPBACK}:{self.port}",
                WEB_SERVERS=" ".join(f"server {LOOPBACK}:{process.port};" for process in web),
                LIVE_SERVERS=" ".join(f"server {LOOPBACK}:{process.port};" for process in live),
                RESOLVER="",
                FORWARDED_PROTO="",
                RUN_FOLDER=str(self.folder),
            )
        )
        # Each live socket takes two open files of nginx. Child processes inherit the limit of this process.
        hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
        # Started by root, nginx runs its workers as another user, who cannot enter this folder.
        user = "user root; " if os.getuid() == 0 else ""
        self.command = [
            *(program("nginx", "nginx"), "-e", "stderr", "-p", str(self.folder)),
            *("-c", str(configuration), "-g", f"{user}daemon off;"),
        ]

    def is_ready(self) -> bool:
        return port_answers(self.port)


def _rendered(template: str, **values: str) -> str:
    """Replace `${NAME}` of the given names and leave everything else, as the nginx image does."""
    for name, value in values.items():
        template = template.replace(f"${{{name}}}", value)
    return template


class Stack:
    """Production on this machine: `web` and `live` processes and a proxy. As a context manager, it migrates
    the database first. Tasks are only done if there is a `worker`, and only sent on schedule if there is a
    `beat`."""

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        web: int = 2,
        live: int = 2,
        worker: int = 0,
        beat: int = 0,
        proxy_port: int | None = None,
        to_terminal: bool = False,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="telcox-stack-")
        self.env = {**env, "STATIC_ROOT": str(Path(self._folder.name) / "static")}
        self.web = [Served("web", self.env, to_terminal=to_terminal) for _ in range(web)]
        self.live = [Served("live", self.env, to_terminal=to_terminal) for _ in range(live)]
        self.worker = [Background("worker", self.env, to_terminal=to_terminal) for _ in range(worker)]
        self.beat = [Background("beat", self.env, to_terminal=to_terminal) for _ in range(beat)]
        self.proxy = Proxy(self.web, self.live, port=proxy_port, to_terminal=to_terminal)

    @property
    def processes(self) -> list[Service]:
        """Return all processes. The proxy is first, because it needs the others: it starts last and stops
        first."""
        return [self.proxy, *self.web, *self.live, *self.worker, *self.beat]

    def run(self, *command: str) -> None:
        """Run a command in the stack's environment. Raise ProcessFailed if it fails."""
        env = {**os.environ, **self.env}
        if subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False).returncode:
            raise ProcessFailed(f"`{' '.join(command)}` failed")

    def migrate(self) -> None:
        self.env["VERBOSITY"] = "0"
        self.run("bin/migrate")

    def start(self) -> Self:
        proxy, *others = self.processes
        for process in [*others, proxy]:
            process.start()
        return self

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
        with contextlib.ExitStack() as stack:
            stack.callback(self._folder.cleanup)
            for process in self.processes:
                stack.callback(process.close)

    def state(self) -> dict[str, Any]:
        """Return port and pid of each process, for scripts that send requests to one or kill it."""

        def place(process: Service) -> dict[str, Any]:
            port = {"port": process.port} if isinstance(process, Server) else {}
            return {**port, "pid": process.pid}

        return {
            "proxy": place(self.proxy),
            "web": [place(process) for process in self.web],
            "live": [place(process) for process in self.live],
            "worker": [place(process) for process in self.worker],
            "beat": [place(process) for process in self.beat],
        }

    def __enter__(self) -> Self:
        try:
            self.migrate()
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: Any) -> None:
        self.close()
