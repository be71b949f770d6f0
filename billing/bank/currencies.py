"""Currencies as banks name them. No database, no clock, no settings.

Codes are those of ISO 4217, as far as they occur in statements; USD is 840 in numbers.
"""

import re
from functools import lru_cache

from billing.bank.wording import words

# The dollar, as it stands beside an amount. `$` alone is the dollar: it is the currency of Ecuador.
DOLLAR = r"US\$|U\$S|USD|U\.S\.D\.|\$"
_DOLLAR_WORDS = words(
    "usd us u s d 840 dolar dolares dollar dollars estadounidense estadounidenses americano americanos de "
    "los estados unidos america united states of"
)
CODES = words(
    "aed ars aud bob brl cad chf clp cny cop crc czk dkk dop eur gbp gtq hkd hnl huf idr ils inr jpy krw kzt "
    "mxn myr nio nok nzd pab pen php pln pyg ron rub sar sek sgd thb try twd uah uyu ves vnd zar btc usdt"
)
# A cell of its own that is one of these names a currency, whatever its column is called.
CODE_CELLS = frozenset({*(code.upper() for code in CODES), "€", "£", "EURO", "EUROS", "Euro", "Euros"})
_NAMES = words(
    "euro euros peso pesos sol soles libra libras pound pounds sterling yen yenes franco francos real reales "
    "bolivar bolivares boliviano bolivianos guarani guaranies sucre sucres"
)
_SIGNS = re.compile(
    r"[€£¥₡₲₴₩₹₽₿₺฿]|\bS/|\bBs\b|\bR\$|\b(?:A|C|CA|AU|NZ|HK|S|MX|COL?|AR|CL)\$", re.IGNORECASE
)


@lru_cache(maxsize=1024)
def is_foreign(text: str) -> bool:
    """Return whether the text names a currency that is not the US dollar: `Importe (EUR)`, `25,30 €`."""
    named = re.findall(r"[^\W\d_]+", text.casefold())
    return bool(_SIGNS.search(text)) or any(word in CODES or word in _NAMES for word in named)


@lru_cache(maxsize=1024)
def is_dollar(text: str) -> bool:
    """Return whether a cell says US dollars, and nothing else."""
    named = re.findall(r"[^\W\d_]+|[0-9]+", text.casefold().replace("ó", "o").replace("$", " usd "))
    return bool(named) and all(word in _DOLLAR_WORDS for word in named)
