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
    """This process was sent a signal to stop; the signal's number is the argument."""


def interrupt_on_signals() -> None:
    """Raise Interrupted at the first SIGINT, SIGTERM or SIGHUP, and ignore later ones during the clean-up."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, _: object) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    for each in signals:
        signal.signal(each, interrupt)


# Below Linux's ephemeral ports, so that no outgoing connection takes the port before the server listens.
_PORTS = range(10_000, 32_768)


def free_port() -> int:
    """Return a port of this machine on which no process listens at the moment."""
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
    """Wait until `condition` is true. Raise ProcessFailed if it is still false after that time."""
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
    """Restore SIGINT's default action in a process that is about to start (for `preexec_fn`).

    A shell starts background jobs with SIGINT ignored, and children inherit that: Ctrl-C would not stop them.
    On Linux, the process is also terminated when the thread that started it ends, so that no process outlives
    a killed test run.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _memory(process: Path, *, session: int) -> int:
    """Return the bytes (PSS) of a process of /proc, or 0 if it has ended or belongs to another session."""
    with contextlib.suppress(OSError):
        if int((process / "stat").read_text().rpartition(")")[2].split()[3]) == session:
            lines = (process / "smaps_rollup").read_text().splitlines()
            return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return 0


class Process:
    """Process in a session of its own.

    Ctrl-C only reaches the program that started it, which then stops it in an orderly way. Start it from a
    thread that lives as long as the process is needed (see `prepare_child`).
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
        """Return whether it answers. To be overridden."""
        return True

    def _wait_until_ready(self, seconds: float = 180) -> None:
        wait_until(lambda: not self.running or self.is_ready(), seconds, f"{self.name} ready")
        if not self.running:
            raise ProcessFailed(
                f"{self.name} ended at once, with code {self.returncode}.\n{self.last_words()}"
            )

    def last_words(self) -> str:
        """Return the last 15 lines of its output, or an empty text if that did not go to a file."""
        if self.output is None or not self.output.exists():
            return ""
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-15:])

    @property
    def memory(self) -> int:
        """Return the bytes that it and its descendants have in memory. A page that several processes share is
        divided among them (PSS)."""
        return sum(_memory(process, session=self.pid) for process in Path("/proc").glob("[0-9]*"))

    def terminate(self) -> None:
        """Ask it to stop, without waiting for its end as stop() does: to stop several at the same time."""
        if self._popen and self.running:
            self._popen.terminate()

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code. Raise ProcessFailed if it is still running by then."""
        wait_until(lambda: not self.running, seconds, f"{self.name} ended")
        assert self.returncode is not None
        return self.returncode

    def stop(self) -> None:
        """Stop it with SIGTERM, and kill it if it has not ended after `stop_seconds`. Stopping again does
        nothing."""
        if self._popen is None:
            return
        self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(self.stop_seconds)
        self._kill_group()

    def kill(self) -> None:
        """Kill it and its workers with `kill -9`, as a power failure would."""
        if self._popen:
            self._kill_group()

    def _kill_group(self) -> None:
        assert self._popen
        # It has a session of its own, so its process group contains only it and its descendants.
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
    """Process with its files in a folder of its own, which is removed when it is closed."""

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
        """Return where to find it, for a person to read."""
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
    """Service that answers on a port."""

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
