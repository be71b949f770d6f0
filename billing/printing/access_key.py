"""Access key of a document: printed on it, and contained in its QR code."""

import re
from datetime import date

_SERIES = re.compile(r"([0-9]{3})-([0-9]{3})")
_RUC = re.compile(r"[0-9]{13}")
_SEQUENCES = 10**9

# Tax authority's codes: production environment, normal issue.
_PRODUCTION, _NORMAL = "2", "1"


def access_key(*, day: date, kind: str, tax_id: str, series: str, number: int, seal: str) -> str | None:
    """Return the 49 digits of Ecuador's “clave de acceso”: day, kind (01 invoice, 04 credit note), the
    issuer's RUC, environment, series, number, a code of 8 digits, kind of emission, check digit. The code is
    derived from the seal, so a document has one key only, and it cannot be guessed.

    Return None if the series is not like 001-001, the RUC has not 13 digits, or the number has more than 9.
    Source: SRI, “Ficha técnica: emisión de comprobantes electrónicos, método de autorización offline”,
    version 2.32 (October 2025), 5.2 with table 1; tables 2 to 4 for emission, document and environment.
    """
    establishment = _SERIES.fullmatch(series)
    if establishment is None or not _RUC.fullmatch(tax_id) or not 0 < number < _SEQUENCES:
        return None
    code = int(seal, 16) % 10**8
    document = f"{''.join(establishment.groups())}{number:09d}"
    digits = f"{day:%d%m%Y}{kind}{tax_id}{_PRODUCTION}{document}{code:08d}{_NORMAL}"
    return digits + check_digit(digits)


def check_digit(digits: str) -> str:
    """Return the check digit, modulo 11 (same source, 5.2, with an example): multiply the digits, from the
    last to the first, by 2, 3, 4, 5, 6, 7, 2, …; subtract the remainder of their sum divided by 11 from 11;
    write 11 as 0, and 10 as 1."""
    total = sum(int(digit) * (2 + place % 6) for place, digit in enumerate(reversed(digits)))
    rest = 11 - total % 11
    return {11: "0", 10: "1"}.get(rest, str(rest))
