"""Admin pages of customers, and of the history of lines.

A model's pages are in the highest app whose data they show. So the pages of plans, packs, lines and
subscriptions, which show what these cost, are in billing/admin.
"""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.identities import judge_identity, same_person
from customers.models import TERMS, Customer, Line, LineEvent, PlanRevision, Subscription, Suspension
from customers.services import suspend_line
from telcox.common.characters import without_invisible
from telcox.common.identity import InvalidIdentity, identity_number
from telcox.common.office.admin import (
    CappedPaginator,
    MadeByService,
    OfficeAdmin,
    ReadOnly,
    ReadOnlyInline,
    RowsFilter,
    as_seen,
    is_key,
    row_version,
)
from telcox.common.office.forms import IdentityField, PhoneNumberField

# Fields of a new line only. A step changes the holder, and nothing changes the number.
GIVEN_ONCE = ("customer", "phone_number")
# Fields of a line that the sale of its current period fixed.
SOLD_FOR = ("product_type", "prepaid")


def with_running(lines: QuerySet[Line]) -> QuerySet[Line]:
    """Annotate each line with `running`: whether it has a period that has not ended."""
    periods = Subscription.objects.current().filter(line=OuterRef("pk"))
    return lines.annotate(running=Exists(periods.filter(expiration_at__gt=timezone.now())))


class LineForm(forms.ModelForm):
    """The fields of a line that staff may edit (of a queryset `with_running`). Everything else is changed by
    steps."""

    phone_number = PhoneNumberField(label=_("Phone number"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "phone_number" in self.fields:
            self.fields["phone_number"].kept = self.instance.phone_number  # type: ignore[attr-defined]
        for name in GIVEN_ONCE if self.instance.pk else ():
            if name in self.fields:
                self.fields[name].disabled = True
        if getattr(self.instance, "running", False):
            for name in SOLD_FOR:
                if name in self.fields:
                    self.fields[name].disabled = True
            if "prepaid" in self.fields:
                self.fields["prepaid"].help_text = _(
                    "The payment method of the current period was fixed when the period was sold. Change "
                    "this when the line has no period in progress."
                )

    def save(self, commit: bool = True) -> Any:
        """Save the edited fields only, since a step may have changed the line meanwhile."""
        if not (commit and self.instance.pk):
            return super().save(commit)
        save_edited(self.instance, self)
        return self.instance


def save_edited(line: Line, form: forms.BaseForm) -> None:
    edited = [name for name in form.changed_data if name in LINE_EDITED]
    if edited:
        line.save(update_fields=edited)


LINE_EDITED = (*SOLD_FOR, "auto_renew")


class CustomerForm(forms.ModelForm):
    dni = IdentityField(
        label=Customer._meta.get_field("dni").verbose_name,
        help_text=Customer._meta.get_field("dni").help_text,
    )
    # What the clerk is to look at, although it is accepted.
    doubt: Any = ""

    def clean_full_name(self) -> str:
        return without_invisible(self.cleaned_data["full_name"])

    def clean_address(self) -> str:
        return without_invisible(self.cleaned_data["address"])

    def clean(self) -> Any:
        """Judge the identity if it was typed or changed: another field of an older customer can be edited
        without it."""
        given = super().clean() or self.cleaned_data
        if "dni" in given and (given["dni"] != self._stored() or "identity_kind" in self.changed_data):
            judged = judge_identity(given["dni"], given.get("identity_kind", ""))
            if judged.refusal:
                self.add_error("dni", judged.refusal)
            given["identity_kind"], self.doubt = judged.kind, judged.doubt
        return given

    def _stored(self) -> str:
        """Return the stored number in its normal form."""
        stored: str = self.initial.get("dni", "")
        try:
            return identity_number(stored)
        except InvalidIdentity:
            return stored


class LineInline(admin.TabularInline):
    model = Line
    form = LineForm
    extra = 0
    show_change_link = True
    can_delete = False
    fields = ("phone_number", *SOLD_FOR, "auto_renew", "status")
    readonly_fields = ("status",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Line]:
        return with_running(super().get_queryset(request))


@admin.register(Customer)
class CustomerAdmin(OfficeAdmin):
    form = CustomerForm
    list_display = ("full_name", "dni", "email", "lines_held")
    search_fields = ("full_name", "dni", "email", "lines__phone_number")
    search_help_text = _("Name, DNI, e-mail or phone number")
    list_filter = ("lines__product_type", "lines__status")
    autocomplete_fields = ("user",)
    inlines = (LineInline,)
    ordering = ("full_name", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return super().get_queryset(request).annotate(line_count=Count("lines", distinct=True))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.doubt:
            self.message_user(request, form.doubt, messages.WARNING)
        if "dni" in form.changed_data and (other := same_person(obj)):
            said = gettext("%(other)s has the same cédula in its identity. Is it the same person?")
            self.message_user(request, said % {"other": other}, messages.WARNING)

    @admin.display(description=_("lines"), ordering="line_count")
    def lines_held(self, customer: Any) -> int:
        return customer.line_count


# --- Steps of a line ---


class LineStepForm(forms.ModelForm):
    """A form for a step of a line. It acts on the line as it was when the form was opened: the field `seen`
    holds the line's key and version."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def clean(self) -> Any:
        given = super().clean() or self.cleaned_data
        if line := given.get("line"):
            as_seen(line, given.get("seen"))
        return given


class ActsOnLine(MadeByService):
    """A form for a step of a line, opened from the line's page (`?line=`)."""

    form: Any = LineStepForm

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        key = initial.pop("line", None)
        line = Line.objects.filter(pk=key).first() if is_key(key) else None
        return {"line": key, "seen": row_version(line), **initial} if line else initial

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else [(None, {"fields": (*self.asks, "seen")})]


class GoingOn(RowsFilter):
    title = _("open")
    parameter_name = "open"
    offered = (
        ("yes", _("Yes"), lambda suspensions: suspensions.filter(is_open=True)),
        ("no", _("No"), lambda suspensions: suspensions.filter(is_open=None)),
    )


@admin.register(Suspension)
class SuspensionAdmin(ActsOnLine):
    """Admin pages of suspensions, which cannot be edited: a step on the line's page ends one."""

    asks = ("line", "reason")
    fields = ("line", "reason", "start_at", "end_at")
    autocomplete_fields = ("line",)
    list_display = ("line", "reason", "start_at", "end_at")
    list_filter = (GoingOn, "reason")
    list_select_related = ("line",)
    search_fields = ("line__phone_number", "line__customer__full_name", "line__customer__dni")
    search_help_text = _("Phone number, name or DNI")
    paginator = CappedPaginator

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return suspend_line(line=given["line"], reason=given["reason"], at=at, by=by)


class SuspensionInline(ReadOnlyInline):
    model = Suspension
    related = ("line",)
    fields = ("start_at", "end_at", "reason")
    readonly_fields = fields


# --- Read-only pages ---


class DetailMixin:
    @admin.display(description=_("detail"))
    def told(self, event: LineEvent) -> str:
        return event.detail_shown


@admin.register(LineEvent)
class LineEventAdmin(DetailMixin, ReadOnly):
    list_display = ("at", "line", "step", "told", "by")
    fields = ("line", "step", "at", "by", "subscription", "told")
    readonly_fields = ("told",)
    list_filter = ("step", "at")
    list_select_related = ("line", "subscription__line")
    search_fields = ("line__phone_number",)
    search_help_text = _("Phone number")
    paginator = CappedPaginator


class LineEventInline(DetailMixin, ReadOnlyInline):
    model = LineEvent
    fields = ("at", "step", "told", "by")
    readonly_fields = fields
    verbose_name_plural = _("history of the line")


@admin.register(PlanRevision)
class PlanRevisionAdmin(ReadOnly):
    list_display = ("replaced_at", "plan", "price", "data", "voice_minutes", "sms", "replaced_by")
    list_filter = ("plan",)
    list_select_related = ("plan",)
    fields = (
        *("plan", "name", "replaced_at", "replaced_by", "validity_days", "data"),
        *(name for name in TERMS if name != "data_bytes"),
    )
    readonly_fields = ("data",)
    search_fields = ("name", "plan__code", "replaced_by")
    search_help_text = _("Name, code or user")
    paginator = CappedPaginator

    @admin.display(description=_("data"), ordering="data_bytes")
    def data(self, revision: PlanRevision) -> str:
        return filesizeformat(revision.data_bytes)
