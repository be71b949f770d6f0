"""Typesetting of pages with typst: no system library, no system font, no network; equal pages give equal
bytes."""

import logging
import os
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec
import segno

if TYPE_CHECKING:
    import typst

logger = logging.getLogger(__name__)

# A run of dark modules in a row of a QR code.
_DARK = re.compile(rb"\x01+")

TEMPLATE = Path(__file__).with_name("document.typ")

# The compiler caches what it has read and set, and serves one thread at a time.
_one_at_a_time = Lock()


def typeset_page(page: Mapping[str, Any], *, at: datetime) -> bytes:
    """Return the PDF of a page (`printed_page`), whose metadata says that it was made `at`.

    Raise RuntimeError in a process that was forked after its parent had printed.
    """
    if _home() != os.getpid():
        raise RuntimeError("Do not print after a fork from a process that has printed: typst would deadlock")
    source = _source(page)
    with _one_at_a_time:
        pdf = _compiler().compile(source, format="pdf", timestamp=int(at.timestamp()))
    assert isinstance(pdf, bytes)  # a PDF is one file; images would be one per page
    return pdf


def _source(page: Mapping[str, Any]) -> bytes:
    """Return the source to compile: a call of the template with the page as a string. So the template is read
    once. With the page in `sys.inputs`, typst would read it again for each page."""
    qr = _qr(*page["leads_to"]) if page["key"] else ""
    logo = page["logo"] if _is_picture(page["logo"]) else ""
    said = msgspec.json.encode({**page, "qr": qr, "logo": logo})
    quoted = said.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    return b'#import "%b": printed\n#printed(json(bytes("%b")))' % (TEMPLATE.name.encode(), quoted)


@cache
def _home() -> int:
    """Return the id of the first process that printed: typst's threads exist in that process only."""
    return os.getpid()


def _typst() -> Any:
    """Import typst on first use: it takes 18 MB, which only processes that print should load."""
    # A page is too little work to share among threads.
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    import typst

    return typst


@cache
def _compiler() -> "typst.Compiler":
    return _typst().Compiler(root=TEMPLATE.parent, font_paths=_fonts())


@cache
def _fonts() -> "typst.Fonts":
    return _typst().Fonts(include_system_fonts=False)


def _qr(*parts: str) -> str:
    """Return a text as a QR code in SVG; in parts, because digits alone take less than half of the space."""
    # Speed: choosing the most readable mask takes five times as long, and more redundancy gives more to draw;
    # readers cope without. segno's types do not declare that it accepts parts.
    texts: Any = [part for part in parts if part]
    rows = segno.make_qr(texts, error="l", boost_error=False, mask=2).matrix
    # Takes a third of the time of segno's own SVG writer.
    dark = "".join(
        f"M{run.start()} {y}.5h{len(run[0])}" for y, row in enumerate(rows) for run in _DARK.finditer(row)
    )
    size = len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}">'
        f'<path stroke="#000" d="{dark}"/></svg>'
    )


@lru_cache(maxsize=16)
def _is_picture(logo: str) -> bool:
    """Return True if the logo can be printed. A broken logo must not prevent printing."""
    if not logo:
        return False
    source = b'#image(bytes(sys.inputs.logo), format: "svg")'
    try:
        _typst().Compiler(source, font_paths=_fonts()).compile(format="pdf", sys_inputs={"logo": logo})
    except _typst().TypstError:
        logger.warning("the issuer's logo is not an SVG document: printed without the logo")
        return False
    return True
