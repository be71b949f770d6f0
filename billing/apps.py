from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        from billing.checks import check_issuer, check_series, check_taxes
        from billing.guards import upkeep

        pre_migrate.connect(upkeep.put_aside, sender=self)
        post_migrate.connect(upkeep.put_back, sender=self)
        register(upkeep.check_guards, Tags.database)
        register(check_issuer, Tags.database)
        register(check_series, Tags.database)
        register(check_taxes, Tags.database)
