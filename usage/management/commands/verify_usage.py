from collections.abc import Iterator

from telcox.common.verify_command import VerifyCommand
from usage.verification import find_differences


class Command(VerifyCommand):
    help = "Compare usage counters and daily sums with the sums of their events, and print every difference."
    noun = "difference"
    clean = "Counters and daily sums are equal to the sums of their events."

    def find(self) -> Iterator[object]:
        return find_differences()
