"""Rows of detail files: no row costs another one."""

import csv
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.ingestion.cdr import DetailFile, NotADetailRecord, RecordLayout
from usage.ingestion.detail_rows import LINE_MAX, text_of
from usage.ingestion.formats import Malformed
from usage.ingestion.reports import UsageReport

pytestmark = pytest.mark.once

HEADING = "name,phone_number,category,quantity,occurred_at,event_id,note"


def record(number: int, name: str = "Ana", note: str = "x") -> str:
    return f"{name},0969786985,SMS,{number},2026-11-23T06:00:00Z,e-{number},{note}"


def file_of(content: bytes, **layout: object) -> DetailFile:
    text = text_of(io.BufferedReader(io.BytesIO(content)))
    return DetailFile(text, RecordLayout(source="s", **layout))  # type: ignore[arg-type]


def read(content: str | bytes, **layout: object) -> list[int | None]:
    """Return the quantity of each record, None for one that cannot be counted."""
    file = file_of(content.encode() if isinstance(content, str) else content, **layout)
    return [
        reported.quantity if isinstance(reported, UsageReport) else None
        for batch in file.batches(3)
        for reported in batch.reported
    ]


def lines(*rows: str, end: str = "\n") -> str:
    return end.join([HEADING, *rows]) + end


@pytest.mark.parametrize(
    ("bad", "is_counted"),
    [
        (record(2, note='"Pepe'), True),
        (record(2, note='Pepe"'), True),
        (record(2, note="5'11\" tall"), True),
        (record(2, note='"a"b'), True),
        (record(2, note=r'"say \"hi'), True),
        (record(2, name='"Pepe'), True),
        (record(2, name='"Pepe, el'), False),
        (record(2, note='"Pepe, el'), False),
        (record(2, note="Pepe, el"), False),
        (record(2).replace("e-2", '"e-2'), False),
        (record(2).replace("0969786985", '"0969786985'), False),
        ('"', False),
        ('"""', False),
        ("Ana,0969786985", False),
        ("x" * (LINE_MAX + 10), False),
        ('"' * 5, False),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_bad_row_costs_no_other_row(bad: str, is_counted: bool, end: str) -> None:
    rows = [record(1), bad, record(3), record(4, note='"Pepe'), record(5), record(6, note='"Eva"')]
    assert read(lines(*rows, end=end)) == [1, 2 if is_counted else None, 3, 4, 5, 6]


def test_two_marks_that_are_not_closed_do_not_swallow_what_is_between_them() -> None:
    for first, last in (('"Pepe', 'Eva"'), ('"Pepe', '"'), ('"', '"'), ('"Pepe', '"Eva')):
        rows = [record(1, note=first), record(2), record(3), record(4, note=last), record(5)]
        assert read(lines(*rows)) == [1, 2, 3, 4, 5]
        assert read(lines(*rows[:1], *rows[3:])) == [1, 4, 5]
    assert read(lines('"Pepe,' + record(1)[4:], 'Eva",' + record(2)[4:])) == [1, 2]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_quoted_cell_may_have_line_breaks(end: str) -> None:
    """RFC 4180, section 2.6."""
    several = f'"first{end}second{end}{end}say ""hi"", he said"'
    rows = [record(1, note=several), record(2, name=several), record(3)]
    assert read(lines(*rows, end=end)) == [1, 2, 3]


def test_a_quoted_line_is_taken_for_a_row_only_if_it_has_as_many_cells() -> None:
    cells = ["1,2,3,4,5,6", "1,2,3,4,5,6,7"]  # the heading has seven
    assert read(lines(record(1, note=f'"a\n{cells[0]}\nb"'), record(2))) == [1, 2]
    refused = read(lines(record(1, note=f'"a\n{cells[1]}\nb"'), record(2)))
    assert refused[0] == 1  # its own line stands by itself
    assert refused[1:] == [None, None, 2]


def test_the_last_line_needs_no_end() -> None:
    assert read(lines(record(1), record(2)).rstrip("\n")) == [1, 2]
    assert read(lines(record(1), record(2, note='"x"')).rstrip("\n")) == [1, 2]
    assert read(lines(record(1), record(2, note='"x')).rstrip("\n")) == [1, 2]


def test_a_line_may_be_long_but_not_endless() -> None:
    room = LINE_MAX - len(record(1, note="")) - 1
    assert read(lines(record(1, note="x" * room), record(2))) == [1, 2]
    assert read(lines(record(1, note="x" * (room + 1)), record(2))) == [None, 2]
    assert read("x" * (2 * LINE_MAX) + "\n" + lines(record(1))) == [1]


def test_bytes_that_are_not_text_cost_nothing_where_nobody_reads_them() -> None:
    rows = [record(1), record(2, name="Cañar"), record(3, name="Ñandú")]
    content = lines(*rows).encode("cp1252")
    file = file_of(content)
    [batch] = file.batches(10)
    assert [report.quantity for report in batch.reported if isinstance(report, UsageReport)] == [1, 2, 3]
    assert batch.not_utf8 == [2, 3]
    # Some lines in UTF-8, some not, some neither.
    assert read(content + (record(4, name="Cañar") + "\n").encode() + record(5).encode() + b"\x81\xff\n") == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_bytes_that_are_not_text_are_refused_in_a_key() -> None:
    content = lines(record(1).replace("e-1", "e-\x81"), record(2)).encode("latin-1")
    assert read(content) == [None, 2]
    in_windows = lines(record(1).replace("e-1", "é-1")).encode("cp1252")
    [batch] = file_of(in_windows).batches(1)
    assert batch.reported[0].event_id == "é-1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_encodings(encoding: str, is_packed: bool) -> None:
    content = lines(record(1, name="Ñandú"), record(2, name='"Cañar"')).encode(encoding)
    content = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"") + content
    assert read(gzip.compress(content) + bytes(512) if is_packed else content) == [1, 2]


def test_a_byte_order_mark_in_the_middle_of_joined_files() -> None:
    one = lines(record(1)).encode("utf-8-sig")
    assert read(one + lines(record(2)).encode("utf-8-sig")) == [1, 2]


@pytest.mark.parametrize(
    ("row", "others"),
    [
        ("TRAILER,3", 1),
        ("T,3,99", 1),
        ("EOF", 1),
        ("# made by probe 4", 1),
        (HEADING, 1),
        (HEADING.replace(",", " , "), 1),
        ("", 0),
        (" , ,,,,,", 0),
        ("\x1a", 0),
        ("\x00" * 512, 0),
        (",,,,,,,,,,", 0),
        # A row of totals, with as many cells as a record.
        ("TOTAL,,,60,,,", 1),
        ("Total:,,,60,,,1 record", 1),
        ("TOTALES,,,60,,,", 1),
        ("EOF,,,,,,", 1),
        ("Fin,2", 1),
    ],
)
def test_rows_that_are_not_records_are_not_faults(row: str, others: int) -> None:
    file = file_of(lines(record(1), row, record(2)).encode())
    [batch] = file.batches(10)
    assert [type(reported) for reported in batch.reported] == [UsageReport, UsageReport]
    assert batch.others == others


def test_what_may_be_a_record_is_a_fault() -> None:
    """Never taken for a trailer: a record in which something is missing."""
    for row in (
        "T,0969786985,SMS,1,2026-11-23T06:00:00Z",
        "#31#,0969786985,SMS,7,2026",
        "Trail,3",
        "Total,0969786985,SMS,,2026-11-23T06:00:00Z,e-2,x",
    ):
        [batch] = file_of(lines(record(1), row).encode()).batches(10)
        assert isinstance(batch.reported[1], Malformed)
        assert batch.others == 0


def test_a_row_of_types_below_the_heading() -> None:
    types = "VARCHAR(50),VARCHAR (10),CHAR(3),INTEGER,TIMESTAMP,UNIQUEIDENTIFIER,DECIMAL(10,2)".replace(
        "10,2", "10"
    )
    assert read(lines(types, record(1))) == [1]
    assert read(lines(record(1), types)) == [1, None]


@pytest.mark.parametrize(
    "row",
    [
        "VARCHAR2(20),CHAR,NUMBER(10),TIMESTAMP(6),DATE,VARCHAR2(64),NVARCHAR(MAX)",
        "bigint(20) unsigned,string,mediumint,datetime2(7),bool,uuid,real",
        "----------,------------,--------,--------,--------------------,----,-",
    ],
)
def test_a_row_of_other_makers_below_the_heading(row: str) -> None:
    [batch] = file_of(lines(row, record(1)).encode()).batches(10)
    assert (len(batch.reported), batch.others) == (1, 1)
    assert read(lines(record(1), row)) == [1, None]


@pytest.mark.parametrize(
    "written",
    [
        '="0969786985"',
        '"=""0969786985"""',
        ' ="0969786985" ',
        "'0969786985",
        "'+593969786985",
        '"\'0969786985"',
    ],
)
def test_a_number_that_a_spreadsheet_is_to_take_for_text(written: str) -> None:
    for kept in (record(1), record(1, note='"x"')):
        [batch] = file_of(lines(kept.replace("0969786985", written)).encode()).batches(10)
        [report] = batch.reported
        assert isinstance(report, UsageReport)
        assert report.phone_number == "0969786985"


def test_a_key_is_the_same_one_whether_a_spreadsheet_marked_it_as_text() -> None:
    content = lines(record(17), record(17).replace("e-17", '="e-17"'), record(17).replace("e-17", "=17"))
    [batch] = file_of(content.encode()).batches(10)
    assert [getattr(report, "event_id", None) for report in batch.reported] == ["e-17", "e-17", "=17"]


@pytest.mark.parametrize("written", ["=0969786985", '="09697"86985"', "9.69787E+08", "''0969786985", '=""'])
def test_a_number_that_a_spreadsheet_has_changed_is_refused(written: str) -> None:
    assert read(lines(record(1).replace("0969786985", written), record(2))) == [None, 2]


def test_a_heading_below_a_title_with_any_delimiter() -> None:
    for delimiter in ",;\t|":
        content = f"Records of 23 November\n\nsep={delimiter}\n" + lines(record(1)).replace(",", delimiter)
        assert read(content) == [1]
        assert read(content, delimiter=delimiter) == [1]
    with pytest.raises(NotADetailRecord, match="missing column"):
        read(lines(record(1)), delimiter=";")
    assert read(lines(record(1)).replace("name,", '"name, of ""whom""",', 1)) == [1]


def test_a_column_that_is_there_twice_is_refused() -> None:
    with pytest.raises(NotADetailRecord, match="twice"):
        read(lines(record(1)).replace("note", "quantity"))
    assert read(lines(record(1)).replace("note", "name")) == [1]


def test_records_with_a_quantity_of_zero_are_counted_by_themselves() -> None:
    rows = [
        record(0),
        record(1),
        record(2).replace(",2,", ",0.0,"),
        record(3).replace(",SMS,3,", ",VOICE,00:00:00,"),
    ]
    unanswered = record(4).replace(",4,", ",0,").replace("2026-11-23T06:00:00Z", "")
    [batch] = file_of(lines(*rows, unanswered).encode()).batches(10)
    assert (len(batch.reported), batch.unused) == (1, 4)


@pytest.mark.parametrize("quantity", ["7", "7.0"])
def test_a_key_has_the_length_that_it_may_have_over_http(quantity: str) -> None:
    heading = "phone_number,category,quantity,occurred_at,source,event_id"
    outcomes = []
    for source, event_id in ((64, 128), (65, 1), (1, 129)):
        row = f"0969786985,SMS,{quantity},2026-11-23T06:00:00Z,{'s' * source},{'e' * event_id}"
        first = f"0969786985,SMS,1,2026-11-23T06:00:00Z,s,e\n{row}"
        [batch] = file_of(f"{heading}\n{first}\n".encode()).batches(5)
        last = batch.reported[-1]
        assert last.event_id == "e" * event_id
        outcomes.append(last.quantity if isinstance(last, UsageReport) else None)
    assert outcomes == [7, None, None]


def test_a_row_that_lacks_the_column_of_a_condition_is_a_fault() -> None:
    rows = [record(1), record(2, note="y"), record(3).removesuffix(",x")]
    [batch] = file_of(lines(*rows).encode(), only={"note": frozenset({"x"})}).batches(5)
    assert [isinstance(each, UsageReport) for each in batch.reported] == [True, False]
    assert batch.others == 1


@given(
    st.lists(
        st.sampled_from(["Ana", "Pepe, el", 'say "hi"', "two\nlines", "Ñandú", "", "x\r\ny"]),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([",", ";", "\t"]),
)
def test_a_file_as_csv_writes_it_is_read_whole(notes: list[str], end: str, delimiter: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(HEADING.split(","))
    for number, note in enumerate(notes, start=1):
        writer.writerow([*record(number).split(",")[:-1], note])
    assert read(out.getvalue()) == list(range(1, len(notes) + 1))


@given(st.lists(st.text(alphabet='ab",;\n\r\t\x00é#', max_size=40), max_size=4))
def test_rows_of_any_letters_leave_the_others_alone(noise: list[str]) -> None:
    """Each bad row stands between two good ones; those are counted, or are refused aloud, never missed."""
    rows = [part for index, text in enumerate(noise) for part in (record(index * 2 + 1), text)]
    quantities = read(lines(*rows, record(99)))
    expected = [*range(1, 2 * len(noise), 2), 99]
    counted = [quantity for quantity in quantities if quantity is not None]
    missed = len(expected) - len(counted)
    assert counted == [quantity for quantity in expected if quantity in counted]
    assert missed <= quantities.count(None)
