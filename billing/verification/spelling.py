"""Verify that no phone number and no identity is stored twice, in two spellings."""

from collections.abc import Callable, Iterator
from typing import Any

from billing.verification.faults import Fault
from customers.models import Customer, IdentityKind, Line
from telcox.common.identity import InvalidIdentity, identity_number, is_cedula
from telcox.common.phone import InvalidPhoneNumber, national_number

# Rows read together.
AT_ONCE = 5000


def spelling_faults() -> Iterator[Fault]:
    yield from _faults(Line.objects.all(), "phone_number", "line", national_number)
    yield from _faults(Customer.objects.all(), "dni", "customer", identity_number)
    cards = Customer.objects.filter(identity_kind=IdentityKind.CEDULA).order_by("pk")
    for dni in cards.values_list("dni", flat=True).iterator(AT_ONCE):
        if not is_cedula(dni):
            yield Fault(f"customer {dni}", "it is called a cédula, and its check digit is wrong")


def _faults(rows: Any, field: str, noun: str, normal_form: Callable[[str], str]) -> Iterator[Fault]:
    """Yield a fault for each row whose field is not in its normal form. There are few: a number is unique,
    and forms have stored the normal form since there is one."""
    odd: dict[str, str] = {}
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", field)[:AT_ONCE]):
        last = batch[-1][0]
        for key, stored in batch:
            try:
                normal = normal_form(stored)
            except (InvalidPhoneNumber, InvalidIdentity):
                yield Fault(f"{noun} {stored}", "its number cannot be one")
                continue
            if normal == stored:
                continue
            # Some collations find the row itself, because they ignore capitals and blanks at the end.
            if rows.filter(**{field: normal}).exclude(pk=key).exists():
                yield Fault(f"{noun} {stored}", f"it is stored twice: as {normal}, too")
            elif normal in odd:
                yield Fault(f"{noun} {stored}", f"it is stored twice: as {odd[normal]}, too")
            else:
                odd[normal] = stored
                yield Fault(f"{noun} {stored}", f"it is not found by its number, which is {normal}")
