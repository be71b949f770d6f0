"""The lines of a file as text, and their cells: encodings, line ends, quotes, and what Excel puts around a
text. No database, no clock, no settings."""

import codecs
import csv
import re
import unicodedata
from collections.abc import Iterator

from billing.bank.values import File

# Longest line that is read as one, in bytes or characters.
LINE_MAX = 64 * 1024
# A text in quotes may go on over this many lines.
LINES_OF_A_CELL = 20

_MARKED = (  # UTF-32's mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_END = re.compile(r"\r\n|\n|\r")


def lines_of(file: File) -> Iterator[tuple[int, str]]:
    """Yield the file's lines with their numbers, counted from 1 as an editor does, in constant memory.

    The encoding is the one that the byte order mark names (UTF-8, UTF-16, UTF-32); without a mark UTF-16 if
    every other byte of the first line is zero; else each line is UTF-8 or, if it is not, Windows-1252. So one
    wrong byte does not affect another line.
    """
    first = file.readline(LINE_MAX)
    encoding = next((name for mark, name in _MARKED if first.startswith(mark)), None) or _unmarked(first)
    if encoding:
        lines = _split(file, first, encoding)
    else:  # Latin-1 keeps each byte, so that each line can be decoded on its own
        each = _split(file, first.removeprefix(codecs.BOM_UTF8), "latin-1")
        lines = (_text(line.encode("latin-1")) for line in each)
    return enumerate(lines, start=1)


def _unmarked(first: bytes) -> str | None:
    """Return which UTF-16 the bytes look like, or None. Banks write ASCII for the most part."""
    if len(first) < 8:
        return None
    even, odd = first[0:64:2], first[1:64:2]
    if odd.count(0) > len(odd) * 0.8 and even.count(0) == 0:
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > len(even) * 0.8 and odd.count(0) == 0 else None


def _split(file: File, first: bytes, encoding: str) -> Iterator[str]:
    """Yield the lines. A carriage return alone ends a line, too (old Macs)."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    waiting, piece = "", first
    while piece:
        waiting += decoder.decode(piece)
        held = "\r" if waiting.endswith("\r") else ""  # its line feed may be in the next piece
        *whole, waiting = _LINE_END.split(waiting.removesuffix(held))
        yield from whole
        waiting += held
        if len(waiting) > LINE_MAX:
            yield waiting
            waiting = ""
        piece = file.readline(LINE_MAX)
    waiting += decoder.decode(b"", final=True)
    if waiting := waiting.removesuffix("\r"):
        yield waiting


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def cells_of(line: str, separator: str) -> list[str]:
    """Return the visible text of the line's cells."""
    return parse(line, separator)[0]


def parse(line: str, separator: str) -> tuple[list[str], bool]:
    """Return the visible text of the cells, and whether a quotation mark is still open at the end. Then the
    last cell holds all that follows the mark (RFC 4180 section 2: it may go on in the next line)."""
    visible = line if line.isprintable() else _visible(line, separator)
    [cells] = csv.reader([visible], delimiter=separator, skipinitialspace=True)
    return [_bare(cell) for cell in cells], '"' in visible and _is_open(visible, separator)


def _visible(line: str, separator: str) -> str:
    """Drop characters without a width, and make a blank of any other character that cannot be seen."""
    return "".join(
        [
            each if each == separator or each.isprintable() else " "
            for each in line
            if each.isprintable() or unicodedata.category(each) != "Cf"
        ]
    )


def _is_open(line: str, separator: str) -> bool:
    try:
        list(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


# `="000123"` keeps Excel from making a number of it; `'000123` is how Excel shows a text.
_FORMULA = re.compile(r'="(?P<text>[^"]*)"')


def _bare(cell: str) -> str:
    text = " ".join(cell.split())
    if formula := _FORMULA.fullmatch(text):
        text = formula["text"].strip()
    return text.removeprefix("'")
