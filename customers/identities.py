"""Judge the identity that a clerk enters for a customer."""

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from customers.models import Customer, IdentityKind
from telcox.common.identity import (
    has_check_digit_of_ruc,
    has_form_of_cedula,
    has_form_of_passport,
    has_form_of_ruc,
    is_cedula,
)


class Judged(NamedTuple):
    """The kind that the number is stored with (empty: not verified); why it is refused, or what the clerk
    is to look at although it is accepted."""

    kind: str
    refusal: Any = ""
    doubt: Any = ""


def judge_identity(number: str, kind: str) -> Judged:
    """Judge a number in its normal form. Without a `kind` the number decides: ten digits are a cédula,
    thirteen a RUC, and anything else is refused.

    A cédula always has a check digit: one that was named as a cédula is refused if the digit is wrong. A
    RUC whose check digit is wrong is accepted with a doubt, because the SRI has assigned such numbers
    (`telcox.common.identity`).
    """
    match kind:
        case IdentityKind.CEDULA:
            return Judged(kind, "" if is_cedula(number) else _NOT_A_CEDULA)
        case IdentityKind.RUC:
            if not has_form_of_ruc(number):
                return Judged(kind, _NOT_A_RUC)
            return Judged(kind, doubt="" if has_check_digit_of_ruc(number) else _DOUBTFUL_RUC)
        case IdentityKind.PASSPORT:
            return Judged(kind, "" if has_form_of_passport(number) else _NOT_A_PASSPORT)
    if is_cedula(number):
        return Judged(IdentityKind.CEDULA)
    if has_form_of_ruc(number):
        return judge_identity(number, IdentityKind.RUC)
    if has_form_of_cedula(number):
        return Judged("", doubt=_NOT_VERIFIED % {"why": _NOT_A_CEDULA})
    if len(number) == 13 and number.isdigit():
        return Judged("", doubt=_NOT_VERIFIED % {"why": _NOT_A_RUC})
    return Judged("", _NEITHER)


def same_person(customer: Customer) -> Customer | None:
    """Return another customer whose cédula or RUC begins with the same cédula, or None. A person's RUC is the
    cédula and the number of an establishment."""
    cedula = customer.dni[:10]
    if not is_cedula(cedula):
        return None
    return Customer.objects.filter(dni__startswith=cedula).exclude(pk=customer.pk).first()


_NOT_A_CEDULA = _("This is not a cédula: its check digit or its province is wrong.")
_NOT_A_RUC = _("This is not a RUC: it has 13 digits, begins with a province, and does not end in 000.")
_DOUBTFUL_RUC = _(
    "The check digit of the RUC is wrong. The SRI has assigned such numbers: compare it with the certificate."
)
_NOT_A_PASSPORT = _("The number of a passport has 5 to 13 digits and letters.")
_NEITHER = _("A cédula has 10 digits and a RUC 13. If this is a passport, choose it as the kind.")
_NOT_VERIFIED = _("%(why)s It was saved as not verified: check it before invoices are issued to it.")
