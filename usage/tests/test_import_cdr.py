"""Detail records from files: every form, once each, whatever is killed."""

import gzip
import io
import random
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from telcox.testing.databases import fresh_database, manage, manage_and_kill, migrate, rows
from telcox.testing.threads import in_threads
from usage.models import RejectedUsage, UsageCounter, UsageEvent
from usage.verification import find_differences

pytestmark = pytest.mark.django_db

HEADING = "event_id,phone_number,category,quantity,occurred_at,source"
MOMENT = "2026-11-23T06:00:00Z"


def record(number: int, **changes: Any) -> str:
    fields = {
        "event_id": f"e-{number}",
        "phone_number": "0969786985",
        "category": "SOCIAL",
        "quantity": 100,
        "occurred_at": MOMENT,
        "source": "pgw-1",
        **changes,
    }
    return ",".join(str(fields[name]) for name in HEADING.split(","))


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def imported(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("import_cdr", *arguments, stdout=out, workers=1, **options)
    return out.getvalue().strip()


def used() -> int:
    return UsageCounter.objects.get(subscription__line__phone_number="0969786985").used_social_bytes


def test_each_record_is_counted_once_however_often_the_file_is_read(seeded: None, tmp_path: Path) -> None:
    before = used()
    file = write(tmp_path / "a.csv", HEADING, *(record(number) for number in range(2_500)))
    assert imported(file) == f"{file}: 2500 records: 2500 counted, 0 already counted, 0 rejected"
    assert imported(file) == f"{file}: 2500 records: 0 counted, 2500 already counted, 0 rejected"
    assert used() == before + 250_000
    assert not list(find_differences())


def test_gzip_standard_input_and_several_files(
    seeded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n".join([HEADING, record(1), record(2)]).encode()
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + text))
    plain = write(tmp_path / "plain.csv", HEADING, record(2), record(3))
    assert imported(str(packed), plain).splitlines() == [
        f"{packed}: 2 records: 2 counted, 0 already counted, 0 rejected",
        f"{plain}: 2 records: 1 counted, 1 already counted, 0 rejected",
    ]
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(text)))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert imported("-") == "-: 2 records: 0 counted, 2 already counted, 0 rejected"


def test_columns_by_other_names_in_another_order_and_local_times(seeded: None, tmp_path: Path) -> None:
    file = write(
        tmp_path / "switch-7.csv",
        "when;msisdn;cell;service;volume",
        "2026-11-23 01:00:00;593969786985;17;voice;61",
        "2026-11-23 01:00:00;593969786985;17;voice;61",
    )
    arguments = [
        "--column",
        "phone_number=msisdn",
        "--column",
        "occurred_at=when",
        "--column",
        "category=service",
    ]
    arguments += ["--column", "quantity=volume", "--delimiter", ";", "--time-zone", "America/Guayaquil"]
    for counted in (2, 0):
        assert f"{counted} counted, {2 - counted} already counted" in imported(file, *arguments)
    events = UsageEvent.objects.filter(source="cdr").order_by("event_id")
    assert [(event.event_id[-2:], event.category, event.quantity) for event in events] == [
        ("-1", "VOICE", 61),
        ("-2", "VOICE", 61),
    ]
    assert events[0].occurred_at == datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


def test_bad_records_cost_the_others_nothing_and_are_named(
    seeded: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(
        tmp_path / "a.csv",
        HEADING,
        record(1),
        record(2, quantity="many"),
        record(3, phone_number="0999999999"),
        record(4, occurred_at="2026-11-23T06:00:00"),
        record(5, category="VIDEO"),
        "",
        "e-6,0969786985",
        record(7, occurred_at="when"),
        record(8, phone_number="x"),
        record(9),
    )
    errors, out = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError, match=r"6 record\(s\) lost \(6 invalid\)"):
        call_command("import_cdr", file, stdout=out, stderr=errors, workers=1)
    assert "9 records: 2 counted, 0 already counted, 7 rejected" in out.getvalue()
    named = errors.getvalue().splitlines()
    assert [line.partition(": ")[0].rpartition(" ")[2] for line in named] == [
        "2",
        "3",
        "4",
        "5",
        "7",
        "8",
        "9",
    ]
    assert named[1].endswith("record 3: unknown_line, No line has this number")
    assert RejectedUsage.objects.get().event_id == "e-3"


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2\n", HEADING.encode()[9:40], b"\x1f\x8b nonsense", b"\xff\xfe\x00", b"x" * 200_000],
    ids=["empty", "other columns", "some columns", "not gzip", "not text", "one long word"],
)
def test_what_is_no_such_file_is_refused(seeded: None, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    with pytest.raises(CommandError):
        imported(str(file))


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(CommandError):
        imported("/nowhere/a.csv")


@pytest.mark.parametrize(
    "option", [["--column", "who=msisdn"], ["--column", "quantity"], ["--time-zone", "Mars"]]
)
def test_options_are_checked(tmp_path: Path, option: list[str]) -> None:
    with pytest.raises(CommandError):
        imported(write(tmp_path / "a.csv", HEADING), *option)


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_one_file_imported_by_four_at_once_is_counted_once(committed: None, tmp_path: Path) -> None:
    """Without ids, under four names: by its content it is one file."""
    before = used()
    rows = [record(number).split(",", 1)[1] for number in range(600)]
    heading = HEADING.split(",", 1)[1]
    files = [write(tmp_path / f"{copy}.csv", heading, *rows) for copy in range(4)]
    in_threads(lambda file: imported(file), files, threads=4)
    assert used() == before + 60_000
    assert not list(find_differences())


@pytest.mark.mariadb
@pytest.mark.timeout(600)
@pytest.mark.processes
def test_killed_at_any_moment_and_run_again_it_ends_in_the_same_state(tmp_path: Path) -> None:
    """kill -9 in the middle of its work, again and again; then once undisturbed."""
    chosen = random.Random(3)
    records = [
        record(
            number,
            phone_number=chosen.choice(["0969786985", "0923456789", "0934567890", "0999999999"]),
            quantity=1 + number,
            occurred_at=f"2026-11-23T{6 + number % 18:02}:00:00Z",
        )
        for number in range(60_000)
    ]
    known = sum("0999999999" not in row for row in records)
    file = write(tmp_path / "cdr.csv", HEADING, *records)
    with fresh_database(tmp_path) as url:
        env = {"DATABASE_URL": url, "REDIS_URL": "", "DEBUG": "1"}
        migrate(env)
        manage(env, "loaddata", "--verbosity=0", "catalogue", "customers")

        def events() -> int:
            return int(rows(url, "SELECT COUNT(*) FROM usage_usageevent WHERE source = 'pgw-1'")[0][0])

        def are_counted(enough: int) -> bool:
            return events() >= enough

        killed = 0
        for _ in range(8):
            enough = events() + chosen.randint(1, 6_000)
            killed += manage_and_kill(env, "import_cdr", file, when=partial(are_counted, enough))
        assert killed >= 4
        assert f"60000 records: 0 counted, {known} already counted" in (
            manage(env, "import_cdr", file) and manage(env, "import_cdr", file)
        )
        assert (
            manage(env, "verify_usage") == "Counters and daily sums are equal to the sums of their events.\n"
        )
        count = "from usage.models import *; print(UsageEvent.objects.filter(source='pgw-1').count())"
        assert int(manage(env, "shell", "--verbosity=0", "-c", count)) == known
