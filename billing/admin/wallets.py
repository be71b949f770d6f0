"""Admin pages of wallets and their entries."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Field, Model, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import format_usd
from billing.models import MONEY_METHODS, EntryKind, PaymentMethod, PayOut, Wallet, WalletEntry
from billing.sales.renewal import top_up_and_renew
from billing.sales.services import agree_spend_limit
from billing.wallets import adjust_wallet, pay_out, refund_wallet
from telcox.common.office.admin import (
    CappedPaginator,
    MadeByService,
    OfficeAdmin,
    ReadOnlyInline,
    form_for,
    list_page_of,
)
from telcox.common.office.forms import ConfirmBox
from telcox.common.office.previews import TriedOut


class WalletEntryInline(ReadOnlyInline):
    model = WalletEntry
    fields = ("position", "at", "kind", "amount", "balance_after", "reference", "description", "by")
    readonly_fields = fields
    ordering = ("-position",)


@admin.register(Wallet)
class WalletAdmin(OfficeAdmin):
    """Wallets. The spending limit is edited here; only entries change the balance."""

    list_display = ("line", "balance_usd", "balance_limit_usd")
    list_select_related = ("line",)
    search_fields = ("line__phone_number", "line__customer__full_name", "line__customer__dni")
    search_help_text = _("Phone number, name or DNI")
    autocomplete_fields = ("line",)
    fields = ("line", "balance_usd", "balance_limit_usd")
    inlines = (WalletEntryInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("line", "balance_usd") if obj else ("balance_usd",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save a new wallet; of one that is there, save only the limit, because entries change its balance
        meanwhile."""
        if not change:
            obj.save()
        if "balance_limit_usd" in form.changed_data:
            agree_spend_limit(line=obj.line, limit=obj.balance_limit_usd, at=timezone.now())

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        links = []
        if request.user.has_perm("billing.add_walletentry"):
            links += [
                (_("Top up"), form_for(WalletEntry, wallet=obj.pk, kind=EntryKind.TOP_UP)),
                (_("Adjust"), form_for(WalletEntry, wallet=obj.pk, kind=EntryKind.ADJUSTMENT)),
            ]
        if obj.balance_usd > 0 and request.user.has_perm("billing.add_payout"):
            links.append((_("Pay out"), form_for(PayOut, wallet=obj.pk, amount=obj.balance_usd)))
        if request.user.has_perm("billing.view_walletentry"):
            links.append((_("All entries"), list_page_of(WalletEntry, wallet__id__exact=obj.pk)))
        return links


@admin.register(WalletEntry)
class WalletEntryAdmin(MadeByService):
    """Wallet entries. Staff make top-ups, refunds and adjustments; only the system makes charges and
    set-offs. Pay-outs have a page of their own."""

    asks = ("wallet", "kind", "amount", "reference", "description")
    kinds = (EntryKind.TOP_UP, EntryKind.REFUND, EntryKind.ADJUSTMENT)
    autocomplete_fields = ("wallet",)
    list_display = ("at", "wallet", "kind", "amount", "balance_after", "reference", "description", "by")
    list_filter = ("kind", "at")
    list_select_related = ("wallet__line", "subscription__line")
    search_fields = (
        "=reference",
        "wallet__line__phone_number",
        "wallet__line__customer__full_name",
        "wallet__line__customer__dni",
    )
    search_help_text = _("Reference, phone number, name or DNI")
    paginator = CappedPaginator
    ordering = ("-id",)

    def formfield_for_choice_field(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "kind":
            kwargs["choices"] = [(kind.value, kind.label) for kind in self.kinds]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if "description" in form.base_fields:
            form.base_fields["description"].required = False
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        told = {
            "kind": obj.get_kind_display(),
            "amount": format_usd(obj.amount),
            "line": obj.wallet.line,
            "balance": format_usd(Wallet.objects.get(pk=obj.wallet_id).balance_usd),
        }
        self.message_user(
            request,
            gettext("%(kind)s of %(amount)s dollars, line %(line)s. Balance of the wallet: %(balance)s.")
            % told,
        )
        set_off = obj.wallet.entries.filter(kind=EntryKind.SET_OFF, position__gt=obj.position)
        if taken := set_off.aggregate(sum=Sum("amount"))["sum"]:
            self.message_user(
                request,
                gettext("%(amount)s dollars of it were set off against open invoices.")
                % {"amount": format_usd(-taken)},
            )

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        """Post the entry. A top-up is cash that staff have received; it renews a prepaid line that is due."""
        line, amount = given["wallet"].line, given["amount"]
        named = {"reference": given["reference"], "description": given["description"], "at": at, "by": by}
        match given["kind"]:
            case EntryKind.TOP_UP:
                return top_up_and_renew(
                    line=line, amount=amount, method=PaymentMethod.EFECTIVO, staff=True, **named
                )[0]
            case EntryKind.REFUND:
                return refund_wallet(line=line, amount=amount, **named)
            case _:
                return adjust_wallet(line=line, amount=amount, **named)


class PayOutForm(forms.ModelForm):
    payment_method = forms.ChoiceField(
        label=_("Paid by"), choices=[(method.value, method.label) for method in MONEY_METHODS]
    )
    left = ConfirmBox(
        label=_("The money was handed over or transferred"),
        help_text=_("A pay-out cannot be undone: only another entry corrects it."),
        error_messages={"required": _("Confirm that the money was paid out.")},
    )

    def validate_unique(self) -> None:
        """Do not check the reference: the service does. A form sent twice pays out once, and is not an
        error."""


@admin.register(PayOut)
class PayOutAdmin(TriedOut):
    """Pay-outs of wallets. The form is opened from the wallet's page (`?wallet=`), proposes all of the
    balance, and asks whether the money was paid."""

    form = PayOutForm
    preview_title = _("What would be paid out")
    asks = ("wallet", "amount", "payment_method", "reference", "left")
    fields = ("wallet", "position", "at", "amount", "balance_after", "reference", "description", "by")
    autocomplete_fields = ("wallet",)
    list_display = ("at", "wallet", "amount", "balance_after", "reference", "description", "by")
    list_filter = ("at",)
    list_select_related = ("wallet__line",)
    search_fields = WalletEntryAdmin.search_fields
    search_help_text = WalletEntryAdmin.search_help_text
    paginator = CappedPaginator
    ordering = ("-id",)

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return pay_out(
            line=given["wallet"].line,
            amount=given["amount"],
            method=given["payment_method"],
            reference=given["reference"],
            at=at,
            by=by,
        ).entry

    def try_out(self, given: dict[str, Any], at: datetime, by: str) -> dict[str, Any]:
        self.make(given, at, by)
        return {"note": self._told(given["wallet"], given["amount"])}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self.message_user(request, self._told(obj.wallet, -obj.amount))

    def _told(self, wallet: Wallet, amount: Decimal) -> str:
        balance = Wallet.objects.get(pk=wallet.pk).balance_usd
        told = {"amount": format_usd(amount), "line": wallet.line, "balance": format_usd(balance)}
        text = gettext("%(amount)s are paid out of the wallet of %(line)s. Balance after that: %(balance)s.")
        return text % told
