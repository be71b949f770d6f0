"""Periods get the holder whom they were billed to, and the spending limit that they are rated with."""

from django.db import migrations
from django.db.models import F, Max, OuterRef, Subquery
from django.db.models.functions import Coalesce

PERIODS_AT_ONCE = 5_000
# The reason of changes that were made by editing the line, before there was a step for them.
BEFORE = "Line edited before changes of holder were kept"


def fill_holders_and_limits(apps, schema_editor):
    """A period that has an invoice in force was held by that invoice's customer. One that is not billed has the
    limit of its line's wallet, with which it would have been billed."""
    Subscription = apps.get_model("customers", "Subscription")
    invoices = apps.get_model("billing", "Invoice").objects.filter(subscription=OuterRef("pk"), in_force=True)
    wallets = apps.get_model("billing", "Wallet").objects.filter(line=OuterRef("line_id"))
    last = Subscription.objects.aggregate(last=Max("pk"))["last"] or 0
    for after in range(0, last, PERIODS_AT_ONCE):
        some = Subscription.objects.filter(pk__gt=after, pk__lte=after + PERIODS_AT_ONCE)
        billed = some.filter(unbilled=None)
        billed.update(customer=Coalesce(Subquery(invoices.values("customer")[:1]), F("customer")))
        agreed = some.filter(unbilled=True, prepaid=False)
        agreed.update(spend_limit=Coalesce(Subquery(wallets.values("balance_limit_usd")[:1]), F("spend_limit")))
    _note_changes(apps)


def _note_changes(apps):
    """Note the changes of holder that this has brought to light, as of the beginning of the new holder's first
    period, or of the end of the last one."""
    Subscription, HolderChange = (apps.get_model("customers", name) for name in ("Subscription", "HolderChange"))
    changed = Subscription.objects.exclude(customer=F("line__customer")).values_list("line", flat=True)
    for line in changed.distinct().order_by("line"):
        periods = Subscription.objects.filter(line=line).select_related("line").order_by("sequence")
        held = [(period.customer_id, period.start_at) for period in periods]
        held.append((periods[0].line.customer_id, max(period.expiration_at for period in periods)))
        for (previous, _from), (customer, at) in zip(held, held[1:]):
            if previous != customer:
                HolderChange.objects.create(
                    line_id=line, previous_id=previous, customer_id=customer, at=at, why=BEFORE
                )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0021_money_is_one_movement"),
        ("customers", "0012_holders_of_periods"),
    ]

    operations = [
        migrations.RunPython(fill_holders_and_limits, migrations.RunPython.noop),
    ]
