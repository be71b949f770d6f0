"""Phone numbers of the operator's country, as subscribers write them and as they are stored."""

import re

# Ecuador, ITU-T E.164 country code 593: a national number is "0" and then the national significant number.
_INTERNATIONAL = re.compile(r"\+?593([0-9]{8,9})")
_NATIONAL = re.compile(r"[0-9]{5,15}")


class InvalidPhoneNumber(ValueError):
    """The text cannot be a phone number. (A valid number without a line is not this error.)"""


def national_number(text: str) -> str:
    """Return `0969786985` for `0969786985`, `+593969786985` or `593969786985`.

    A number in none of Ecuador's forms is kept unchanged, if it has 5 to 15 digits (E.164's limit).
    Surrounding blanks are dropped, because an unescaped `+` in a query string arrives as one.

    Raise InvalidPhoneNumber.
    """
    text = text.strip()
    if match := _INTERNATIONAL.fullmatch(text):
        return "0" + match[1]
    if _NATIONAL.fullmatch(text):
        return text
    raise InvalidPhoneNumber("Input should be a phone number of 5 to 15 digits")
