"""`import_cdr`: which file is which, what it says of lost records, and where it keeps them."""

import csv
import gzip
import io
import stat
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from usage.models import RejectedUsage, UsageCounter, UsageEvent
from usage.tests.batches import report, take
from usage.verification import find_differences

pytestmark = pytest.mark.django_db

HEADING = "phone_number,category,quantity,occurred_at"
JESUS = "0969786985"


def record(number: int, day: int = 23, **changes: Any) -> str:
    fields = {
        "phone_number": JESUS,
        "category": "SMS",
        "quantity": number,
        "occurred_at": f"2026-11-{day}T{number % 24:02}:00:00-05:00",
        **changes,
    }
    return ",".join(str(fields[name]) for name in HEADING.split(","))


def write(path: Path, *lines: str, heading: str = HEADING) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([heading, *lines]) + "\n")
    return path


class Import:
    """A run of the command, and what it said. `lost` is the error with which it ended."""

    def __init__(self, *arguments: object) -> None:
        out, errors, self.lost = io.StringIO(), io.StringIO(), ""
        try:
            call_command("import_cdr", *map(str, arguments), "--workers=1", stdout=out, stderr=errors)
        except CommandError as error:
            self.lost = str(error)
        self.out, self.errors = out.getvalue(), errors.getvalue()

    @property
    def counted(self) -> int:
        return int(self.out.split(" counted")[0].split()[-1])

    @property
    def known(self) -> int:
        return int(self.out.split(" already counted")[0].split()[-1])


def used() -> int:
    return UsageCounter.objects.get(subscription__line__phone_number=JESUS).used_sms


@pytest.fixture(autouse=True)
def _sums_agree(seeded: None) -> Any:
    yield
    assert not list(find_differences())


class TestIdentity:
    """Of records without event id: their file's heading and first record, and their row."""

    def test_a_second_file_of_the_same_name_is_another_file(self, tmp_path: Path) -> None:
        monday = write(tmp_path / "monday" / "cdr.csv", record(5), record(6))
        tuesday = write(tmp_path / "tuesday" / "cdr.csv", record(5, 24), record(7, 24))
        for arguments in ((monday,), (tuesday,)):
            done = Import(*arguments)
            assert (done.counted, done.known, done.lost) == (2, 0, "")
        assert Import(monday, tuesday).lost == ""
        assert used() == 5 + 6 + 5 + 7

    def test_the_same_name_with_a_source_is_another_file_too(self, tmp_path: Path) -> None:
        for day in (23, 24):
            file = write(tmp_path / "cdr.csv", record(5, day), record(6, day))
            assert Import(file, "--source", "switch-7").counted == 2
            assert Import(file, "--source", "switch-7").known == 2
        assert set(UsageEvent.objects.filter(quantity=5).values_list("source", flat=True)) == {"switch-7"}

    def test_the_same_content_is_the_same_file_under_any_name_and_in_any_dress(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "\n".join([HEADING, record(5), record(6)]) + "\n"
        first = tmp_path / "cdr.csv"
        first.write_text(text)
        assert Import(first).counted == 2
        for name, content in {
            "renamed.csv": text.encode(),
            "packed.csv.gz": gzip.compress(text.encode()),
            "windows.csv": text.replace("\n", "\r\n").encode("utf-8-sig"),
            "macintosh.csv": text.replace("\n", "\r").encode(),
            "unicode.txt": text.replace(",", "\t").encode("utf-16"),
            "semicolons.csv": text.replace(",", " ; ").encode(),
            "quoted.csv": "\n".join(
                ",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()
            ).encode(),
        }.items():
            file = tmp_path / name
            file.write_bytes(content)
            done = Import(file)
            assert (done.counted, done.known, done.lost) == (0, 2, ""), name
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.encode()))))
        assert Import("-").known == 2
        assert used() == 11

    def test_a_file_that_was_sent_again_with_more_records_counts_only_these(self, tmp_path: Path) -> None:
        rows = [record(number) for number in range(1, 6)]
        assert Import(write(tmp_path / "master.csv", *rows[:3])).counted == 3
        done = Import(write(tmp_path / "master.csv", *rows))
        assert (done.counted, done.known) == (2, 3)

    def test_a_record_that_was_corrected_in_its_file_is_counted_and_no_other_is_twice(
        self, tmp_path: Path
    ) -> None:
        assert Import(write(tmp_path / "a.csv", record(1), record(2, quantity="two"), record(3))).counted == 2
        done = Import(write(tmp_path / "a.csv", record(1), record(2), record(3)))
        assert (done.counted, done.known, done.lost) == (1, 2, "")
        assert used() == 6

    def test_other_options_do_not_make_another_file(self, tmp_path: Path) -> None:
        rows = [f"START,{record(1, quantity=2)}", f"STOP,{record(3)}", f"STOP,{record(4)}"]
        file = write(tmp_path / "a.csv", *rows, heading=f"type,{HEADING}")
        assert Import(file, "--only", "type=STOP").counted == 2
        assert Import(file).known == 2
        bare = tmp_path / "bare.csv"
        bare.write_text("\n".join(rows))
        for name, counted in (("type", 3), ("kind", 0)):
            assert Import(bare, "--heading", f"{name},{HEADING}").counted == counted

    def test_equal_records_are_different_ones(self, tmp_path: Path) -> None:
        assert Import(write(tmp_path / "a.csv", record(1), record(1), record(1))).counted == 3

    def test_a_record_that_changed_is_a_conflict_that_is_said_and_kept(self, tmp_path: Path) -> None:
        assert Import(write(tmp_path / "a.csv", record(1), record(2))).counted == 2
        done = Import(write(tmp_path / "a.csv", record(1), record(2, quantity=200)))
        assert "1 record(s) lost (1 event_conflict)" in done.lost
        assert used() == 3

    def test_an_event_with_an_id_is_the_same_one_in_every_file(self, tmp_path: Path) -> None:
        """Files that overlap, as a switch writes that exports the last 24 hours every hour."""
        heading = f"event_id,{HEADING}"
        rows = [f"{number},{record(number)}" for number in range(6)]
        for name, first, counted in (
            ("cdr.csv", 1, 2),
            ("cdr.csv", 2, 1),
            ("renamed.csv", 2, 0),
            ("x.csv", 4, 2),
        ):
            done = Import(write(tmp_path / name, *rows[first : first + 2], heading=heading))
            assert (done.counted, done.lost) == (counted, ""), name
        assert used() == sum(range(1, 6))

    def test_ids_that_begin_anew_in_each_file_are_refused_aloud(self, tmp_path: Path) -> None:
        heading = f"event_id,{HEADING}"
        first = write(tmp_path / "1" / "cdr.csv", f"1,{record(5)}", f"2,{record(6)}", heading=heading)
        second = write(tmp_path / "2" / "cdr.csv", f"1,{record(7)}", f"2,{record(8)}", heading=heading)
        assert Import(first).counted == 2
        assert "2 record(s) lost (2 event_conflict)" in Import(second).lost
        assert Import(second, "--source", "switch-8").counted == 2

    def test_what_was_counted_under_its_file_s_name_is_not_counted_again(self, tmp_path: Path) -> None:
        """Before a file's identity was its content, it was its name."""
        at = datetime(2026, 11, 25, tzinfo=UTC)
        when = [datetime(2026, 11, 23, hour + 5, tzinfo=UTC) for hour in range(4)]
        take(
            at,
            report("row-1", source="old.csv", category="SMS", quantity=1, occurred_at=when[1]),
            report("row-3", source="old.csv", category="SMS", quantity=3, occurred_at=when[3]),
            report(
                "row-2",
                source="old.csv",
                category="SMS",
                quantity=2,
                occurred_at=when[2],
                phone_number="0999999999",
            ),
            report("row-1", source="switch-7", category="SMS", quantity=1, occurred_at=when[1]),
            report("id-1", source="named.csv", category="SMS", quantity=1, occurred_at=when[1]),
        )
        before = used()
        rows = [record(1), record(2, phone_number="0999999999"), record(3)]
        done = Import(write(tmp_path / "old.csv", *rows))
        assert (done.counted, done.known) == (0, 2)
        assert RejectedUsage.objects.count() == 1
        assert Import(write(tmp_path / "x.csv", record(1)), "--source", "switch-7").known == 1
        assert (
            Import(write(tmp_path / "named.csv", f"id-1,{record(1)}", heading=f"event_id,{HEADING}")).known
            == 1
        )
        named = write(tmp_path / "named.csv", f"id-1,{record(9)}", heading=f"event_id,{HEADING}")
        assert "1 event_conflict" in Import(named).lost
        assert used() == before
        # Another file of that name is another file, as any.
        assert Import(write(tmp_path / "old.csv", record(4), record(5))).counted == 2


class TestLost:
    """Records that were neither counted nor kept for a redrive."""

    def test_a_file_of_invalid_records_ends_with_an_error_and_names_its_kinds(self, tmp_path: Path) -> None:
        file = write(
            tmp_path / "a.csv", record(1, category="VIDEO"), record(2, quantity="x"), record(3, quantity="y")
        )
        done = Import(file)
        assert "3 records: 0 counted, 0 already counted, 3 rejected" in done.out
        assert "3 record(s) lost (3 invalid)" in done.lost
        kinds = Counter(line.partition(": ")[2] for line in done.errors.splitlines())
        assert sorted(kinds.values()) == [1, 2]

    def test_thousands_of_one_kind_do_not_hide_one_of_another(self, tmp_path: Path) -> None:
        unanswered = [record(0) for _ in range(30)]
        unknown = [record(1, phone_number="0999999999") for _ in range(40)]
        done = Import(write(tmp_path / "a.csv", *unanswered, *unknown, record(2, quantity="abc")))
        assert (
            "71 records: 0 counted, 0 already counted, 41 rejected, 30 without usage (quantity 0)" in done.out
        )
        assert "record 71: invalid, Expected a whole number" in done.errors
        assert "and 20 more: unknown_line" in done.errors
        assert "Expected int" not in done.errors

    def test_calls_that_were_not_answered_are_no_fault(self, tmp_path: Path) -> None:
        done = Import(write(tmp_path / "a.csv", record(0), record(0, category="VOICE", quantity="00:00:00")))
        assert done.lost == done.errors == ""
        assert "2 records: 0 counted, 0 already counted, 0 rejected, 2 without usage" in done.out

    def test_what_is_kept_for_a_redrive_is_not_lost(self, tmp_path: Path) -> None:
        done = Import(write(tmp_path / "a.csv", record(1, phone_number="0999999999")))
        assert done.lost == ""
        assert RejectedUsage.objects.count() == 1
        assert not list(tmp_path.glob("*.rejects"))

    def test_lost_records_are_kept_in_a_file_that_can_be_corrected_and_imported(self, tmp_path: Path) -> None:
        heading = f"name,{HEADING}"
        file = write(
            tmp_path / "a.csv",
            f"Ana,{record(1)}",
            f"Luis,{record(2, category='VOIC')}",
            f'"Pepe, el,{record(3)}',
            f"Eva,{record(4)}",
            heading=heading,
        )
        done = Import(file)
        assert done.counted == 2
        [kept] = tmp_path.glob("a.csv.*.rejects")
        assert str(kept) in done.lost
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        with kept.open(newline="") as opened:
            rows = list(csv.reader(opened))
        assert rows[0] == ["telcox_record", "telcox_reason", "telcox_detail", *heading.split(",")]
        assert [row[:2] for row in rows[1:]] == [["2", "invalid"], ["3", "invalid"]]
        assert rows[1][3:] == f"Luis,{record(2, category='VOIC')}".split(",")
        # The same again: the same file.
        Import(file)
        assert list(tmp_path.glob("*.rejects")) == [kept]
        with kept.open("w", newline="") as opened:
            mended = [[*rows[1][:5], "VOICE", *rows[1][6:]], [*rows[2][:3], "Pepe", *rows[2][5:]]]
            csv.writer(opened).writerows([rows[0], *mended])
        corrected = Import(kept)
        assert (corrected.counted, corrected.lost) == (2, "")
        assert Import(kept).known == 2

    def test_lost_records_of_a_file_without_a_heading_can_be_imported_with_the_same_options(
        self, tmp_path: Path
    ) -> None:
        file = tmp_path / "a.csv"
        file.write_text("\n".join([record(1), record(2, quantity="x"), record(3)]))
        assert Import(file, "--heading", HEADING).counted == 2
        [kept] = tmp_path.glob("*.rejects")
        assert "1 record(s) lost" in Import(kept, "--heading", HEADING).lost
        kept.write_text(kept.read_text().replace(",x,", ",2,"))
        done = Import(kept, "--heading", HEADING)
        assert (done.counted, done.lost) == (1, "")
        assert used() == 6

    def test_lost_records_of_another_file_of_that_name_do_not_replace_them(self, tmp_path: Path) -> None:
        for day in (23, 24):
            Import(write(tmp_path / "a.csv", record(1, day), record(2, day, quantity="x")))
        assert len(list(tmp_path.glob("a.csv.*.rejects"))) == 2

    def test_a_folder_for_lost_records(self, tmp_path: Path) -> None:
        folder = tmp_path / "lost"
        folder.mkdir()
        Import(write(tmp_path / "a.csv", record(1, quantity="x")), "--rejects", folder)
        assert len(list(folder.iterdir())) == 1
        assert not list(tmp_path.glob("*.rejects"))
        assert "not a folder" in Import(tmp_path / "a.csv", "--rejects", tmp_path / "nowhere").lost

    def test_a_file_that_cannot_be_read_costs_no_other_file(self, tmp_path: Path) -> None:
        cut = tmp_path / "cut.csv.gz"
        packed = gzip.compress("\n".join([HEADING, *(record(n % 24) for n in range(9_000))]).encode())
        cut.write_bytes(packed[:-20])
        good = write(tmp_path / "good.csv", record(5))
        done = Import(tmp_path / "nowhere.csv", cut, write(tmp_path / "other.csv", heading="a,b"), good)
        assert [part in done.lost for part in ("nowhere.csv", "cut.csv.gz", "missing column")] == [True] * 3
        assert f"{good}: 1 records: 1 counted" in done.out
        assert f"{cut}: " in done.out


@pytest.mark.parametrize("delimiter", ["\\t", "tab", "\t"])
def test_a_tab_by_any_name(tmp_path: Path, delimiter: str) -> None:
    file = write(tmp_path / "a.tsv", record(5).replace(",", "\t"), heading=HEADING.replace(",", "\t"))
    assert Import(file, "--delimiter", delimiter).counted == 1


@pytest.mark.parametrize(
    "option",
    [
        ["--delimiter", "ab"],
        ["--delimiter", ""],
        ["--delimiter", '"'],
        ["--delimiter", "\n"],
        ["--delimiter", "1"],
        ["--format", "%Q"],
        ["--format", "%H:%M"],
        ["--format", "%d/%m %H:%M"],
        ["--format", "%d/%m/%Y %I:%M:%S"],
        ["--category", "VIDEO"],
        ["--category", "1="],
        ["--only", "type"],
        ["--time-zone", "Mars"],
    ],
    ids=str,
)
def test_options_are_checked_before_anything_is_read(tmp_path: Path, option: list[str]) -> None:
    done = Import(write(tmp_path / "a.csv", record(5)), *option)
    assert done.lost.startswith("Error: argument")
    assert done.out == ""


def test_a_column_of_a_condition_must_be_there(tmp_path: Path) -> None:
    assert "missing column: type" in Import(write(tmp_path / "a.csv", record(5)), "--only", "type=1").lost


def test_another_form_of_times_and_names_of_categories(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv",
        f"{JESUS},7,5,24/11/2026,10:00:00",
        f"{JESUS},,6,24/11/2026,10:00:00",
        f"{JESUS},8,7,24/11/2026,10:00:00",
        heading="phone_number,service,quantity,day,hour",
    )
    options = [
        "--column",
        "category=service",
        "--column",
        "occurred_at=day+hour",
        "--time-zone",
        "America/Guayaquil",
    ]
    assert Import(file, *options).counted == 0
    options += ["--format", "%d/%m/%Y %H:%M:%S", "--category", "7=SMS", "--category", "VOICE"]
    done = Import(file, *options)
    assert done.counted == 2
    assert "1 record(s) lost" in done.lost
    events = UsageEvent.objects.filter(occurred_at=datetime(2026, 11, 24, 15, tzinfo=UTC))
    assert set(events.values_list("category", "quantity")) == {("SMS", 5), ("VOICE", 6)}


@pytest.mark.usefixtures("open_api")
def test_a_moment_finer_than_a_microsecond_is_the_same_over_http_and_in_a_file(
    tmp_path: Path, client: Client
) -> None:
    moments = ["2026-11-25T10:00:00.1234567Z", "2026-11-25T10:00:00.9999999Z", "2026-11-25T23:59:60Z"]
    for number, moment in enumerate(moments):
        body = {
            "phone_number": JESUS,
            "category": "SMS",
            "quantity": 7,
            "source": "ns",
            "event_id": f"{number}",
        }
        sent = client.post(
            "/api/usage/events", {**body, "occurred_at": moment}, content_type="application/json"
        )
        assert sent.json()["applied"] == 1
    file = write(
        tmp_path / "a.csv",
        *(f"{record(7, occurred_at=moment)},ns,{number}" for number, moment in enumerate(moments)),
        heading=f"{HEADING},source,event_id",
    )
    done = Import(file)
    assert (done.counted, done.known, done.lost) == (0, 3, "")
    assert not UsageEvent.objects.filter(
        source="ns", occurred_at__gte=datetime(2026, 11, 26, tzinfo=UTC)
    ).exists()
