"""A file without event ids is recognised, also if its first records were invalid and are corrected."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from usage.ingestion.cdr import DetailFile, RecordLayout
from usage.ingestion.detail_rows import text_of
from usage.models import RejectedUsage, UsageEvent
from usage.tests.batches import report, take
from usage.tests.test_detail_files import HEADING, Import, record, used, write
from usage.verification import find_differences

pytestmark = pytest.mark.django_db

BAD: dict[str, Any] = {"quantity": "two"}


@pytest.fixture(autouse=True)
def _sums_agree(seeded: None) -> Any:
    yield
    assert not list(find_differences())


def identity_by(line: str) -> str:
    text = text_of(io.BufferedReader(io.BytesIO(f"{HEADING}\n{line}\n".encode())))
    return DetailFile(text, RecordLayout()).identity_by(line.split(","))


@pytest.mark.parametrize("wrong", [{1}, {1, 2}, {1, 3}, {1, 2, 3, 4}, {4}, set()], ids=str)
def test_records_that_are_corrected_in_their_file_are_counted_and_no_other_is_twice(
    tmp_path: Path, wrong: set[int]
) -> None:
    file = tmp_path / "a.csv"
    first = Import(write(file, *(record(n, **(BAD if n in wrong else {})) for n in range(1, 5))))
    assert (first.counted, bool(first.lost)) == (4 - len(wrong), bool(wrong))
    # One after the other, from the last one to the first: each time another record is the first valid one.
    for left in range(len(wrong) - 1, -1, -1):
        still = sorted(wrong)[:left]
        done = Import(write(file, *(record(n, **(BAD if n in still else {})) for n in range(1, 5))))
        assert (done.counted, done.known) == (1, 4 - left - 1)
    assert (Import(file).known, used()) == (4, 10)


def test_a_record_that_was_invalid_with_other_options_too(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", record(1, category="7"), record(2), record(3))
    assert Import(file).counted == 2
    done = Import(file, "--category", "7=SMS")
    assert (done.counted, done.known, done.lost) == (1, 2, "")
    done = Import(file)
    assert (done.counted, done.known) == (0, 2)
    assert used() == 6


def test_so_is_a_file_that_was_counted_with_all_records_and_then_with_less(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", record(1, category="7"), record(2), record(3))
    assert Import(file, "--category", "7=SMS").counted == 3
    assert (Import(file).counted, used()) == (0, 6)


def test_usage_that_waits_for_a_redrive_makes_a_file_known(tmp_path: Path) -> None:
    nobody: dict[str, Any] = {"phone_number": "0999999999"}
    Import(write(tmp_path / "a.csv", record(1, **BAD), record(2, **nobody), record(3)))
    done = Import(write(tmp_path / "a.csv", record(1), record(2, **nobody), record(3)))
    assert (done.counted, done.known) == (1, 1)
    assert RejectedUsage.objects.count() == 1


def test_a_file_whose_identity_was_that_of_an_invalid_record_is_known(tmp_path: Path) -> None:
    """As it was when the first record named the file, valid or not."""
    bad = record(1, **BAD)
    when = datetime(2026, 11, 23, 7, tzinfo=UTC)
    take(
        datetime(2026, 11, 25, tzinfo=UTC),
        report(f"{identity_by(bad)}-2", source="cdr", category="SMS", quantity=2, occurred_at=when),
    )
    assert Import(write(tmp_path / "a.csv", bad, record(2))).known == 1


def test_another_file_is_another_one_although_records_are_equal(tmp_path: Path) -> None:
    shared = record(2)
    assert Import(write(tmp_path / "a.csv", record(1), shared)).counted == 2
    assert Import(write(tmp_path / "b.csv", record(4), shared)).counted == 2
    # Another row is another record.
    assert Import(write(tmp_path / "c.csv", shared, record(5))).counted == 2
    assert Import(write(tmp_path / "d.csv", record(6), record(7), shared)).counted == 3
    assert used() == 1 + 2 + 4 + 2 + 2 + 5 + 6 + 7 + 2


def test_records_of_different_sources_are_looked_for_by_their_own(tmp_path: Path) -> None:
    heading = f"{HEADING},source"
    rows = [f"{record(n)},switch-{n}" for n in range(1, 4)]
    bad = f"{record(1, **BAD)},switch-1"
    assert Import(write(tmp_path / "a.csv", bad, *rows[1:], heading=heading)).counted == 2
    done = Import(write(tmp_path / "a.csv", *rows, heading=heading))
    assert (done.counted, done.known) == (1, 2)
    assert set(
        UsageEvent.objects.filter(source__startswith="switch-").values_list("quantity", flat=True)
    ) == {
        1,
        2,
        3,
    }
