"""Rating inputs, read from the database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from msgspec.structs import replace

from billing.models import TaxRate
from billing.models.prices import same_tax
from billing.rating.late_use import late_use
from billing.rating.rules import Rated, RatingInputs
from billing.rating.used import UNUSED, usage_of_periods
from billing.rating.values import Allowance, Changes, Discount, LateUse, Pack, Span, Terms
from customers.models import TERMS, SoldPack, Subscription, Suspension, SuspensionReason
from telcox.common.calendar import local_date
from telcox.common.database.prepared import PreparedQuery
from telcox.common.errors import DomainError

NOTHING = Allowance()
NONE_LATE: Mapping[int, Sequence[LateUse]] = {}


class TaxRates:
    """The tax rates that are entered, as of any day."""

    def __init__(self) -> None:
        rates = TaxRate.objects.order_by("-valid_from", "pk")
        self._rates = list(rates.values_list("valid_from", "rate", "name"))
        self._on: dict[date, Decimal] = {}

    def on(self, day: date) -> Decimal:
        """Return the tax rate on `day`. Raise DomainError if none is known for it, or more than one tax: a
        bill has one tax, and which of them it is must not be guessed."""
        if day not in self._on:
            self._on[day] = self._find(day)
        return self._on[day]

    def _find(self, day: date) -> Decimal:
        valid = [each for each in self._rates if each[0] <= day]
        if not valid:
            raise DomainError(
                _("No tax rate is entered for the day: enter one in the back-office"), reason="no_tax_rate"
            )
        since, rate, _name = valid[0]
        names = {same_tax(name): name for _since, _rate, name in valid}
        if len(names) > 1:
            raise DomainError(
                _("More than one tax is entered: %s. Only one can be charged: delete the others")
                % ", ".join(sorted(names.values())),
                reason="several_taxes",
            )
        if len(valid) > 1 and valid[1][0] == since:
            raise DomainError(
                _("Two tax rates are entered for the same day: delete one of them"), reason="several_taxes"
            )
        return rate


def terms_of(row: Any, plan_name: str) -> Terms:
    """Return the terms of a Subscription, Plan or PlanRevision."""
    return _terms(plan_name, *[getattr(row, field) for field in TERMS])


@lru_cache(maxsize=1024)
def _terms(plan_name: str, *values: Any) -> Terms:
    """Return one object for all periods that were sold on the same terms."""
    return Terms(plan_name=plan_name, **dict(zip(TERMS, values, strict=True)))


def span_of(period: Subscription) -> Span:
    return Span(
        local_date(period.start_at),
        local_date(period.expiration_at),
        local_date(period.cycle_start_at),
        local_date(period.cycle_end_at),
    )


def carried_in(period: Subscription) -> Allowance:
    return Allowance(period.carried_in_bytes, period.carried_in_minutes, period.carried_in_sms)


class PricedPeriod(NamedTuple):
    """Priced period: a period, its rating inputs, and its price."""

    period: Subscription
    facts: RatingInputs
    rated: Rated


def price_periods(periods: Sequence[Subscription], *, at: datetime) -> list[PricedPeriod]:
    """Return these periods priced, with the late usage that they are charged for. Raise DomainError as
    `facts_of`."""
    facts = facts_of(periods, at=at, late=late_use(periods, at=at))
    return [PricedPeriod(period, each, each.rate()) for period, each in zip(periods, facts, strict=True)]


def facts_of(
    periods: Sequence[Subscription], *, at: datetime, late: Mapping[int, Sequence[LateUse]] = NONE_LATE
) -> list[RatingInputs]:
    """Return the rating inputs of each of these periods as of `at`: the days to its end, and the usage so
    far. Periods may be unsaved. `late` is the late usage of earlier periods that they are charged for, by
    primary key: it matters for their price only.

    The number of queries does not depend on the number of periods. Raise DomainError if no tax rate is known
    for a period's day.
    """
    used = usage_of_periods(_saved(periods))
    tax_rates = TaxRates()
    packs = _packs(periods, tax_rates)
    carried_out = _carried_out(periods)
    lost = _lost_days(periods, at)
    return [
        RatingInputs(
            terms=terms_of(period, period.plan_name),
            used=used.get(period.pk, UNUSED).amounts,
            usage_version=used.get(period.pk, UNUSED).version,
            span=span_of(period),
            changes=Changes(
                packs=tuple(packs.get(period.pk, ())),
                lost=_within(period, lost.get(period.line_id, ())),
                carried_in=carried_in(period),
                carried_out=carried_out.get(period.pk, NOTHING),
                discounts=tuple(_discount(each) for each in period.discounts),
                # A limit of 0 stands for none.
                spend_limit=period.spend_limit or None,
                prepaid=period.prepaid,
                late=tuple(late.get(period.pk, ())),
            ),
            tax_rate=tax_rates.on(_tax_day(period, at)),
        )
        for period in periods
    ]


def _tax_day(period: Subscription, at: datetime) -> date:
    """Return the day whose tax rate applies: for a prepaid period the day on which it begins and is paid; for
    others its last day, however late it is billed, or the day of `at` if the period has not ended.

    IVA falls due with the service or its payment (Ecuador, Ley de Régimen Tributario Interno, art. 61 no. 2),
    and for services that are supplied from period to period when the period is fulfilled (no. 6).
    """
    last_moment = period.expiration_at - timedelta(microseconds=1)
    return local_date(period.start_at if period.prepaid else min(at, last_moment))


def _saved(periods: Sequence[Subscription]) -> list[int]:
    return [period.pk for period in periods if period.pk]


def _packs(periods: Sequence[Subscription], tax_rates: TaxRates) -> dict[int, list[Pack]]:
    """Return the packs of these periods. A pack of a prepaid period is paid, and so taxed, on the day on
    which it is bought; others are paid with the period's bill."""
    prepaid = {period.pk: local_date(period.start_at) for period in periods if period.prepaid}
    found = defaultdict(list)
    for period, bought_at, *sold in (row.values() for row in _sold_packs(periods=_saved(periods))):
        pack = Pack(*sold)
        if pack.price and period in prepaid:
            rate = tax_rates.on(local_date(bought_at))
            if rate != tax_rates.on(prepaid[period]):
                pack = replace(pack, tax_rate=rate)
        found[period].append(pack)
    return found


def require_same_tax(period: Subscription, kept: RatingInputs, *, at: datetime) -> None:
    """Raise DomainError if a draft of this period, calculated from `kept`, has other tax rates than it would
    have if it were drafted at `at`: the tax day has moved since, or the rates were corrected."""
    [now] = facts_of([period], at=at)
    packs = [sorted(facts.changes.packs) for facts in (now, kept)]
    if now.tax_rate != kept.tax_rate or packs[0] != packs[1]:
        raise DomainError(
            _("The draft has another tax rate than its day: discard it, and draft it again"),
            reason="tax_rate_changed",
        )


def _carried_out(periods: Sequence[Subscription]) -> dict[int, Allowance]:
    """Return what went from each of these periods to the next one, of its allowance and of its packs."""
    ended = [period.pk for period in periods if period.pk and not period.is_last]
    if not ended:
        return {}
    out: defaultdict[int, Allowance] = defaultdict(Allowance)
    carried = Subscription.objects.filter(renewed_from__in=ended).order_by()
    left_of_packs = SoldPack.objects.filter(carried_from__in=ended).order_by()
    for period, *amounts in (
        *carried.values_list("renewed_from", "carried_in_bytes", "carried_in_minutes", "carried_in_sms"),
        *left_of_packs.values_list("carried_from", "data_bytes", "voice_minutes", "sms"),
    ):
        out[period] += Allowance(*amounts)
    return out


def _lost_days(periods: Sequence[Subscription], at: datetime) -> dict[int, list[tuple[date, date]]]:
    """Return the suspensions by the operator, by line. Ends are exclusive; an open one counts until `at`."""
    found = defaultdict(list)
    for row in _taken_by_operator(lines={period.line_id for period in periods}):
        start_at, end_at = row["start_at"], row["end_at"]
        found[row["line"]].append((local_date(start_at), local_date(end_at or max(at, start_at))))
    return found


def _within(period: Subscription, lost: Sequence[tuple[date, date]]) -> tuple[tuple[date, date], ...]:
    """Return these days; of a period that was cut short without those after the cut, which are the next
    period's: what happens later does not change its price."""
    if period.expiration_at == period.cycle_end_at:
        return tuple(lost)
    end = local_date(period.expiration_at)
    return tuple((first, min(resumed, end)) for first, resumed in lost if first < end)


def _discount(sold: dict[str, str]) -> Discount:
    return Discount(name=sold["name"], percent=Decimal(sold["percent"]), amount=Decimal(sold["amount"]))


# --- Queries that run for every period that is sold, rated or billed ---


@PreparedQuery
def _sold_packs(periods: Any) -> QuerySet[SoldPack, Any]:
    sold = SoldPack.objects.filter(subscription__in=periods)
    return sold.values("subscription", "bought_at", "name", "price", "data_bytes", "voice_minutes", "sms")


@PreparedQuery
def _taken_by_operator(lines: Any) -> QuerySet[Suspension, Any]:
    suspended = Suspension.objects.filter(line__in=lines, reason=SuspensionReason.OPERATOR)
    return suspended.order_by("start_at").values("line", "start_at", "end_at")
