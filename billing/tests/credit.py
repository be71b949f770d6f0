"""Post-paid lines with credit and open invoices, for the tests of set-off."""

from decimal import Decimal

from billing.daily import run_day
from billing.models import Invoice, Payment, PaymentMethod, Wallet, WalletEntry
from billing.settling.paying import receive_payment
from billing.tests.builders import fresh, moment, sold
from billing.wallets import top_up
from customers.models import Line

D = Decimal
# One month of the plan of the catalogue, tax included.
MONTH = D("20.70")


def invoices(line: Line) -> list[Invoice]:
    """The line's invoices, the oldest first, as they are now."""
    found = Invoice.objects.filter(subscription__line=line, kind="INVOICE")
    return list(found.order_by("pk").select_related("series"))


def billed(line: Line, months: int = 1) -> list[Invoice]:
    """Sell the line its plan from November 2026 on, and bill so many months: 20.70 each."""
    sold(line)
    for month in range(months):
        run_day(at=moment(f"{2026 + (11 + month) // 12}-{(11 + month) % 12 + 1:02}-01 00:05"))
    return invoices(line)


def paid_in(line: Line, amount: str, reference: str = "cash", at: str = "2026-12-02 10:00") -> None:
    """Top up by cash."""
    top_up(
        line=fresh(line),
        amount=D(amount),
        method=PaymentMethod.EFECTIVO,
        reference=reference,
        at=moment(at),
        by="ana",
        staff=True,
    )


def pay(
    invoice: Invoice, amount: str, reference: str, at: str = "2026-12-02 10:00", method: str = "EFECTIVO"
) -> Payment:
    return receive_payment(
        invoice=invoice, amount=D(amount), payment_method=method, reference=reference, at=moment(at)
    ).payment


def set_offs(line: Line) -> list[Payment]:
    """The payments by set-off of the line's invoices, with those that were reversed, in their order."""
    found = Payment.objects.filter(payment_method=PaymentMethod.SALDO_A_FAVOR, reverses=None)
    return list(found.filter(invoice__subscription__line=line).order_by("pk"))


def entries(line: Line) -> list[tuple[str, Decimal]]:
    """The kinds and amounts of the wallet's entries, in their order."""
    found = WalletEntry.objects.filter(wallet__line=line).order_by("position")
    return list(found.values_list("kind", "amount"))


def put_beside(line: Line, amount: str) -> None:
    """Put money on the wallet beside open invoices, as it was before set-off was."""
    wallet, _made = Wallet.objects.get_or_create(line=line)
    WalletEntry.objects.create(
        wallet=wallet,
        position=wallet.entries.count() + 1,
        kind="TOP_UP",
        amount=D(amount),
        balance_after=wallet.balance_usd + D(amount),
        reference=f"old {line.pk}",
        at=moment("2026-12-02"),
    )
    Wallet.objects.filter(pk=wallet.pk).update(balance_usd=wallet.balance_usd + D(amount))
