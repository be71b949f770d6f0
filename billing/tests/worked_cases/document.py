"""The worked cases as docs/rating.md shows them."""

from decimal import Decimal
from pathlib import Path

from billing.rating import GB, Allowance
from billing.tests.worked_cases import CHAPTERS
from billing.tests.worked_cases.case import Case, Line

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "rating.md"
BEGIN, END = "<!-- worked cases: begin -->\n", "<!-- worked cases: end -->\n"


def with_cases(text: str) -> str:
    """The document with its cases as they are now; what stands around them stays."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{cases()}{END}{after}"


def cases() -> str:
    return "".join(f"### {chapter}\n\n{_table(of_it)}\n" for chapter, of_it in CHAPTERS.items())


def _table(of_it: list[Case]) -> str:
    head = ("what happened", "how it is calculated", "lines", "tax", "total")
    rows = [head, ("---", "---", "---", "---:", "---:"), *map(_row, of_it)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(case: Case) -> tuple[str, ...]:
    notes = []
    if case.includes is not None:
        notes.append(f"Included: {_spoken(case.includes)}.")
    if case.carries is not None:
        notes.append(f"To the next period: {_spoken(case.carries)}.")
    return (
        f"**{case.title}.** {case.happened}",
        "<br>".join([case.reckoned, *notes]),
        "<br>".join(map(_line, case.lines)),
        "<br>".join(str(line.tax) for line in case.lines),
        case.total,
    )


def _line(line: Line) -> str:
    shown = {
        "PLAN": "PLAN",
        "PACK": f"PACK “{line.name}”",
        "DATA": f"DATA {line.quantity} GB × {line.unit_price} =",
        "VOICE": f"VOICE {line.quantity} min × {line.unit_price} =",
        "SMS": f"SMS {line.quantity} × {line.unit_price} =",
    }[line.kind]
    less = f" − {line.discount}" if line.discount else ""
    return f"{shown} {line.amount}{less}"


def _spoken(allowance: Allowance) -> str:
    gigabytes = f"{Decimal(allowance.data_bytes) / GB:.6f}".rstrip("0").rstrip(".")
    return f"{gigabytes} GB, {allowance.voice_minutes} minutes, {allowance.sms} SMS"
