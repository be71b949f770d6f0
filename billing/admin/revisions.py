"""Admin pages of revisions of sold terms, with the form that makes one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import balance_of, bill_shown, wallet_movement
from billing.sales.revising import REVISABLE, price_before_and_after, revise_terms
from customers.models import SoldPack, Subscription, TermsRevision
from telcox.common.office.admin import CappedPaginator, is_key
from telcox.common.office.previews import TriedOut

PACK = "pack_"
_FIELDS = {field.name: field for field in Subscription._meta.fields}


class RevisionForm(forms.ModelForm):
    why = forms.CharField(label=_("Why"), max_length=200, widget=AdminTextInputWidget)
    discounts_as_entered = forms.BooleanField(
        label=_("Discounts as they are entered now"),
        required=False,
        help_text=_("Instead of those that the period was sold with: for its first day, as they are entered"),
    )


@admin.register(TermsRevision)
class TermsRevisionAdmin(TriedOut):
    """Revisions of sold terms. The form is opened from the subscription's page (`?subscription=`), and then
    has the terms and pack prices of the period."""

    form = RevisionForm
    asks = ("subscription", "why", "discounts_as_entered")
    autocomplete_fields = ("subscription",)
    list_display = ("at", "subscription", "why", "by", "invoice")
    list_select_related = ("subscription__line",)
    search_fields = ("subscription__line__phone_number", "by")
    search_help_text = _("Phone number or user")
    paginator = CappedPaginator
    ordering = ("-id",)
    fieldsets = ((None, {"fields": ("subscription", ("at", "by"), "why", "invoice", "revised")}),)
    readonly_fields = ("revised",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj:
            return super().get_form(request, obj, change, **kwargs)
        form = super().get_form(request, obj, change, fields=("subscription", "why"))
        if period := _named(request):
            form.base_fields["subscription"].widget = forms.HiddenInput()
            form.base_fields.update(self._fields_of(request, period))
        return form

    def _fields_of(self, request: HttpRequest, period: Subscription) -> dict[str, forms.Field]:
        fields = {}
        for name in REVISABLE:
            field: Any = self.formfield_for_dbfield(_FIELDS[name], request)
            field.initial = getattr(period, name)
            fields[name] = field
        for pack in period.packs.filter(pack__isnull=False).order_by("pk"):
            field = self.formfield_for_dbfield(SoldPack._meta.get_field("price"), request)
            field.label, field.initial = pack.name, pack.price
            fields[f"{PACK}{pack.pk}"] = field
        return fields

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj or not (period := _named(request)):
            return fieldsets
        terms = {
            "fields": tuple(self._fields_of(request, period)),
            "description": _(
                "For a full period. An invoice that was issued does not change: credit it, and have the "
                "period billed again."
            ),
        }
        return [(str(period), fieldsets[0][1]), (_("Sold terms"), terms)]

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return revise_terms(
            subscription=given["subscription"],
            why=given["why"],
            terms={name: given[name] for name in REVISABLE if given.get(name) is not None},
            discounts_as_entered=given["discounts_as_entered"],
            pack_prices={
                int(name.removeprefix(PACK)): price
                for name, price in given.items()
                if name.startswith(PACK) and price is not None
            },
            at=at,
            by=by,
        )

    def try_out(self, given: dict[str, Any], at: datetime, by: str) -> dict[str, Any]:
        line = given["subscription"].line
        balance = balance_of(line)
        revision = self.make(given, at, by)
        assert isinstance(revision, TermsRevision)
        titles = (_("On the terms from before"), _("On the revised terms"))
        prices = price_before_and_after(revision, at=at)
        return {
            "bills": [
                bill_shown(bill.facts, bill.rated, str(title))
                for title, bill in zip(titles, prices, strict=True)
            ],
            "charged": wallet_movement(line, balance),
        }

    def given_again(self, posted: Mapping[str, str]) -> dict[str, str]:
        terms = {
            name: value
            for name, value in posted.items()
            if name in REVISABLE or name.startswith(PACK) or name == "discounts_as_entered"
        }
        return {**super().given_again(posted), **terms}

    @admin.display(description=_("revised"))
    def revised(self, revision: TermsRevision) -> str:
        return format_html_join("", "<div>{}: {} → {}</div>", _differences(revision)) or "—"


def _named(request: HttpRequest) -> Subscription | None:
    """Return the period from whose page the form was opened, or None."""
    key = request.POST.get("subscription") or request.GET.get("subscription")
    return Subscription.objects.filter(pk=key).select_related("line").first() if is_key(key) else None


def _differences(revision: TermsRevision) -> list[tuple[Any, Any, Any]]:
    """Return what was revised: its label, and its value before and after."""
    before, after = revision.before, revision.after
    found = [
        (_FIELDS[name].verbose_name, before["terms"].get(name), after["terms"].get(name))
        for name in REVISABLE
    ]
    found.append((_("discounts"), _discounts(before), _discounts(after)))
    found.append((_("packs"), _packs(before), _packs(after)))
    return [(label, old, new) for label, old, new in found if old != new]


def _discounts(sold: Mapping[str, Any]) -> str:
    return (
        ", ".join(f"{each['name']} {each['percent']} % {each['amount']}" for each in sold["discounts"]) or "—"
    )


def _packs(sold: Mapping[str, Any]) -> str:
    return ", ".join(f"{each['name']} {each['price']}" for each in sold["packs"]) or "—"
