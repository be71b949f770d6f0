"""Search for documents by what is printed on them: number, or access key."""

import re
from functools import reduce
from operator import or_

from django.db.models import Q

from billing.bank.matching import Series, clues_in
from billing.models import InvoiceSeries
from billing.printing.access_key import check_digit
from telcox.common.characters import plain_characters

# Day, kind, RUC and environment; establishment, emission point and number; code, emission and check digit.
_ACCESS_KEY = re.compile(r"[0-9]{24}([0-9]{3})([0-9]{3})([0-9]{9})[0-9]{10}")
# The last part of a printed number: 000000163.
_SEQUENCE = re.compile(r"[0-9]{9}")


def documents_named(text: str, document: str = "") -> Q | None:
    """Return the condition for the documents whose printed number or access key is in the text, or whose
    number ends in all of it, or None.
    `document` is the lookup that leads to the document: `invoice__`."""
    every = list(InvoiceSeries.objects.all())
    plain = plain_characters(text)
    found = clues_in(plain, [Series(each.pk, each.prefix, each.pattern) for each in every]).documents
    named = [Q(**{f"{document}series": series, f"{document}number": number}) for series, number in found]
    key = _ACCESS_KEY.fullmatch(re.sub(r"\s", "", plain))
    if key and check_digit(key[0][:-1]) == key[0][-1]:
        of_key = {"series__prefix": f"{key[1]}-{key[2]}", "number": int(key[3])}
        named.append(Q(**{document + lookup: value for lookup, value in of_key.items()}))
    if _SEQUENCE.fullmatch(plain):
        named.append(Q(**{f"{document}number": int(plain)}))
    return reduce(or_, named) if named else None
