"""Allowances of a period: what is included, and what is used up. Pure functions, as in
billing/rating/rules.py."""

from billing.rating.values import Allowance, Changes, Span, Terms, Used


def included_allowance(terms: Terms, span: Span) -> Allowance:
    """Return the plan's allowance, prorated for the days of the span. Days lost to a suspension do not reduce
    it."""
    first, last, days = span.offset(span.start), span.offset(span.end), span.days

    def part(whole: int) -> int:
        return whole * last // days - whole * first // days

    return Allowance(part(terms.data_bytes), part(terms.voice_minutes), part(terms.sms))


def granted_allowance(terms: Terms, span: Span, changes: Changes) -> Allowance:
    """Return the total allowance: of the plan, rolled over from the previous period, and of packs."""
    return included_allowance(terms, span) + changes.carried_in + of_packs(changes)


def usable_allowance(terms: Terms, span: Span, changes: Changes) -> Allowance:
    """Return the total allowance less what has already gone to the next period."""
    return granted_allowance(terms, span, changes) - changes.carried_out


def used_allowance(terms: Terms, used: Used) -> Allowance:
    """Return how much of the allowance is used up. A started minute counts as a whole one."""
    return Allowance(rated_bytes(terms, used), started_units(used.voice_seconds, 60), used.sms)


def of_packs(changes: Changes) -> Allowance:
    total = Allowance()
    for pack in changes.packs:
        total += Allowance(pack.data_bytes, pack.voice_minutes, pack.sms)
    return total


def rated_bytes(terms: Terms, used: Used) -> int:
    """Return the data of the categories that are not zero-rated, in bytes."""
    return (
        (0 if terms.zero_rated_social else used.social_bytes)
        + (0 if terms.zero_rated_entertainment else used.entertainment_bytes)
        + (0 if terms.zero_rated_system_updates else used.system_updates_bytes)
        + (0 if terms.zero_rated_navigation_search else used.navigation_search_bytes)
    )


def started_units(quantity: int, per: int) -> int:
    """Return the number of started units, rounded up."""
    return -(-quantity // per)
