"""Files of detail records of different make, and what becomes of each row.

`cdr/` has the files, made after public descriptions of the switches and mediation systems, with invented
numbers and persons. Beside each is `.outcome`: how it is imported, and the outcome of each row.
"""

import io
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from telcox.common.calendar import local_iso
from usage.ingestion.cdr import DetailFile
from usage.ingestion.detail_rows import text_of
from usage.ingestion.reports import UsageReport
from usage.management.cdr_options import layout_of
from usage.management.commands.import_cdr import Command
from usage.models import UsageEvent
from usage.verification import find_differences

CORPUS = Path(__file__).parent / "cdr"
FILES = sorted(path for path in CORPUS.iterdir() if path.suffix != ".outcome")


def options_of(file: Path) -> list[str]:
    return shlex.split(outcome_of(file)[0])


def outcome_of(file: Path) -> list[str]:
    return file.with_name(f"{file.name}.outcome").read_text(encoding="utf-8").splitlines()


def read(file: Path) -> list[str]:
    """Return the outcome of each row, as the file beside it says it."""
    parser = Command().create_parser("manage.py", "import_cdr")
    layout = layout_of(vars(parser.parse_args([str(file), *options_of(file)])))
    outcomes: list[str] = []
    unused, others, not_utf8 = 0, 0, list[int]()
    with file.open("rb") as opened:
        text = text_of(opened)
        for batch in DetailFile(text, layout).batches(2):
            unused, others, not_utf8 = unused + batch.unused, others + batch.others, not_utf8 + batch.not_utf8
            for row, reported in zip(batch.rows, batch.reported, strict=True):
                if isinstance(reported, UsageReport):
                    assert reported.occurred_at
                    at = local_iso(reported.occurred_at)
                    outcomes.append(
                        f"{row} {reported.phone_number} {reported.category} {reported.quantity} {at}"
                    )
                else:
                    outcomes.append(f"{row} invalid: {reported.detail}")
    return [*outcomes, f"unused {unused}, others {others}, not UTF-8 {not_utf8}"]


def test_there_are_many_makes() -> None:
    assert len(FILES) >= 15


@pytest.mark.once
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_row_has_the_outcome_that_is_written_beside_it(file: Path) -> None:
    assert read(file) == outcome_of(file)[1:]


@pytest.mark.django_db
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_is_counted_once_and_says_what_it_lost(seeded: None, tmp_path: Path, file: Path) -> None:
    rows = outcome_of(file)[1:-1]
    invalid = [row for row in rows if " invalid: " in row]
    # The others are of lines that exist, or of numbers that do not and are kept for a redrive.
    known = [row for row in rows if row.split()[1] in ("0969786985", "0923456789", "0934567890")]

    def run(copy: Path) -> tuple[str, str]:
        out, lost = io.StringIO(), ""
        options: dict[str, Any] = {"stdout": out, "stderr": io.StringIO()}
        try:
            call_command("import_cdr", str(copy), *options_of(file), "--workers=1", **options)
        except CommandError as error:
            lost = str(error)
        return out.getvalue(), lost

    before = UsageEvent.objects.count()
    for name, counted in (("a.csv", len(known)), ("the same file by another name.csv", 0)):
        copy = tmp_path / name
        copy.write_bytes(file.read_bytes())
        out, lost = run(copy)
        assert f" {counted} counted, {len(known) - counted} already counted" in out
        assert bool(lost) == bool(invalid)
        assert f"{len(invalid)} record(s) lost" in lost or not invalid
        assert len(list(tmp_path.glob(f"{name}.*.rejects"))) == bool(invalid)
    assert UsageEvent.objects.count() == before + len(known)
    assert UsageEvent.objects.latest("pk").ingested_at <= timezone.now()
    assert not list(find_differences())
