from django.db import migrations
from django.utils import timezone

AT_ONCE = 500


def open_wallets(apps, schema_editor):
    """What is in a wallet becomes its first entry."""
    Wallet = apps.get_model("billing", "Wallet")
    WalletEntry = apps.get_model("billing", "WalletEntry")
    at, last = timezone.now(), 0
    while wallets := list(Wallet.objects.filter(pk__gt=last).exclude(balance_usd=0).order_by("pk")[:AT_ONCE]):
        WalletEntry.objects.bulk_create(
            WalletEntry(
                wallet=wallet,
                position=1,
                kind="ADJUSTMENT",
                amount=wallet.balance_usd,
                balance_after=wallet.balance_usd,
                reference=f"opening-{wallet.pk}",
                description="Saldo inicial",
                at=at,
            )
            for wallet in wallets
        )
        last = wallets[-1].pk


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0006_wallet_entries'),
    ]

    operations = [
        migrations.RunPython(open_wallets, migrations.RunPython.noop),
    ]
