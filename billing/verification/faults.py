"""What is wrong with something, in words that lead there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`of` names a line, one of its periods, an invoice, a series or a wallet."""

    of: str
    what: str

    def __str__(self) -> str:
        return f"{self.of}: {self.what}"
