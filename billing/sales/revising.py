"""Revising the terms of a period that was sold, because they were wrong (docs/lines.md)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from msgspec.structs import replace

from billing.models import Invoice
from billing.rating import RatingInputs, Used
from billing.rating.facts import PricedPeriod, facts_of, price_periods
from billing.sales.periods import LIMITS, DiscountsGiven, set_limits
from billing.sales.prepaid import settle_prepaid
from customers.lifecycle import complete_step, lock_for
from customers.models import TERMS, LineStep, Subscription, TermsRevision
from telcox.common.database.locking import lock_row
from telcox.common.errors import DomainError, Unprocessable
from telcox.common.money import amount_refusal
from usage import broadcast

# Fields of a sold period that can be revised.
REVISABLE = ("plan_name", *TERMS)


@transaction.atomic
def revise_terms(
    *,
    subscription: Subscription,
    why: str,
    terms: Mapping[str, Any] | None = None,
    discounts_as_entered: bool = False,
    pack_prices: Mapping[int, Decimal] | None = None,
    at: datetime,
    by: str = "",
) -> TermsRevision:
    """Revise what a period was sold on: `terms` by field (REVISABLE); the discounts, as they are entered now
    for its first day; the prices of its packs, by their keys, in dollars.

    A period that waits for its invoice is billed on the new terms. An issued invoice does not change: credit
    it with `bill_again`, and the next billing bills the new terms. What a prepaid period paid too much or too
    little is settled with its wallet now, if it has no invoice yet.

    Raise Unprocessable if a value is invalid or the reason is missing; DomainError if nothing would change,
    the period has a draft, what it handed on to the next period would change, the line was changed meanwhile,
    or a prepaid line's wallet is short.
    """
    if not why.strip():
        raise Unprocessable(_("Say why the terms are revised"), reason="no_reason_given")
    line = lock_for(line=subscription.line, step=LineStep.REVISE_TERMS)
    period = lock_row(Subscription, subscription.pk)
    period.line = line
    in_force = Invoice.objects.in_force().filter(subscription=period).select_related("series").first()
    if in_force and in_force.is_draft:
        raise DomainError(
            _("The period has a draft, calculated on its present terms: discard it first"),
            reason="draft_exists",
        )
    [before] = facts_of([period], at=at)
    _set_terms(period, terms or {})
    if discounts_as_entered:
        given = DiscountsGiven([period.customer_id])
        period.discounts = given.of(period.customer_id, period.plan_id, period.start_at)
    _set_pack_prices(period, pack_prices or {})
    [after] = facts_of([period], at=at)
    if sold_terms(before) == sold_terms(after):
        raise DomainError(_("These are the terms it has: nothing would change"), reason="nothing_revised")
    _require_same_rollover(period, before, after)
    set_limits(period, after.granted())
    period.changes += 1
    period.save(update_fields=[*REVISABLE, *LIMITS, "discounts", "changes"])
    revision = TermsRevision.objects.create(
        subscription=period,
        at=at,
        by=by,
        why=why.strip(),
        before=sold_terms(before),
        after=sold_terms(after),
        invoice=(in_force and in_force.full_number) or "",
    )
    complete_step(
        line=line, step=LineStep.REVISE_TERMS, at=at, by=by, subscription=period, detail=why.strip()[:200]
    )
    if period.unbilled:
        settle_prepaid(price_periods([period], at=at), at=at, by=by)
    transaction.on_commit(lambda: broadcast.publish({line.phone_number}))
    return revision


def sold_terms(facts: RatingInputs) -> dict[str, Any]:
    """Return what a revision can change of a period's rating inputs, as JSON."""
    changes = facts.changes
    kept: dict[str, Any] = msgspec.to_builtins(
        {"terms": facts.terms, "discounts": changes.discounts, "packs": sorted(changes.packs)}
    )
    return kept


def price_before_and_after(revision: TermsRevision, *, at: datetime) -> tuple[PricedPeriod, PricedPeriod]:
    """Return the revised period with its price on the terms from before, and on its present ones."""
    [now] = price_periods([revision.subscription], at=at)
    facts = on_terms(now.facts, revision.before)
    return PricedPeriod(now.period, facts, facts.rate()), now


def on_terms(facts: RatingInputs, sold: Mapping[str, Any]) -> RatingInputs:
    """Return the rating inputs with terms, discounts and packs as a revision keeps them."""
    kept = {**msgspec.to_builtins(facts), "terms": sold["terms"]}
    kept["changes"] = {**kept["changes"], "discounts": sold["discounts"], "packs": sold["packs"]}
    return msgspec.convert(kept, RatingInputs, strict=False)


def _set_terms(period: Subscription, terms: Mapping[str, Any]) -> None:
    for name, value in terms.items():
        if name not in REVISABLE:
            raise Unprocessable(_("“%s” is no term of a period") % name, reason="unknown_term")
        setattr(period, name, value)
    try:
        period.clean_fields(exclude={field.name for field in period._meta.fields} - set(REVISABLE))
        period.validate_constraints()
    except ValidationError as error:
        raise Unprocessable(" ".join(error.messages), reason="invalid_terms") from error


def _set_pack_prices(period: Subscription, prices: Mapping[int, Decimal]) -> None:
    packs = {pack.pk: pack for pack in period.packs.filter(pack__isnull=False)}
    for key, price in prices.items():
        if key not in packs:
            raise Unprocessable(_("The period has no such pack"), reason="unknown_pack")
        if price and (refusal := amount_refusal(price)):
            raise refusal
        packs[key].price = price
        packs[key].save(update_fields=["price"])


def _require_same_rollover(period: Subscription, before: RatingInputs, after: RatingInputs) -> None:
    """Raise DomainError if the next period would have got another rollover on the new terms: it may be used
    up, and billed, already."""
    if period.is_last:
        return
    cut = period.expiration_at < period.cycle_end_at
    for used in (before.used, Used()):
        over = [replace(facts, used=used).carried_over(cut=cut) for facts in (before, after)]
        if over[0] != over[1]:
            raise DomainError(
                _("The next period got its rollover by the terms from before: allowances cannot be revised"),
                reason="terms_carried_over",
            )
