"""Payments of invoices."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models import Payment
from billing.paying import record_payment
from telcox.common.admin import CappedPaginator, MadeByService


@admin.register(Payment)
class PaymentAdmin(MadeByService):
    asks = ("invoice", "amount", "payment_method", "paid_at", "reference")
    autocomplete_fields = ("invoice",)
    list_display = ("paid_at", "invoice", "amount", "payment_method", "reference")
    list_filter = ("payment_method", "paid_at")
    list_select_related = ("invoice__series",)
    search_fields = ("reference", "invoice__phone_number", "invoice__customer_name", "=invoice__number")
    search_help_text = _("Reference, number, phone number or name")
    paginator = CappedPaginator

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"paid_at": timezone.now(), **super().get_changeform_initial_data(request)}

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return record_payment(
            invoice=given["invoice"],
            amount=given["amount"],
            payment_method=given["payment_method"],
            reference=given["reference"],
            at=given["paid_at"],
        )
