"""Phone numbers of the operator's country: one normal form, whichever way a number is written.

The normal form is the national one, `0969786985`: it is what is stored, searched for and shown. A numbering
plan says which numbers a country has; Ecuador's is in use until `use_numbering_plan` is called with
another.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from telcox.common.characters import plain_characters

_PLAN = re.compile(r"[1-9][0-9]{0,2} +(?:[0-9]{1,4}|-)(?: +(?:[0-9x]|\[[0-9-]+\])+)+")


class NumberingPlan(NamedTuple):
    """A country's telephone numbers: country code, trunk prefix (may be empty), and the shapes of its
    national significant numbers, in which `x` is any digit."""

    country_code: str
    trunk: str
    shapes: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "NumberingPlan":
        """Return the plan written as `593 0 [2-7]xxxxxxx 9xxxxxxxx`; `-` for a country without a trunk
        prefix.

        Raise ValueError.
        """
        written = _PLAN.fullmatch(text.strip())
        if written is None:
            raise ValueError(f"not a numbering plan, such as {ECUADOR}: {text}")
        country_code, trunk, *shapes = written[0].split()
        trunk = "" if trunk == "-" else trunk
        return cls(country_code, trunk, tuple(shapes))


# Ecuador: ITU-T E.164 country code 593; a national number is the trunk prefix 0, then an area code from 2
# to 7 with seven digits, or a mobile number of nine digits that begins with 9. Source: Plan Técnico
# Fundamental de Numeración (ARCOTEL); ITU, “National Numbering Plans”, Ecuador.
ECUADOR = "593 0 [2-7]xxxxxxx 9xxxxxxxx"


class InvalidPhoneNumber(ValueError):
    """The text cannot be a phone number. (A valid number without a line is not this error.)"""


class _Forms(NamedTuple):
    """Regular expressions of one plan."""

    plan: NumberingPlan
    normal: re.Pattern[str]
    international: re.Pattern[str]
    without_trunk: re.Pattern[str]
    in_text: re.Pattern[str]


def _forms(plan: NumberingPlan) -> _Forms:
    code, trunk, gap = plan.country_code, plan.trunk, r"[ .()-]{0,2}"
    # Each shape as a list of what its digits may be.
    shapes = [re.findall(r"\[[^]]*\]|.", shape.replace("x", "[0-9]")) for shape in plan.shapes]
    significant, spread = ("|".join(between.join(shape) for shape in shapes) for between in ("", gap))
    shortest, longest = min(map(len, shapes)), max(map(len, shapes))
    front = rf"(?:(?:\+|00)?{code}{gap}(?:{trunk})?" + (rf"|{trunk})" if trunk else "|)")
    return _Forms(
        plan,
        normal=re.compile(f"{trunk}(?:{significant})"),
        # Any digits of a possible length, also those of no shape: they are some number of this country.
        international=re.compile(
            rf"(?:\+|00)?{code}(?:{trunk})?([1-9][0-9]{{{shortest - 1},{longest - 1}}})"
        ),
        without_trunk=re.compile(significant),
        in_text=re.compile(rf"(?<![0-9+]){front}{gap}(?:{spread})(?![0-9])"),
    )


_IN_USE = _forms(NumberingPlan.parse(ECUADOR))
_is_normal = _IN_USE.normal.fullmatch
_is_international = _IN_USE.international.fullmatch
_trunk = _IN_USE.plan.trunk

# A number as people write it, with blanks, dots, dashes and brackets: (02) 234-5678, +593 (0)96 978 6985.
# `tel:` is RFC 3966's. Two marks may follow each other, as in `) `.
_WRITTEN = re.compile(r"(?:tel:)?([+(]{0,2} ?[0-9](?:[ .()-]{0,3}[0-9])*)", re.IGNORECASE)
_MARKS = re.compile(r"[ .()-]")
# Digits that no shape of the plan fits: 5 to 15, which is E.164's limit.
_DIGITS = re.compile(r"[0-9]{5,15}")


def use_numbering_plan(text: str) -> None:
    """Use this plan (`NumberingPlan.parse`) in this process from now on. Raise ValueError."""
    global _IN_USE, _is_normal, _is_international, _trunk
    _IN_USE = _forms(NumberingPlan.parse(text))
    _trunk = _IN_USE.plan.trunk
    _is_normal, _is_international = _IN_USE.normal.fullmatch, _IN_USE.international.fullmatch


def national_number(text: str) -> str:
    """Return the normal form, `0969786985`, of `0969786985`, `+593969786985`, `00593 96-978-6985`,
    `+593 (0)96 978 6985`, `969786985` and so on.

    Digits that fit no shape of the plan are kept unchanged, if they are written without marks and are 5 to 15
    (E.164's limit): no line has such a number, but they could be one. A number of another country cannot.

    Raise InvalidPhoneNumber.
    """
    # The two forms in which networks send numbers, and then other digits without marks.
    if _is_normal(text):
        return text
    if match := _is_international(text):
        return _trunk + match[1]
    if _DIGITS.fullmatch(text):
        return _trunk + text if _IN_USE.without_trunk.fullmatch(text) else text
    return _read(text)


def _read(text: str) -> str:
    """Return the normal form of a number with marks or other characters. Raise InvalidPhoneNumber."""
    plain = plain_characters(text)
    if plain != text and _DIGITS.fullmatch(plain):
        return national_number(plain)
    written = _WRITTEN.fullmatch(plain)
    if written is None:
        raise _invalid()
    digits = _MARKS.sub("", written[1])
    if match := _is_international(digits):
        return _trunk + match[1]
    if _is_normal(digits):
        return digits
    if _IN_USE.without_trunk.fullmatch(digits):
        return _trunk + digits
    raise _invalid()


def subscriber_number(text: str) -> str:
    """Return the normal form of a number that a line of this country can have.

    Raise InvalidPhoneNumber, also for digits that fit no shape of the numbering plan.
    """
    number = national_number(text)
    if not _is_normal(number):
        raise _invalid()
    return number


def searched_number(text: str) -> str | None:
    """Return the digits to search for, if the text could be a number, or a part of one: `0969786985` for
    `+593 96 978 6985`, `096978` for `096-978` or `+593 96 978`. Return None for other texts."""
    try:
        return national_number(text)
    except InvalidPhoneNumber:
        pass
    written = _WRITTEN.fullmatch(plain_characters(text))
    if written is None:
        return None
    digits, code = _MARKS.sub("", written[1]), _IN_USE.plan.country_code
    for front in (f"+{code}", f"00{code}"):
        if digits.startswith(front):
            return _trunk + digits.removeprefix(front)
    return digits.removeprefix("+")


def phone_numbers_in(text: str) -> Iterator[str]:
    """Yield, in normal form, the numbers of this country in a text, with or without marks between their
    digits. A number must begin with the trunk prefix or the country code: bare digits may be anything."""
    for found in _IN_USE.in_text.finditer(plain_characters(text)):
        try:
            yield subscriber_number(found[0])
        except InvalidPhoneNumber:
            continue


def _invalid() -> InvalidPhoneNumber:
    return InvalidPhoneNumber("Input should be a phone number of 5 to 15 digits")
