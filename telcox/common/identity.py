"""Numbers that identify persons and companies in Ecuador: cédula, RUC and passport, in one normal form."""

import re

from stdnum.ec import ci, ruc

from telcox.common.characters import plain_characters

# What may stand between the digits of a number: 092966884-6, 179.206.034-6001.
_MARKS = re.compile(r"[ .-]")
_NORMAL = re.compile(r"[0-9A-Z]+")
_CEDULA = re.compile(r"[0-9]{10}")
# Province 01 to 24, 30 or 50 (Ecuadorians abroad), and a third digit of a person (0 to 6) or of a company
# or public body (6, 9).
_RUC = re.compile(r"(?:0[1-9]|1[0-9]|2[0-4]|30|50)[0-69][0-9]{10}")
_PASSPORT = re.compile(r"(?=.*[0-9])[0-9A-Z]{5,13}")


class InvalidIdentity(ValueError):
    """The text cannot be the number of an identity document."""


def identity_number(text: str) -> str:
    """Return the normal form, in which an identity is stored: digits and capital letters only.

    Raise InvalidIdentity.
    """
    number = _MARKS.sub("", plain_characters(text)).upper()
    if not _NORMAL.fullmatch(number):
        raise InvalidIdentity("An identity number consists of digits and letters from A to Z")
    return number


def has_form_of_cedula(number: str) -> bool:
    return _CEDULA.fullmatch(number) is not None


def is_cedula(number: str) -> bool:
    """Return whether the number is a cédula: ten digits with a province, and a check digit (modulo 10).
    Source: Registro Civil, Ley Orgánica de Gestión de la Identidad y Datos Civiles; algorithm as in
    python-stdnum."""
    return has_form_of_cedula(number) and ci.is_valid(number)


def has_form_of_ruc(number: str) -> bool:
    """Return whether the number can be a RUC: thirteen digits, of which the last three number an
    establishment.

    It need not have a check digit that fits: the SRI has assigned RUCs of companies without regard to
    modulo 11 (SRI, comunicado on the change of the generation of RUCs), and recommends not to check it.
    """
    return _RUC.fullmatch(number) is not None and not number.endswith("000")


def has_check_digit_of_ruc(number: str) -> bool:
    return has_form_of_ruc(number) and ruc.is_valid(number)


def has_form_of_passport(number: str) -> bool:
    """Return whether the number can be a passport's: 5 to 13 digits and letters, at least one of them a
    digit."""
    return _PASSPORT.fullmatch(number) is not None


def searched_identity(text: str) -> str | None:
    """Return the normal form to search for if the text could be the number of an identity, or None."""
    if not any(character.isdigit() for character in text):
        return None
    try:
        return identity_number(text)
    except InvalidIdentity:
        return None
