"""Wallets."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from billing.models import Wallet
from telcox.common.admin import OfficeAdmin


@admin.register(Wallet)
class WalletAdmin(OfficeAdmin):
    list_display = ("line", "balance_usd", "balance_limit_usd")
    list_select_related = ("line",)
    search_fields = ("line__phone_number", "line__customer__full_name")
    search_help_text = _("Phone number or name")
    autocomplete_fields = ("line",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("line",) if obj else ()
