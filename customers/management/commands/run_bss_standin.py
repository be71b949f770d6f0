import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from customers.bss.standin import BssStandin, Failure, Switches


class Command(BaseCommand):
    help = "Serve a stand-in for the operator's BSS. `PUT /switches` makes it slow or broken."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8001)
        parser.add_argument("--delay", type=float, default=0.0, help="seconds to wait before each answer (0)")
        parser.add_argument("--failure", type=Failure, choices=list(Failure), default=Failure.NONE)

    def handle(self, *args: Any, **options: Any) -> None:
        switches = Switches(options["delay"], options["failure"])
        standin = BssStandin(options["host"], options["port"], switches)
        # shutdown() would wait for serve_forever(), which runs in this thread.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=standin.shutdown).start())
        self.stdout.write(f"BSS stand-in on {standin.url}")
        self.stdout.flush()
        try:
            standin.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            pass
        finally:
            standin.server_close()
