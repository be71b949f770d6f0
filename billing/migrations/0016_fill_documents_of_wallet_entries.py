"""Wallet entries made before they named their payment or credit note by a key get it from their reference.

`payment 17` is of payment 17, or of the reversal with that key; `credit note 17 2` of the second credit note of
invoice 17. The reference stays as it is. Where what is found does not fit the entry (kind, amount, line), or
there is nothing, the migration fails, says of which entries, and changes nothing.
"""

import re
from collections import defaultdict

from django.db import migrations
from django.db.models import Q

ENTRIES_AT_ONCE = 500
# Named in the message; the others are counted.
MOST_NAMED = 20

OF_PAYMENT = re.compile(r"payment ([1-9][0-9]{0,17})\Z")
OF_CREDIT_NOTE = re.compile(r"credit note ([1-9][0-9]{0,17}) ([1-9][0-9]{0,8})\Z")


def fill_documents(apps, schema_editor):
    """The guards were put aside before the migrations began (billing/guards/upkeep.py): entries are frozen."""
    WalletEntry = apps.get_model("billing", "WalletEntry")
    entries = WalletEntry.objects.filter(
        Q(reference__startswith="payment ") | Q(reference__startswith="credit note "),
        payment=None,
        credit_note=None,
    ).select_related("wallet")
    unmatched, last = [], 0
    while chunk := list(entries.filter(pk__gt=last).order_by("pk")[:ENTRIES_AT_ONCE]):
        unmatched += _fill(apps, chunk)
        last = chunk[-1].pk
    if unmatched:
        raise ValueError(_message(unmatched))


def _fill(apps, entries):
    payments, notes = _payments(apps, entries), _credit_notes(apps, entries)
    unmatched = []
    for entry in entries:
        if found := OF_PAYMENT.match(entry.reference):
            key = int(found[1])
            problem = _payment_problem(entry, payments.get(key))
            entry.payment_id = key
        elif found := OF_CREDIT_NOTE.match(entry.reference):
            of_invoice, nth = notes[int(found[1])], int(found[2])
            note = of_invoice[nth - 1] if nth <= len(of_invoice) else None
            problem = _note_problem(entry, note)
            entry.credit_note_id = note and note["pk"]
        else:
            problem = "names no payment and no credit note"
        if problem:
            unmatched.append(f"entry {entry.pk}, “{entry.reference}”: {problem}")
    if not unmatched:
        type(entries[0]).objects.bulk_update(entries, ["payment", "credit_note"], batch_size=500)
    return unmatched


def _payments(apps, entries):
    keys = [int(found[1]) for entry in entries if (found := OF_PAYMENT.match(entry.reference))]
    rows = apps.get_model("billing", "Payment").objects.filter(pk__in=keys)
    columns = ("pk", "to_wallet", "reverses", "invoice__subscription__line")
    return {row["pk"]: row for row in rows.values(*columns)}


def _credit_notes(apps, entries):
    """By the key of their invoice, in the order in which they were made."""
    keys = [int(found[1]) for entry in entries if (found := OF_CREDIT_NOTE.match(entry.reference))]
    rows = apps.get_model("billing", "Invoice").objects.filter(corrects__in=keys).order_by("pk")
    notes = defaultdict(list)
    for row in rows.values("pk", "corrects", "total", "corrects__subscription__line"):
        notes[row["corrects"]].append(row)
    return notes


def _payment_problem(entry, payment):
    if payment is None:
        return "there is no such payment"
    if entry.wallet.line_id != payment["invoice__subscription__line"]:
        return "the payment is for an invoice of another line"
    if payment["reverses"]:
        # Beside what the payment brought, what a credit note has refunded of it since.
        fits = entry.kind == "CHARGE" and -entry.amount >= -payment["to_wallet"]
    else:
        fits = entry.kind == "TOP_UP" and entry.amount == payment["to_wallet"]
    brought = f"{payment['to_wallet']} by the {'reversal' if payment['reverses'] else 'payment'}"
    return None if fits else f"it is a {entry.kind} of {entry.amount}, {brought}"


def _note_problem(entry, note):
    if note is None:
        return "there is no such credit note"
    if entry.wallet.line_id != note["corrects__subscription__line"]:
        return "the credit note is for an invoice of another line"
    fits = entry.kind == "REFUND" and entry.amount <= note["total"]
    return None if fits else f"it is a {entry.kind} of {entry.amount}, the credit note is over {note['total']}"


def _message(unmatched):
    more = f"\n… and {len(unmatched) - MOST_NAMED} more" if len(unmatched) > MOST_NAMED else ""
    return (
        f"{len(unmatched)} wallet entries cannot be matched to the payment or credit note in their reference. "
        "Nothing was changed. `manage.py verify_billing` of the version before says what is wrong with them; "
        "when that is mended, migrate again:\n" + "\n".join(unmatched[:MOST_NAMED]) + more
    )


class Migration(migrations.Migration):
    dependencies = [("billing", "0015_wallet_entries_name_documents")]

    operations = [migrations.RunPython(fill_documents, migrations.RunPython.noop)]
