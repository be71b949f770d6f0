"""A bank transfer is one movement in the world: it may become several payments or a top-up, or be closed; and
references of money are unique in one form of writing, whichever way the money came in.

What is recorded is entered there: transfers, payments by bank transfer, top-ups by bank transfer. Where two of
them have one reference, the first is; `verify_billing` finds the others.
"""

import re
import unicodedata

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import telcox.common.fields

ROWS_AT_ONCE = 1_000
_DASHES = re.compile("[‐‑‒–—―−﹘﹣]")


def reference_key(reference):
    """As billing.models.references.reference_key was when this migration was written."""
    text = _DASHES.sub("-", unicodedata.normalize("NFKC", reference)).upper()
    text = "".join(each for each in text if not each.isspace() and unicodedata.category(each) != "Cf")
    if re.fullmatch(r"[0-9]+[.,]0+", text):
        text = re.split("[.,]", text)[0]
    key = re.sub(r"(?<=[0-9])[^0-9A-Z]+(?=[0-9])", "-", text)
    key = "".join(each for each in key if each.isalnum() or each == "-")
    key = re.sub(r"(?<![0-9])-+|-+(?![0-9])", "", key)
    if key.isdecimal():
        key = key.lstrip("0")
    return "" if key in ("NA", "SN", "ND", "NULL", "NONE", "LOTE", "VARIOS") or not key.strip("0-") else key[:64]


def enter_references(apps, schema_editor):
    transfers = apps.get_model("billing", "BankTransfer").objects.all()
    _enter(apps, transfers, lambda row: {"transfer_id": row["pk"], "payment_id": row["payment"]}, "payment")
    payments = apps.get_model("billing", "Payment").objects.filter(
        payment_method="TRANSFERENCIA", reverses=None
    )
    _enter(apps, payments, lambda row: {"payment_id": row["pk"]})
    entries = apps.get_model("billing", "WalletEntry").objects.filter(
        kind="TOP_UP", payment=None, description__startswith="Recarga, TRANSFERENCIA"
    )
    _enter(apps, entries, lambda row: {"entry_id": row["pk"]})


def _enter(apps, rows, movement, *columns):
    MoneyReference = apps.get_model("billing", "MoneyReference")
    last = 0
    while chunk := list(
        rows.filter(pk__gt=last).order_by("pk").values("pk", "reference", *columns)[:ROWS_AT_ONCE]
    ):
        MoneyReference.objects.bulk_create(
            (
                MoneyReference(key=key, **movement(row))
                for row in chunk
                # References with a blank are the system's own.
                if " " not in row["reference"] and (key := reference_key(row["reference"]))
            ),
            ignore_conflicts=True,
        )
        last = chunk[-1]["pk"]


def let_wait_again(apps, schema_editor):
    """Going back, a transfer is a payment or waits. Without a payment it waits as refused, and says so."""
    transfers = apps.get_model("billing", "BankTransfer").objects.filter(Q(entry__isnull=False) | ~Q(closed=""))
    transfers.update(entry=None, closed="", problem="REFUSED")


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0020_tax_of_lines_and_months_of_chunks'),
    ]

    operations = [
        migrations.CreateModel(
            name='MoneyReference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', telcox.common.fields.KeyField(max_length=64, unique=True, verbose_name='reference')),
            ],
            options={
                'verbose_name': 'reference of money',
                'verbose_name_plural': 'references of money',
            },
        ),
        migrations.CreateModel(
            name='TransferPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ],
            options={
                'verbose_name': 'part of a bank transfer',
                'verbose_name_plural': 'parts of bank transfers',
            },
        ),
        migrations.RemoveConstraint(
            model_name='banktransfer',
            name='bank_transfer_matched_or_says_why',
        ),
        migrations.AddField(
            model_name='banktransfer',
            name='closed',
            field=models.CharField(blank=True, choices=[('RETURNED', 'Returned to the payer'), ('RECORDED', 'Recorded already, as another movement')], max_length=10, verbose_name='closed'),
        ),
        migrations.AddField(
            model_name='banktransfer',
            name='closed_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='closed on'),
        ),
        migrations.AddField(
            model_name='banktransfer',
            name='closed_by',
            field=models.CharField(blank=True, max_length=150, verbose_name='closed by'),
        ),
        migrations.AddField(
            model_name='banktransfer',
            name='closed_why',
            field=models.CharField(blank=True, max_length=200, verbose_name='why'),
        ),
        migrations.AddField(
            model_name='banktransfer',
            name='entry',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='transfer', to='billing.walletentry', verbose_name='top-up'),
        ),
        migrations.AlterField(
            model_name='banktransfer',
            name='problem',
            field=models.CharField(blank=True, choices=[('NO_INVOICE', 'No invoice found'), ('SEVERAL', 'Matches more than one invoice'), ('NOTHING_OWED', 'Nothing is owed on the invoice'), ('REFUSED', 'The payment was refused'), ('RECORDED', 'A payment or a top-up with this reference is recorded already'), ('REVERSED', 'The payment with this reference was reversed'), ('SPELLED', 'Another transfer has this reference, spelled differently')], max_length=12, verbose_name='problem'),
        ),
        migrations.AddConstraint(
            model_name='banktransfer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed', ''), ('entry', None), ('payment__isnull', False), ('problem', '')), models.Q(('closed', ''), ('entry__isnull', False), ('payment', None), ('problem', '')), models.Q(('entry', None), ('payment', None), ('problem', ''), models.Q(('closed', ''), _negated=True)), models.Q(models.Q(('problem', ''), _negated=True), ('closed', ''), ('entry', None), ('payment', None)), _connector='OR'), name='bank_transfer_settled_or_says_why'),
        ),
        migrations.AddField(
            model_name='moneyreference',
            name='entry',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='references', to='billing.walletentry'),
        ),
        migrations.AddField(
            model_name='moneyreference',
            name='payment',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='references', to='billing.payment'),
        ),
        migrations.AddField(
            model_name='moneyreference',
            name='transfer',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='references', to='billing.banktransfer'),
        ),
        migrations.AddField(
            model_name='transferpart',
            name='payment',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='transfer_part', to='billing.payment'),
        ),
        migrations.AddField(
            model_name='transferpart',
            name='transfer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='parts', to='billing.banktransfer'),
        ),
        migrations.RunPython(enter_references, let_wait_again),
    ]
