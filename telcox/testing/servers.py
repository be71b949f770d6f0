"""Throw-away MariaDB and Redis servers, each with its own folder, free port and pid.

The machine's own servers and their files are not read or changed.
"""

import os
import secrets
import shutil
import socket
import subprocess
from typing import Self

from telcox.testing.processes import LOOPBACK, ROOT, ProcessFailed, Server

# With the folders where Debian installs servers, which an ordinary user's PATH may lack.
_SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


class ServersUnavailable(Exception):
    """A server's program is not installed on this machine, and could not be installed."""


def program(name: str, *packages: str) -> str:
    """Return the path of a program, after installing its Debian packages if that is needed and allowed.

    Raise ServersUnavailable if it cannot be found or installed.
    """
    if not shutil.which(name, path=_SEARCH):
        subprocess.run([ROOT / "bin" / "apt-install", *packages], check=False)
    path = shutil.which(name, path=_SEARCH)
    if not path:
        raise ServersUnavailable(f"there is no {name} here (Debian: {', '.join(packages)})")
    return path


class MariaDB(Server):
    """MariaDB server: durable (each commit is flushed to disk, as by default), utf8mb4, with one user who has
    all privileges."""

    def __init__(self, *, port: int | None = None, buffer_pool: str = "") -> None:
        # These packages have the programs without the service, which would start by itself.
        packages = ("mariadb-server-core", "mariadb-client-core")
        program("my_print_defaults", *packages)  # mariadb-install-db calls it
        install_db = program("mariadb-install-db", *packages)
        mariadbd = program("mariadbd", *packages)
        super().__init__("mariadb", port=port)
        self.password = secrets.token_urlsafe(12)
        data = self.folder / "data"
        account = self.folder / "account.sql"
        account.write_text(
            "CREATE DATABASE IF NOT EXISTS telcox;\n"
            f"CREATE OR REPLACE USER 'telcox'@'%' IDENTIFIED BY '{self.password}';\n"
            "GRANT ALL ON *.* TO 'telcox'@'%' WITH GRANT OPTION;\n"
        )
        # MariaDB only runs as root if it is asked to explicitly.
        as_root = ["--user=root"] if os.getuid() == 0 else []
        self._install = [
            install_db,
            "--no-defaults",
            *as_root,
            f"--datadir={data}",
            "--skip-test-db",
            "--skip-name-resolve",
            "--auth-root-authentication-method=socket",
        ]
        self.command = [
            mariadbd,
            "--no-defaults",
            *as_root,
            f"--datadir={data}",
            f"--tmpdir={self.folder}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--bind-address={LOOPBACK}",
            f"--port={self.port}",
            f"--init-file={account}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--max-connections=500",
            "--innodb-flush-log-at-trx-commit=1",
            f"--innodb-buffer-pool-size={buffer_pool or os.environ.get('MARIADB_BUFFER_POOL', '256M')}",
            f"--innodb-log-file-size={os.environ.get('MARIADB_LOG_FILE', '96M')}",
            # As in docker-compose.yml: usage events are mostly look-ups by key (8 % more events a second).
            "--innodb-adaptive-hash-index=ON",
        ]

    @property
    def url(self) -> str:
        return f"mysql://telcox:{self.password}@{LOOPBACK}:{self.port}/telcox"

    def start(self) -> Self:
        if not (self.folder / "data").exists():
            # Two installations at the same moment may use the same names for temporary tables.
            env = {**os.environ, "TMPDIR": str(self.folder)}
            made = subprocess.run(self._install, env=env, capture_output=True, text=True, check=False)
            if made.returncode:
                raise ProcessFailed(f"mariadb-install-db failed:\n{made.stdout}\n{made.stderr}")
        return super().start()

    def is_ready(self) -> bool:
        """Return whether it sends its greeting, which starts with protocol version 10. It does so once it has
        run its init file."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as sock:
                return sock.recv(5)[4:] == b"\x0a"
        except OSError:
            return False


class Redis(Server):
    """Redis server without persistence: nothing in it has to survive it."""

    def __init__(self, *, port: int | None = None) -> None:
        redis_server = program("redis-server", "redis-server")
        super().__init__("redis", port=port)
        self.command = [
            redis_server,
            *("--bind", LOOPBACK),
            *("--port", str(self.port)),
            *("--dir", str(self.folder)),
            *("--save", ""),
            *("--appendonly", "no"),
        ]

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def is_ready(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as sock:
                sock.sendall(b"PING\r\n")
                return sock.recv(5) == b"+PONG"
        except OSError:
            return False
