from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.management.progress import Bars
from billing.models import InvoiceSeries
from billing.verification.chain import Chain


def parse_note(text: str) -> tuple[str, str]:
    number, equals, seal = text.rpartition("=")
    if not equals or len(seal) != 64:
        raise ArgumentTypeError("write the document's number and its seal: 001-001-000000017=9f86d0…")
    return number, seal


class Command(BaseCommand):
    help = (
        "Verify that documents are unchanged since they were issued: numbered without gaps, sealed in a hash "
        "chain, with correct sums, and credited, paid and void as recorded. Prints the first fault of each "
        "series, and the last seals: kept elsewhere, they prove later that no document is missing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--series", action="append", help="verify only this series (001-001); may be repeated"
        )
        parser.add_argument(
            "--noted",
            action="append",
            type=parse_note,
            default=[],
            metavar="NUMBER=SEAL",
            help="a document must have this seal; may be repeated",
        )

    def handle(
        self, *args: Any, series: list[str] | None, noted: list[tuple[str, str]], **options: Any
    ) -> None:
        chosen = InvoiceSeries.objects.order_by("prefix")
        if series:
            chosen = chosen.filter(prefix__in=series)
            if unknown := set(series) - {each.prefix for each in chosen}:
                raise CommandError(f"unknown series: {', '.join(sorted(unknown))}")
        wrong, seals = 0, dict(noted)
        with Bars({each.prefix: each.last_number for each in chosen}) as bars:
            for each in chosen:
                chain = Chain(each, noted=seals)
                for page in chain.walk():
                    bars.update(each.prefix, page.documents)
                wrong += chain.wrong
                self._tell(chain)
        for number in seals:
            self.stdout.write(f"{number}: the document is missing, and its seal was noted")
        if wrong := wrong + len(seals):
            raise CommandError(f"{wrong} fault(s)")

    def _tell(self, chain: Chain) -> None:
        if not chain.first:
            self.stdout.write(f"{chain.series}: {chain.documents} documents proved, seal {chain.seal or '—'}")
            return
        others = f" (the first of {chain.wrong} faults)" if chain.wrong > 1 else ""
        self.stdout.write(f"{chain.first}{others}")
