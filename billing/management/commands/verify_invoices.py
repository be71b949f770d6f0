from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.management.progress import Bars
from billing.models import InvoiceSeries
from billing.verification.chain import Chain


def parse_note(text: str) -> tuple[str, str]:
    number, equals, seal = text.rpartition("=")
    if not equals or len(seal) != 64:
        raise ArgumentTypeError("a document's number and its seal: 001-001-000000017=9f86d0…")
    return number, seal


class Command(BaseCommand):
    help = (
        "Proves that documents are the ones that were issued: numbered without a gap, sealed one after the "
        "other, adding up, and credited, paid and void as they say. Names the first of each series that is "
        "not, and prints the last seals: noted elsewhere, they prove later on that nothing is missing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--series", action="append", help="only this one (001-001); may be repeated")
        parser.add_argument(
            "--noted",
            action="append",
            type=parse_note,
            default=[],
            metavar="NUMBER=SEAL",
            help="a document must bear this seal; may be repeated",
        )

    def handle(
        self, *args: Any, series: list[str] | None, noted: list[tuple[str, str]], **options: Any
    ) -> None:
        chosen = InvoiceSeries.objects.order_by("prefix")
        if series:
            chosen = chosen.filter(prefix__in=series)
            if unknown := set(series) - {each.prefix for each in chosen}:
                raise CommandError(f"there is no series {', '.join(sorted(unknown))}")
        wrong, seals = 0, dict(noted)
        with Bars({each.prefix: each.last_number for each in chosen}) as bars:
            for each in chosen:
                chain = Chain(each, noted=seals)
                for page in chain.walk():
                    bars.update(each.prefix, page.documents)
                wrong += chain.wrong
                self._tell(chain)
        for number in seals:
            self.stdout.write(f"{number}: it is not there, and its seal was noted")
        if wrong := wrong + len(seals):
            raise CommandError(f"{wrong} fault(s)")

    def _tell(self, chain: Chain) -> None:
        if not chain.first:
            self.stdout.write(f"{chain.series}: {chain.documents} documents proved, seal {chain.seal or '—'}")
            return
        others = f" (the first of {chain.wrong} faults)" if chain.wrong > 1 else ""
        self.stdout.write(f"{chain.first}{others}")
