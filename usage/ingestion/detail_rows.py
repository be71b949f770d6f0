"""Read the rows of a CSV file (RFC 4180) so that no row costs another one.

Each line is decoded and split by itself. A quoted cell may go on in the next lines; where that is not certain
(a quotation mark was never closed), the line is a row of its own, and so are the lines after it.
"""

import csv
import gzip
import io
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

# The longest line, in characters, and the most lines of one row.
LINE_MAX = 64 * 1024
ROW_LINES_MAX = 50

UNCLOSED = "A quotation mark is not closed, or is not at the end of its cell"
TOO_LONG = f"The line is longer than {LINE_MAX} characters"

# How spreadsheets are told that a number is text: ="0969786985".
_TEXT_OF_EXCEL = re.compile(r'\s*="([^"]*)"\s*')

_GZIP = b"\x1f\x8b"
_LINE_ENDS = ("\n", "\r")


@dataclass(slots=True)
class Row:
    """The cells of a row, none if it is blank. `fault` says why they may not be what the sender meant.
    `is_utf8` is false if the row was read as Windows-1252."""

    cells: list[str]
    fault: str = ""
    is_utf8: bool = True


def text_of(file: io.BufferedReader) -> TextIO:
    """Return the file's text, decompressed while it is read if the file is gzip, whatever its name.

    Lines end at LF, CRLF or CR. Without the byte order mark of UTF-16 each character is a byte, and
    DetailRows decodes each line, so that a byte that is not text costs no other line.
    """
    inflated: Any = gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == _GZIP else file
    if inflated.peek(2)[:2] in (BOM_UTF16_LE, BOM_UTF16_BE):
        return io.TextIOWrapper(inflated, encoding="utf-16", errors="replace", newline="")
    return io.TextIOWrapper(inflated, encoding="latin-1", newline="")


class DetailRows:
    """The rows of a text, blank ones included. `delimiter` stands between the cells, and `width` is their
    usual number; the reader of the heading sets both."""

    def __init__(self, text: TextIO) -> None:
        self.delimiter, self.width = ",", 0
        self._text = text
        self._has_bytes = text.encoding == "latin-1"
        self._put_back: deque[str] = deque()

    def __iter__(self) -> Iterator[Row]:
        delimiter = self.delimiter
        while raw := self._raw_line():
            line, is_utf8 = (raw, True) if raw.isascii() else self._decoded(raw)
            if len(raw) >= LINE_MAX and not raw.endswith(_LINE_ENDS):
                self._skip_line()
                yield Row([line], TOO_LONG, is_utf8)
            elif '"' in line:
                cells = self._split([line], line) if line.count('"') % 2 == 0 else None
                yield Row(cells, "", is_utf8) if cells else self._quoted(line, is_utf8)
            elif bare := line.strip():
                yield Row(line.rstrip("\r\n").split(delimiter) if bare else [], "", is_utf8)
            else:
                yield Row([])

    def line(self) -> str:
        """Return the next line as text; at the end, an empty text."""
        raw = self._raw_line()
        if len(raw) >= LINE_MAX and not raw.endswith(_LINE_ENDS):
            self._skip_line()
        return self._decoded(raw)[0]

    def peek(self) -> str:
        """Return the next line as text, and leave it."""
        raw = self._raw_line()
        self._put_back.appendleft(raw)
        return self._decoded(raw)[0]

    def _raw_line(self) -> str:
        return self._put_back.popleft() if self._put_back else self._text.readline(LINE_MAX)

    def _skip_line(self) -> None:
        while (part := self._raw_line()) and not part.endswith(_LINE_ENDS):
            pass

    def _decoded(self, raw: str) -> tuple[str, bool]:
        """Return a line's text, and whether it was UTF-8. Files that were joined have byte order marks in the
        middle."""
        if not self._has_bytes:
            return raw.removeprefix("\ufeff"), True
        line = raw.encode("latin-1").removeprefix(BOM_UTF8)
        try:
            return line.decode(), True
        except UnicodeDecodeError:
            return line.decode("cp1252", "replace"), False

    def _quoted(self, line: str, is_utf8: bool) -> Row:
        """Split a line whose quotation marks are not all closed, together with the lines in which its last
        cell goes on."""
        row = self._continued(line, is_utf8) if line.count('"') % 2 else None
        return row or Row(line.rstrip("\r\n").split(self.delimiter), UNCLOSED, is_utf8)

    def _continued(self, line: str, is_utf8: bool) -> Row | None:
        """Return the row whose quoted cell goes on in the next lines. Return None, and leave these lines, if
        one of them could be a row by itself: nothing is swallowed on a guess."""
        joined, taken = line, list[str]()
        while len(taken) < ROW_LINES_MAX and (raw := self._raw_line()):
            taken.append(raw)
            text, was_utf8 = self._decoded(raw)
            joined, is_utf8 = joined + text, is_utf8 and was_utf8
            closes = text.count('"') % 2 == 1
            if self._may_be_a_row(text) and (not closes or self._may_be_a_row(line)):
                break
            if closes:
                cells = self._split(io.StringIO(joined, newline=""), joined)
                if cells and len(cells) == self.width:
                    return Row(cells, "", is_utf8)
                break
        self._put_back.extendleft(reversed(taken))
        return None

    def _may_be_a_row(self, line: str) -> bool:
        return line.count(self.delimiter) + 1 >= self.width

    def _split(self, lines: Iterable[str], text: str) -> list[str] | None:
        """Return the cells of a row, a text of these lines, whose quotation marks are all closed."""
        try:
            [cells] = csv.reader(lines, delimiter=self.delimiter, strict=True)
        except (csv.Error, ValueError):
            return None
        if '="' not in text:
            return cells
        return [found[1] if (found := _TEXT_OF_EXCEL.fullmatch(cell)) else cell for cell in cells]
