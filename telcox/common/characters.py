"""Characters that look alike: the one that is meant.

Texts are copied from web pages, messengers and spreadsheets, which write other blanks, dashes and digits than
a keyboard does, and characters that show nothing at all.
"""

# Zero-width and other format characters (Unicode's general category Cf, and the invisible ones of others):
# soft hyphen, marks of direction, joiners, byte order mark, variation selectors.
_INVISIBLE = (
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x2800, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10),
)
_BLANKS = (0x0009, 0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
_DASHES = (*range(0x2010, 0x2016), 0x2043, 0x2212, 0xFE58, 0xFE63)
# Full-width forms of the visible ASCII characters, in the order of these.
_FULL_WIDTH = range(0xFF01, 0xFF5F)

_MEANT = {
    **dict.fromkeys(_INVISIBLE),
    **dict.fromkeys(_BLANKS, " "),
    **dict.fromkeys(_DASHES, "-"),
    **{wide: chr(wide - 0xFEE0) for wide in _FULL_WIDTH},
}


def plain_characters(text: str) -> str:
    """Return the text with ASCII's blank, hyphen and full-width characters, and without invisible ones.
    Blanks at its ends are dropped."""
    return text.translate(_MEANT).strip()


# All of them but the joiner and the variation selectors, which make one visible letter of two.
_NEVER_SEEN = {each: None for each in _INVISIBLE if each not in (0x200D, *range(0xFE00, 0xFE10))}


def without_invisible(text: str) -> str:
    """Return a name or a sentence without the characters that show nothing, and that keep it from being
    found."""
    return text.translate(_NEVER_SEEN)
