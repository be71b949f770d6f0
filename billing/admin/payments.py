"""Admin pages of payments of invoices, and of their reversals."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Field, Model, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import format_usd
from billing.admin.numbers import documents_named
from billing.models import MONEY_METHODS, Payment, Reversal
from billing.settling.paying import receive_payment, reverse_payment
from telcox.common.office.admin import CappedPaginator, MadeByService, form_for, link_to


class PaymentForm(forms.ModelForm):
    def validate_unique(self) -> None:
        """Do not check the reference: the service does. A form sent twice records the payment once, and is
        not an error."""


class MoneyAdmin(MadeByService):
    """Base class of the pages of payments and of reversals."""

    search_fields = (
        "reference",
        "invoice__phone_number",
        "invoice__customer_name",
        "invoice__customer_dni",
        "=invoice__number",
    )
    search_help_text = _("Reference, number, phone number, name or DNI")
    paginator = CappedPaginator

    def rows_named(self, text: str) -> Q | None:
        return documents_named(text, "invoice__")


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    form = PaymentForm
    asks = ("invoice", "amount", "payment_method", "paid_at", "reference")
    autocomplete_fields = ("invoice",)
    fields = (
        "invoice",
        ("amount", "to_wallet"),
        "payment_method",
        "paid_at",
        "reference",
        "by",
        "why",
        "reverses",
        "reversed_by",
    )
    readonly_fields = ("reversed_by",)
    list_display = ("paid_at", "invoice", "amount", "to_wallet", "payment_method", "reference", "by")
    list_filter = ("payment_method", "paid_at")
    list_select_related = ("invoice__series",)

    def formfield_for_choice_field(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "payment_method":
            kwargs["choices"] = [(method.value, method.label) for method in MONEY_METHODS]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"paid_at": timezone.now(), **super().get_changeform_initial_data(request)}

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        may = request.user.has_perm("billing.add_reversal")
        if not may or obj.reverses_id or obj.is_wallets or _reversal_of(obj):
            return []
        return [(_("Reverse"), form_for(Reversal, reverses=obj.pk))]

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return receive_payment(
            invoice=given["invoice"],
            amount=given["amount"],
            payment_method=given["payment_method"],
            reference=given["reference"],
            at=at,
            by=by,
            paid_at=given["paid_at"],
        ).payment

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        told = {
            "received": format_usd(obj.received),
            "invoice": format_usd(obj.amount),
            "wallet": format_usd(obj.to_wallet),
        }
        self.message_user(request, gettext("A payment of %(received)s dollars was recorded.") % told)
        if obj.to_wallet > 0:
            self.message_user(
                request,
                gettext(
                    "The invoice received %(invoice)s. The remaining %(wallet)s went to the line's wallet."
                )
                % told,
            )

    @admin.display(description=_("reversed by"))
    def reversed_by(self, payment: Payment) -> str:
        return link_to(_reversal_of(payment))


class ReversalForm(forms.ModelForm):
    def validate_unique(self) -> None:
        """Do not check whether the payment was reversed already: the service does, and refuses it."""


@admin.register(Reversal)
class ReversalAdmin(MoneyAdmin):
    """Reversals. The form is opened from the payment's page (`?reverses=`)."""

    form = ReversalForm
    asks = ("reverses", "why")
    autocomplete_fields = ("reverses",)
    fields = ("reverses", "invoice", ("amount", "to_wallet"), "payment_method", "paid_at", "by", "why")
    list_display = ("paid_at", "reverses", "invoice", "amount", "to_wallet", "by", "why")
    list_filter = ("paid_at",)
    list_select_related = ("invoice__series", "reverses")

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return reverse_payment(payment=given["reverses"], why=given["why"], at=at, by=by)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        told = {"amount": format_usd(-obj.received), "invoice": obj.invoice}
        self.message_user(
            request, gettext("A payment of %(amount)s dollars of invoice %(invoice)s was taken back.") % told
        )


def _reversal_of(payment: Payment) -> Payment | None:
    return Reversal.objects.filter(reverses=payment).first()
