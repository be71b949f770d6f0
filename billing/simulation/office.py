"""Random steps of customers and staff: sales, suspensions, money, prices."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from billing.invoicing.drafting import discard_draft, draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Discount, Invoice, InvoiceSeries, Payment, PaymentMethod
from billing.sales.holders import change_holder
from billing.sales.renewal import renew_line
from billing.sales.services import (
    activate_subscription,
    buy_pack,
    cancel_plan_change,
    change_plan,
    schedule_end,
    schedule_plan_change,
    terminate_line,
)
from billing.settling.crediting import credit_invoice, remaining_lines
from billing.settling.paying import receive_payment, reverse_payment
from billing.simulation.world import KnownLine, World
from billing.wallets import adjust_wallet, top_up
from customers.catalogue import revise_plan
from customers.models import Line, Pack, Plan, SuspensionReason
from customers.services import resume_line, suspend_line
from telcox.common.calendar import local_date
from telcox.common.errors import DomainError, NotFound

Step = Callable[[datetime], None]

_STAFF = ("ana", "luis")


class Office:
    """Take random steps; count them, and the refusals by reason. `others` are steps that are taken beside the
    office's own, with their weights."""

    def __init__(self, world: World, others: Mapping[Step, int]) -> None:
        self._world, self._random = world, world.random
        self.taken: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self._suspended: list[KnownLine] = []
        self._idle: list[KnownLine] = []
        self._drafts: list[Invoice] = []
        self._payments: list[Payment] = []
        self._bought: tuple[KnownLine, Pack] | None = None
        self._paid_in: tuple[KnownLine, Decimal, str] | None = None
        self._picked: KnownLine | None = None
        self._steps: dict[Step, int] = {
            self._top_up: 26,
            self._buy_pack: 16,
            self._change_plan: 11,
            self._schedule_change: 8,
            self._cancel_change: 2,
            self._suspend: 9,
            self._resume: 9,
            self._terminate: 1,
            self._schedule_end: 2,
            self._sell: 4,
            self._change_holder: 3,
            self._pay: 6,
            self._reverse: 2,
            self._credit: 2,
            self._draft: 2,
            self._settle_draft: 2,
            self._adjust: 1,
            self._revise_plan: 1,
            self._discount: 1,
            **others,
        }

    def step(self, at: datetime) -> None:
        [step] = self._random.choices(list(self._steps), weights=list(self._steps.values()))
        self._take(step, at)

    def open_line(self, at: datetime) -> None:
        """Open a line, top it up if it is prepaid, and sell its first plan."""
        line = self._world.new_line()
        if line.prepaid:
            self._take(lambda at: self._top_up_line(line, at, first=True), at, name="top_up")
        self._take(lambda at: self._activate(line, at), at, name="activate")

    def _take(self, step: Step, at: datetime, name: str = "") -> None:
        name = name or step.__name__.strip("_")
        try:
            step(at)
        except DomainError as refusal:
            self.refused[name, refusal.reason] += 1
            if refusal.reason == "line_terminated" and self._picked in self._world.living:
                self._world.living.remove(self._picked)
        else:
            self.taken[name] += 1

    def _known(self) -> KnownLine:
        """Return a random line: usually one in use, sometimes a terminated one."""
        lines = self._world.living if self._random.random() < 0.98 else self._world.lines
        if not lines:
            raise NotFound("There is no line yet", reason="nothing_there")
        self._picked = self._random.choice(lines)
        return self._picked

    def _line(self, known: KnownLine) -> Line:
        return Line.objects.get(pk=known.pk)

    def _by(self) -> str:
        return self._random.choice(_STAFF)

    # --- Sales ---

    def _activate(self, known: KnownLine, at: datetime) -> None:
        plan = self._world.first_plan(known)
        try:
            activate_subscription(line=self._line(known), plan=plan, at=at, by=self._by())
        except DomainError:
            self._idle.append(known)
            raise

    def _sell(self, at: datetime) -> None:
        """Sell a plan to a line that has none, or to any line."""
        waiting = self._idle and self._random.random() < 0.7
        known = self._idle.pop(0) if waiting else self._known()
        activate_subscription(
            line=self._line(known), plan=self._world.first_plan(known), at=at, by=self._by()
        )

    def _plan_for(self, known: KnownLine) -> Plan:
        """Return a random plan, usually of the line's product type."""
        mobile = known.mobile if self._random.random() < 0.97 else not known.mobile
        return self._random.choice(self._world.offered(mobile=mobile))

    def _change_plan(self, at: datetime) -> None:
        known = self._known()
        change_plan(line=self._line(known), plan=self._plan_for(known), at=at)

    def _schedule_change(self, at: datetime) -> None:
        known = self._known()
        schedule_plan_change(line=self._line(known), plan=self._plan_for(known), at=at)

    def _cancel_change(self, at: datetime) -> None:
        waiting = Line.objects.filter(plan_changes__is_pending=True).order_by("pk")
        lines = list(waiting[:20])
        cancel_plan_change(line=self._random.choice(lines) if lines else self._line(self._known()), at=at)

    def _change_holder(self, at: datetime) -> None:
        """Give a line to another customer, usually with what is on its wallet."""
        change_holder(
            line=self._line(self._known()),
            customer=self._random.choice(self._world.customers),
            why="Cesión",
            at=at,
            by=self._by(),
            with_balance=self._random.random() < 0.8,
        )

    def _buy_pack(self, at: datetime) -> None:
        """Buy a pack; now and then repeat the last purchase, or use its reference for another one."""
        known, pack = self._known(), self._random.choice(self._world.packs)
        reference, draw = f"pack-{self.taken['buy_pack']}", self._random.random()
        if self._bought and draw < 0.12:
            reference = f"pack-{self.taken['buy_pack'] - 1}"
            if draw < 0.09:
                known, pack = self._bought
        sale = buy_pack(line=self._line(known), pack=pack, reference=reference, at=at)
        if sale.repeated:
            raise DomainError("Bought before", reason="repeated")
        self._bought = known, pack

    # --- States ---

    def _suspend(self, at: datetime) -> None:
        known = self._known()
        suspend_line(
            line=self._line(known), reason=self._random.choice(SuspensionReason.values), at=at, by=self._by()
        )
        self._suspended.append(known)

    def _resume(self, at: datetime) -> None:
        waiting = self._suspended and self._random.random() < 0.95
        known = self._random.choice(self._suspended) if waiting else self._known()
        if waiting:
            self._suspended.remove(known)
        resume_line(line=self._line(known), at=at, by=self._by())

    def _terminate(self, at: datetime) -> None:
        known = self._known()
        terminate_line(line=self._line(known), at=at, by=self._by())
        if known in self._world.living:
            self._world.living.remove(known)

    def _schedule_end(self, at: datetime) -> None:
        schedule_end(line=self._line(self._known()), at=at)

    # --- Money ---

    def _top_up(self, at: datetime) -> None:
        """Top up a line, usually a prepaid one."""
        prepaid = [line for line in self._world.living if line.prepaid]
        known = self._random.choice(prepaid) if prepaid and self._random.random() < 0.85 else self._known()
        self._picked = known
        self._top_up_line(known, at)
        if self._random.random() < 0.5:
            renew_line(line=self._line(known), at=at)

    def _top_up_line(self, known: KnownLine, at: datetime, *, first: bool = False) -> None:
        """Top up a wallet; now and then repeat the last top-up under its reference."""
        amount = Decimal(
            self._random.choice(["20.00", "30.00", "50.00"] if first else ["5.00", "20.00", "40.00"])
        )
        reference = f"top-up-{self.taken['top_up']}"
        if self._paid_in and self._random.random() < 0.05:
            known, amount, reference = self._paid_in
        done = top_up(
            line=self._line(known),
            amount=amount,
            method=PaymentMethod.EFECTIVO,
            reference=reference,
            at=at,
            by=self._by(),
            staff=True,
        )
        if done.repeated:
            raise DomainError("Topped up before", reason="repeated")
        self._paid_in = known, amount, reference

    def _adjust(self, at: datetime) -> None:
        adjust_wallet(
            line=self._line(self._known()),
            amount=Decimal(self._random.choice(["-3.00", "1.01", "2.50"])),
            reference=f"adjustment-{self.taken['adjust']}",
            at=at,
            by=self._by(),
        )

    def _pay(self, at: datetime) -> None:
        """Pay an invoice in full, in part, or too much."""
        invoice = self._document()
        share = self._random.choice(["1", "1", "1", "0.5", "1.1"])
        payment = receive_payment(
            invoice=invoice,
            amount=(invoice.outstanding * Decimal(share)).quantize(Decimal("0.01")) or Decimal(1),
            payment_method=PaymentMethod.TRANSFERENCIA,
            reference=f"payment-{self.taken['pay']}",
            at=at,
        ).payment
        self._payments.append(payment)

    def _reverse(self, at: datetime) -> None:
        """Reverse a payment; now and then one that is reversed already, is a reversal, or came from a
        wallet."""
        payment = self._random.choice(self._payments) if self._payments else None
        if self._random.random() < 0.1:
            payment = self._document().payments.first()
        if payment is None:
            raise NotFound("Nothing was paid yet", reason="nothing_there")
        reversal = reverse_payment(payment=payment, why="Sin fondos", at=at, by=self._by())
        if self._random.random() < 0.1:
            self._payments.append(reversal)

    def _credit(self, at: datetime) -> None:
        """Credit a whole document, perhaps to bill it again, or parts of some of its lines."""
        invoice = self._document()
        if self._random.random() < 0.4:
            again = self._random.random() < 0.5
            credit_invoice(invoice=invoice, why="Anulada", at=at, by=self._by(), bill_again=again)
            return
        amounts = {
            position: (left.amounts.amount * self._random.choice([1, 3, 10]) / 10).quantize(Decimal("0.01"))
            for position, left in remaining_lines(invoice).items()
            if left.amounts.amount and self._random.random() < 0.8
        }
        credit_invoice(invoice=invoice, why="Reclamo", amounts=amounts, at=at, by=self._by())

    def _document(self) -> Invoice:
        """Return a random issued document; now and then a credit note."""
        notes = self._random.random() < 0.03
        prefix = settings.CREDIT_NOTE_SERIES if notes else settings.INVOICE_SERIES
        last = InvoiceSeries.objects.get(prefix=prefix).last_number
        if not last:
            raise NotFound("There is no such document yet", reason="nothing_there")
        return Invoice.objects.get(series__prefix=prefix, number=self._random.randint(1, last))

    def _draft(self, at: datetime) -> None:
        """Draft an invoice before the period ends, perhaps with a discount."""
        period = self._line(self._known()).subscriptions.current().first()
        if period is None:
            raise NotFound("The line has no period", reason="nothing_there")
        discount = Decimal(self._random.choice(["0", "0", "2.00", "50.00"]))
        invoice = draft_invoice(subscription=period, at=at, discount=discount)
        if self._random.random() < 0.5:
            issue_invoice(invoice=invoice, at=at)
        else:
            self._drafts.append(invoice)

    def _settle_draft(self, at: datetime) -> None:
        if not self._drafts:
            raise NotFound("There is no draft", reason="nothing_there")
        invoice = self._drafts.pop(self._random.randrange(len(self._drafts)))
        if self._random.random() < 0.5:
            issue_invoice(invoice=invoice, at=at)
        else:
            discard_draft(invoice=invoice)

    # --- Prices ---

    def _revise_plan(self, at: datetime) -> None:
        plan = Plan.objects.get(pk=self._random.choice(self._world.plans).pk)
        factor = Decimal(self._random.choice(["0.95", "1.03", "1.07"]))
        plan.price = (plan.price * factor).quantize(Decimal("0.01"))
        plan.data_bytes = plan.data_bytes * self._random.choice([100, 100, 105]) // 100
        revise_plan(plan=plan, at=at, by=self._by())

    def _discount(self, at: datetime) -> None:
        draw, day = self._random, local_date(at)
        customers = self._world.customers
        customer = draw.choice(customers) if customers and draw.random() < 0.7 else None
        plan = draw.choice(self._world.plans) if customer is None or draw.random() < 0.3 else None
        percent, amount = draw.choice(
            [("5", "0"), ("12.5", "0"), ("0", "3.00"), ("0", "40.00"), ("60", "1.05")]
        )
        Discount.objects.create(
            name=f"Descuento {self.taken['discount']}",
            percent=Decimal(percent),
            amount=Decimal(amount),
            plan=plan,
            customer=customer,
            valid_from=day,
            valid_until=day + timedelta(days=draw.choice([10, 45, 200])),
        )
