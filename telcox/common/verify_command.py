"""Base class of the commands that verify the books."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser


class VerifyCommand(BaseCommand):
    """Print each fault that `find` yields, at most `--most` of them, and exit with 1 if there is any.

    `noun` names a fault in messages; `clean` is printed if there is none.
    """

    noun: ClassVar[str] = "fault"
    clean: ClassVar[str]

    def find(self) -> Iterator[object]:
        """Yield the faults; each is printed by its `str`."""
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--most", type=int, default=100, help=f"stop after this many {self.noun}s (100)")

    def handle(self, *args: Any, most: int, **options: Any) -> None:
        found = 0
        for fault in islice(self.find(), most):
            found += 1
            self.stdout.write(str(fault))
        if found:
            raise CommandError(f"{found} {self.noun}(s)")
        self.stdout.write(self.clean)
