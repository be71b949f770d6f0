"""Customers and the catalogue. A model's pages are in the highest app whose data they show: lines, with
their use, in usage/admin.py; subscriptions, with their invoices, in billing/admin.py."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from customers.models import Customer, Line, Plan
from telcox.common.admin import OfficeAdmin
from telcox.common.forms import GigabytesField, PhoneNumberField


class LineForm(forms.ModelForm):
    phone_number = PhoneNumberField(label=_("Phone number"))


class LineInline(admin.TabularInline):
    model = Line
    form = LineForm
    extra = 0
    show_change_link = True


@admin.register(Customer)
class CustomerAdmin(OfficeAdmin):
    list_display = ("full_name", "dni", "email", "lines_held")
    search_fields = ("full_name", "dni", "email", "lines__phone_number")
    search_help_text = _("Name, DNI, e-mail or phone number")
    list_filter = ("lines__product_type", "lines__status")
    autocomplete_fields = ("user",)
    inlines = (LineInline,)
    ordering = ("full_name", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return super().get_queryset(request).annotate(line_count=Count("lines", distinct=True))

    @admin.display(description=_("lines"), ordering="line_count")
    def lines_held(self, customer: Any) -> int:
        return customer.line_count


class PlanForm(forms.ModelForm):
    data_bytes = GigabytesField(label=_("Data"), help_text=_("In GB"))


@admin.register(Plan)
class PlanAdmin(OfficeAdmin):
    """What was sold keeps its own terms: editing here is for what is sold from now on."""

    form = PlanForm
    save_as = True
    list_display = (
        "name",
        "code",
        "product_type",
        "price",
        "data",
        "voice_minutes",
        "sms",
        "validity_days",
        "on_sale",
    )
    list_filter = ("on_sale", "product_type")
    search_fields = ("name", "code")
    prepopulated_fields = {"code": ("name",)}
    fieldsets = (
        (None, {"fields": ("name", "code", "product_type", "on_sale")}),
        (_("Allowance"), {"fields": ("data_bytes", "voice_minutes", "sms", "validity_days")}),
        (
            _("Prices in dollars, before tax"),
            {
                "fields": (
                    "price",
                    "overage_price_per_gb",
                    "overage_price_per_minute",
                    "overage_price_per_sms",
                ),
                "description": _(
                    "Periods that were sold keep the terms they were sold with; these are for the next ones."
                ),
            },
        ),
    )

    @admin.display(description=_("data"), ordering="data_bytes")
    def data(self, plan: Plan) -> str:
        return filesizeformat(plan.data_bytes)
