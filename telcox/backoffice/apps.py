from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class BackofficeConfig(AppConfig):
    name = "telcox.backoffice"
    verbose_name = _("Back-office")
    default = True


class AdminConfig(admin_apps.AdminConfig):
    """Django's admin with BackofficeSite instead of its own site."""

    default = False
    default_site = "telcox.backoffice.site.BackofficeSite"
