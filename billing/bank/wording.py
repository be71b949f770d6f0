"""One form of the words that banks use in headings and cells. No database, no clock, no settings."""

import unicodedata


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NUMBER_WORDS = frozenset({"n", "no", "nr", "nro", "num", "number", "numero"})
_LINKS = words("de del la el los las of the y en")


def plain(text: str) -> str:
    """Return `numero documento` for `Número  de documentos:`, `No. documento` and `Nº Documento`: lower case,
    no accents, no punctuation, no words that only link, singular. A text of signs only stays: `+/-`."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    words = "".join([each if each.isalnum() else " " for each in letters if not unicodedata.combining(each)])
    found = [_singular(word) for word in words.split() if word not in _LINKS]
    if not found:
        return "".join(text.split())
    return " ".join("numero" if word in _NUMBER_WORDS and len(found) > 1 else word for word in found)


def _singular(word: str) -> str:
    """Return the singular of a Spanish or English plural: creditos, valores, transacciones, credits."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith("ss"):
        return word
    for plural, singular in (
        ("iones", "ion"),
        ("ores", "or"),
        ("eres", "er"),
        ("ades", "ad"),
        ("ares", "ar"),
    ):
        if word.endswith(plural):
            return word.removesuffix(plural) + singular
    return word.removesuffix("s")


def names(*texts: str) -> frozenset[str]:
    """Return these texts, each in the one form."""
    return frozenset(plain(text) for text in texts)


def listed(texts: str) -> tuple[str, ...]:
    """Return the texts between the commas."""
    return tuple(" ".join(text.split()) for text in texts.split(","))
