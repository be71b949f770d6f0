from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class BackofficeSite(admin.AdminSite):
    """The operator's own back-office."""

    site_header = _("TelcoX back-office")
    site_title = "TelcoX"
    index_title = _("Customers, usage and bills")
