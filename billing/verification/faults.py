"""A fault that verification finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`of` names the line, period, invoice, series or wallet; `what` says what is wrong with it."""

    of: str
    what: str

    def __str__(self) -> str:
        return f"{self.of}: {self.what}"
