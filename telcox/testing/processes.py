"""Starting and stopping real processes, for tests, benchmarks and `bin/stack`.

Standard library only: `bin/with-servers` uses it before there is a virtual environment.
"""

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent
LOOPBACK = "127.0.0.1"


class ProcessFailed(Exception):
    """A process ended, or did not answer in time, when it was expected to run."""


class Interrupted(BaseException):
    """We were told to stop; the signal's number is the argument."""


def interrupt_on_signals() -> None:
    """Raise Interrupted at the first SIGINT, SIGTERM or SIGHUP, and ignore later ones: we clean up."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, _: object) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    for each in signals:
        signal.signal(each, interrupt)


# Where Linux takes none from for connections of its own: nobody else gets the port before we listen on it.
_PORTS = range(10_000, 32_768)


def free_port() -> int:
    """A port of this machine that nobody listens on just now."""
    while True:
        port = _PORTS[secrets.randbelow(len(_PORTS))]
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind((LOOPBACK, port))
            return port


def port_answers(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex((LOOPBACK, port)) == 0


def wait_until(
    condition: Callable[..., object], seconds: float = 60, what: str = "What was waited for"
) -> None:
    """Raises ProcessFailed when `condition` is still false after that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ProcessFailed(f"{what}: not within {seconds:g} seconds")
        time.sleep(0.02)


def wait_for_port(port: int, seconds: float = 60) -> None:
    wait_until(lambda: port_answers(port), seconds, f"An answer on port {port}")


_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def prepare_child() -> None:
    """Give a process that is about to start the signals of a terminal's (for `preexec_fn`).

    A shell starts what runs in its background with SIGINT ignored, and children inherit that: Ctrl-C would
    not reach them. On Linux the process is terminated when the thread that started it ends: nothing outlives
    a killed test run.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _memory(process: Path, *, session: int) -> int:
    """Bytes of a process of /proc, if it belongs to this session and is still there."""
    with contextlib.suppress(OSError):
        if int((process / "stat").read_text().rpartition(")")[2].split()[3]) == session:
            lines = (process / "smaps_rollup").read_text().splitlines()
            return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return 0


class Process:
    """A process of ours, in a session of its own.

    Ctrl-C reaches whoever started it, who then stops it in good order. Start it from a thread that
    lives as long as it is needed (see `prepare_child`).
    """

    stop_seconds = 30.0

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        output: Path | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.env = dict(os.environ if env is None else env)
        self.output = output
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise ProcessFailed(f"{self.name} was not started")
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def returncode(self) -> int | None:
        return self._popen.poll() if self._popen else None

    def start(self) -> Self:
        output: IO[bytes] | None = self.output.open("ab") if self.output else None
        try:
            self._popen = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=prepare_child,
            )
        finally:
            if output:
                output.close()
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def is_ready(self) -> bool:
        """Overridden: does it answer?"""
        return True

    def _wait_until_ready(self, seconds: float = 180) -> None:
        wait_until(lambda: not self.running or self.is_ready(), seconds, f"{self.name} ready")
        if not self.running:
            raise ProcessFailed(
                f"{self.name} ended at once, with code {self.returncode}.\n{self.last_words()}"
            )

    def last_words(self) -> str:
        """The end of what it wrote, if that went to a file."""
        if self.output is None or not self.output.exists():
            return ""
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-15:])

    @property
    def memory(self) -> int:
        """Bytes that it and what it started have in memory; of a page that several share, each has its part
        (PSS)."""
        return sum(_memory(process, session=self.pid) for process in Path("/proc").glob("[0-9]*"))

    def terminate(self) -> None:
        """Ask it to stop, and don't wait: stop() does. Useful where several shall stop at the same time."""
        if self._popen and self.running:
            self._popen.terminate()

    def wait(self, seconds: float) -> int:
        """The code it ended with by itself. Raises ProcessFailed."""
        wait_until(lambda: not self.running, seconds, f"{self.name} ended")
        assert self.returncode is not None
        return self.returncode

    def stop(self) -> None:
        """In good order, and by force when that takes too long. Stopping twice does nothing."""
        if self._popen is None:
            return
        self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(self.stop_seconds)
        self._kill_group()

    def kill(self) -> None:
        """`kill -9`, its workers included, as a machine that loses power would."""
        if self._popen:
            self._kill_group()

    def _kill_group(self) -> None:
        assert self._popen
        # Its session is its own, so its group holds nobody but its descendants.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def restart(self) -> None:
        """Stop and start again, on the same port and data."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, *_: Any) -> None:
        self.stop()


class Service(Process):
    """A process with its files in a folder of its own, which goes when it is closed."""

    def __init__(
        self,
        name: str,
        command: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        to_terminal: bool = False,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"telcox-{name}-"))
        super().__init__(name, command, env=env, output=None if to_terminal else self.folder / "log")

    @property
    def where(self) -> str:
        """Where it is found, for a person."""
        return f"pid {self.pid}"

    def close(self) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return super().__enter__()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: Any) -> None:
        self.close()


class Server(Service):
    """One that answers on a port."""

    def __init__(
        self,
        name: str,
        command: Sequence[str] = (),
        *,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
        to_terminal: bool = False,
    ) -> None:
        self.port = port or free_port()
        super().__init__(name, command, env=env, to_terminal=to_terminal)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def where(self) -> str:
        return f"{self.url}  {super().where}"

    def is_ready(self) -> bool:
        return port_answers(self.port)
