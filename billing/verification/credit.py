"""Verify that credit on wallets is set off against what is due, and by what is recorded for it."""

from collections.abc import Iterator, Sequence

from django.db.models import Exists, OuterRef, Subquery

from billing.models import EntryKind, Invoice, Payment, PaymentMethod, Wallet, WalletEntry
from billing.models.owed import beside_credit
from billing.verification.faults import Fault, faults_in_batches

_SET_OFFS = Payment.objects.filter(payment_method=PaymentMethod.SALDO_A_FAVOR)
# The last set-off of an invoice is a reversal: a clerk has put the money back, and no run was since.
_PUT_BACK = Subquery(
    _SET_OFFS.filter(invoice=OuterRef("pk")).order_by("-pk").values("reverses")[:1],
)
_BESIDE_CREDIT = beside_credit().annotate(put_back=_PUT_BACK).filter(put_back=None)
_ENTRIES = WalletEntry.objects.filter(kind=EntryKind.SET_OFF)
# A payment that was reversed, or a set-off, has taken money that the wallet did not have.
_BELOW_ZERO = Wallet.objects.filter(
    Exists(
        WalletEntry.objects.filter(
            wallet=OuterRef("pk"), payment__isnull=False, amount__lt=0, balance_after__lt=0
        )
    ),
    balance_usd__lt=0,
)


def credit_faults() -> Iterator[Fault]:
    """Yield each open invoice beside credit that pays it; each entry of a set-off that is not what its
    payment says; and each wallet that is below zero by a payment that was reversed.

    That a set-off has its entry is verified with its invoice (money.py).
    """
    yield from faults_in_batches(_BESIDE_CREDIT.select_related("series"), _not_set_off)
    yield from faults_in_batches(
        _ENTRIES.select_related("payment__invoice__subscription", "wallet__line"), _of_another_payment
    )
    yield from faults_in_batches(_BELOW_ZERO.select_related("line"), _below_zero)


def _not_set_off(invoices: Sequence[Invoice]) -> Iterator[Fault]:
    for invoice in invoices:
        yield Fault(
            f"invoice {invoice}",
            "it is open beside credit on its line's wallet, which was not set off",
        )


def _of_another_payment(entries: Sequence[WalletEntry]) -> Iterator[Fault]:
    for entry in entries:
        payment, line = entry.payment, entry.wallet.line
        assert payment is not None  # by a constraint
        period = payment.invoice.subscription
        if (
            not payment.is_set_off
            or payment.reverses_id
            or payment.amount != -entry.amount
            or (period is None or period.line_id != line.pk)
        ):
            yield Fault(
                f"wallet of {line}",
                f"entry {entry.position}: a set-off of {-entry.amount}, and its payment {payment} is none of "
                "the line's over this amount",
            )


def _below_zero(wallets: Sequence[Wallet]) -> Iterator[Fault]:
    for wallet in wallets:
        yield Fault(
            f"wallet of {wallet.line}",
            f"its balance is {wallet.balance_usd} by a payment that was reversed after its money was spent",
        )
