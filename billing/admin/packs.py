"""Admin pages of packs, and of the packs that were sold."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import balance_of, bills_shown, wallet_movement
from billing.sales.services import buy_pack
from customers.admin import ActsOnLine, LineStepForm
from customers.models import Line, Pack, SoldPack, Subscription
from telcox.common.calendar import local_date
from telcox.common.office.admin import CappedPaginator, OfficeAdmin, ReadOnlyInline, Search, link_to
from telcox.common.office.forms import GigabytesField
from telcox.common.office.previews import TriedOut


class PackForm(forms.ModelForm):
    data_bytes = GigabytesField(label=_("Data"), initial=0, help_text=_("In GB"))


@admin.register(Pack)
class PackAdmin(OfficeAdmin):
    """Packs of the catalogue. Editing one does not change the packs that were sold."""

    form = PackForm
    save_as = True
    list_display = ("name", "code", "product_type", "price", "data", "voice_minutes", "sms", "sold_now")
    list_filter = ("on_sale", "product_type")
    search_fields = ("name", "code")
    prepopulated_fields = {"code": ("name",)}
    fieldsets = (
        (None, {"fields": ("name", "code", "product_type", "price")}),
        (_("On sale"), {"fields": ("on_sale", ("on_sale_from", "on_sale_until"))}),
        (
            _("Contents"),
            {
                "fields": ("data_bytes", "voice_minutes", "sms"),
                "description": _(
                    "A pack is used when the plan's allowance is used up. It ends with the period."
                ),
            },
        ),
    )

    @admin.display(description=_("data"), ordering="data_bytes")
    def data(self, pack: Pack) -> str:
        return filesizeformat(pack.data_bytes)

    @admin.display(description=_("on sale"), boolean=True, ordering="on_sale")
    def sold_now(self, pack: Pack) -> bool:
        return pack.is_on_sale(local_date(timezone.now()))


class BuyPackForm(LineStepForm):
    line = forms.ModelChoiceField(
        Line.objects.all(),
        label=_("Line"),
        widget=Search(Subscription._meta.get_field("line"), admin.site),
    )

    def validate_unique(self) -> None:
        """Do not check the reference: the service does. A form sent twice buys the pack once, and is not an
        error."""


@admin.register(SoldPack)
class SoldPackAdmin(TriedOut, ActsOnLine):
    form = BuyPackForm
    asks = ("line", "pack", "reference")
    fields = (
        "line",
        "subscription",
        "pack",
        "name",
        "price",
        "data",
        "voice_minutes",
        "sms",
        "bought_at",
        "reference",
    )
    autocomplete_fields = ("pack",)
    list_display = ("bought_at", "line", "name", "price", "reference")
    list_filter = ("pack", "bought_at")
    list_select_related = ("subscription__line", "pack")
    search_fields = ("subscription__line__phone_number", "=reference")
    search_help_text = _("Phone number or reference")
    paginator = CappedPaginator

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("line", "data") if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"reference": str(uuid4()), **super().get_changeform_initial_data(request)}

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        sale = buy_pack(line=given["line"], pack=given["pack"], reference=given["reference"], at=at, by=by)
        assert sale.pack is not None
        return sale.pack

    def try_out(self, given: dict[str, Any], at: datetime, by: str) -> dict[str, Any]:
        line = given["line"]
        before = balance_of(line)
        sale = buy_pack(line=line, pack=given["pack"], reference=given["reference"], at=at, by=by)
        return {"bills": bills_shown(sale.bills), "charged": wallet_movement(line, before)}

    @admin.display(description=_("line"), ordering="subscription__line__phone_number")
    def line(self, sold: SoldPack) -> str:
        return link_to(sold.subscription.line)

    @admin.display(description=_("data"))
    def data(self, sold: SoldPack) -> str:
        return filesizeformat(sold.data_bytes)


class SoldPackInline(ReadOnlyInline):
    model = SoldPack
    fk_name = "subscription"
    related = ("subscription__line",)
    fields = ("bought_at", "name", "price", "data", "voice_minutes", "sms", "reference")
    readonly_fields = ("data",)

    @admin.display(description=_("data"))
    def data(self, sold: SoldPack) -> str:
        return filesizeformat(sold.data_bytes)
