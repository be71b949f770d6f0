"""The system's own processes on free ports of this machine, started by the very commands of `bin/`."""

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
    """Production settings for one machine without TLS; a secret key is made up if there is none."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DEBUG": "0",
        "HTTPS": "0",
        "ALLOWED_HOSTS": f"localhost,{LOOPBACK}",
        "SECRET_KEY": os.environ.get("SECRET_KEY") or secrets.token_urlsafe(48),
    }


def _environment(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """What a process of ours is started with. A test run has named the settings; who starts `bin/web` has
    not."""
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
            # Our own address, and always HTTP.
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            raise ProcessFailed(f"{self.name}: /healthz answers {error.code}") from error
        except OSError:
            return False


class Background(Service):
    """One `bin/worker` or `bin/beat`: nobody talks to it but through Redis."""

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
    """nginx with the compose file's configuration, in front of these processes."""

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
        # A live socket is two open files here. What is raised for us is raised for those we start.
        hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
        # As root its workers would be another user, who cannot enter our folder.
        user = "user root; " if os.getuid() == 0 else ""
        self.command = [
            *(program("nginx", "nginx"), "-e", "stderr", "-p", str(self.folder)),
            *("-c", str(configuration), "-g", f"{user}daemon off;"),
        ]

    def is_ready(self) -> bool:
        return port_answers(self.port)


def _rendered(template: str, **values: str) -> str:
    """What the nginx image does with a template: `${NAME}` of the names given, and nothing else."""
    for name, value in values.items():
        template = template.replace(f"${{{name}}}", value)
    return template


class Stack:
    """Production on this machine: some `web`, some `live`, a proxy; the database is migrated first. Tasks are
    done where it is asked for a worker, and sent at their hour where it is asked for a beat."""

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
        """The proxy first, which needs the others."""
        return [self.proxy, *self.web, *self.live, *self.worker, *self.beat]

    def run(self, *command: str) -> None:
        """A command of this project, in the stack's environment. Raises ProcessFailed."""
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
        """Where everything is, for whoever wants to talk to one process, or to kill it."""

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
