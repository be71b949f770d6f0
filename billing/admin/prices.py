"""Admin pages of tax rates and discounts."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import DecimalField, Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from billing.models import Discount, TaxRate
from telcox.common.calendar import local_date
from telcox.common.office.admin import OfficeAdmin, RowsFilter
from telcox.common.office.forms import NumberField, PercentField


def _like(model: type[Model], name: str) -> dict[str, Any]:
    """Return the arguments of a form field that is like the model's."""
    field = model._meta.get_field(name)
    assert isinstance(field, DecimalField)
    return {
        "label": capfirst(field.verbose_name),
        "help_text": field.help_text,
        "max_digits": field.max_digits,
        "decimal_places": field.decimal_places,
    }


class TaxRateForm(forms.ModelForm):
    rate = NumberField(**_like(TaxRate, "rate"))


@admin.register(TaxRate)
class TaxRateAdmin(OfficeAdmin):
    """Tax rates. Invoices keep the rate they were drafted with."""

    form = TaxRateForm

    list_display = ("name", "rate", "valid_from")


class ValidNow(RowsFilter):
    title = _("valid")
    parameter_name = "valid"
    offered = (("now", _("Valid now"), lambda discounts: discounts.valid_on(local_date(timezone.now()))),)


class DiscountForm(forms.ModelForm):
    percent = PercentField(initial=0, **_like(Discount, "percent"))


@admin.register(Discount)
class DiscountAdmin(OfficeAdmin):
    """Discounts. Periods keep the discounts they were sold with."""

    form = DiscountForm

    list_display = ("name", "percent", "amount", "plan", "customer", "valid_from", "valid_until")
    list_filter = (ValidNow, "plan")
    list_select_related = ("plan", "customer")
    search_fields = ("name", "plan__name", "customer__full_name", "customer__dni")
    search_help_text = _("Name, plan, customer or DNI")
    autocomplete_fields = ("plan", "customer")
    fieldsets = (
        (
            None,
            {
                "fields": ("name", ("percent", "amount"), ("valid_from", "valid_until")),
                "description": _(
                    "Periods that start while it is valid get it and keep it. Periods already sold do not "
                    "change."
                ),
            },
        ),
        (
            _("Applies to"),
            {
                "fields": ("plan", "customer"),
                "description": _(
                    "A plan: all lines with that plan. A customer: all lines of that customer. Both: that "
                    "customer's lines with that plan."
                ),
            },
        ),
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        today = local_date(timezone.now())
        return {"valid_from": today, **super().get_changeform_initial_data(request)}
