"""Shared admin classes of the back-office.

Django's admin shows rows and edits master data (customers, lines, plans). Operations are services: a `Step`
calls one for an existing row, and `MadeByService` is for rows that a service creates.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode

from telcox.common.characters import plain_characters
from telcox.common.errors import DomainError
from telcox.common.identity import searched_identity
from telcox.common.office.forms import NUMBERS_AS_TYPED, ConfirmBox
from telcox.common.office.steps import Step, ask_about, step_on_selected
from telcox.common.phone import searched_number


class Search(AutocompleteSelect):
    """Search field for a row. It ignores submitted values, and values in the address, that cannot be keys."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        return super().optgroups(name, [each for each in value if not each or is_key(each)], attrs)


class OfficeAdmin(admin.ModelAdmin):
    """Admin pages of a model. `list_select_related` applies to every page, so that showing a row's name takes
    no query."""

    formfield_overrides = NUMBERS_AS_TYPED
    list_per_page = 50
    show_full_result_count = False  # it would count the whole table in addition to the rows found
    change_form_template = "admin/office_change_form.html"
    steps: tuple[Step, ...] = ()
    # Whether the rows have a `version`: then a step uses the version that the page showed.
    versioned = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        related = self.list_select_related
        return queryset if isinstance(related, bool) else queryset.select_related(*related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search for the text, and for each thing that it may name in another form than the stored one."""
        found, duplicates = super().get_search_results(request, queryset, search_term)
        for reading in other_readings(search_term):
            more, more_duplicates = super().get_search_results(request, queryset, reading)
            found, duplicates = found | more, duplicates or more_duplicates
        if search_term and (named := self.rows_named(search_term)):
            found |= queryset.filter(named)
        return found, duplicates

    def rows_named(self, text: str) -> Q | None:
        """Return the condition of further rows that the text names."""
        return None

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        try:
            return super().get_object(request, object_id, from_field)
        except OverflowError:  # raised by SQLite for a key that is too large for the column
            return None

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)
        except OverflowError:  # as in get_object, of a filter: shown as Django shows other wrong ones
            return redirect(f"{request.path}?{ERROR_FLAG}=1")

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        if not all(map(is_key, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            raise BadRequest("selected rows without a key")
        return super().response_action(request, queryset)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", Search(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    # --- Steps ---

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_step"
        view = self.admin_site.admin_view(self.take_step)
        return [path("<path:object_id>/steps/<slug:step>/", view, name=name), *super().get_urls()]

    def steps_for(self, request: HttpRequest, obj: Any) -> list[Step]:
        return [step for step in self.steps if request.user.has_perm(step.permission) and step.when(obj)]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if obj := context.get("original"):
            context["steps"] = self.steps_for(request, obj)
            context["links"] = self.links_from(request, obj)
            context["seen"] = self.seen(obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def seen(self, obj: Any) -> str:
        """Return what a step on this row's page sends with it, so that changes since are detected."""
        return row_version(obj) if self.versioned else ""

    def as_seen(self, obj: Any, told: str | None) -> None:
        """Set the row to what the page showed (`seen`), for the service to compare."""
        if self.versioned:
            as_seen(obj, told)

    def agreed(self, rows: QuerySet[Any]) -> str:
        """Return a text that stands for these rows as they are shown (`seen`). Their number would not do: a
        row that was not shown may have taken the place of another one."""
        shown = (f"{row.pk} {self.seen(row)}" for row in rows)
        return sha256("\n".join(shown).encode()).hexdigest()

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        """Return the links of this row's page: (label, address)."""
        return []

    def viewed(self, request: HttpRequest, object_id: str, *permissions: str) -> Any:
        """Return the row of a page beside the change form. Raise Http404 if there is no such row, and
        PermissionDenied if the user may not view it or lacks one of these permissions."""
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        if not (self.has_view_permission(request, obj) and request.user.has_perms(permissions)):
            raise PermissionDenied
        return obj

    def take_step(self, request: HttpRequest, object_id: str, step: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        chosen = next((candidate for candidate in self.steps if candidate.name == step), None)
        if chosen is None:
            raise Http404
        obj = self.viewed(request, object_id, chosen.permission)
        if question := ask_about(self, request, chosen, obj):
            return question
        self.as_seen(obj, request.POST.get("seen"))
        try:
            shown = self.run_step(request, chosen, obj)
        except DomainError as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
            return redirect(change_page_of(obj))
        self.message_user(request, chosen.done % (shown or obj), messages.SUCCESS)
        return redirect(change_page_of(shown) if shown else list_page_of(self.model))

    def run_step(self, request: HttpRequest, step: Step, obj: Any) -> Model | None:
        shown = step.run(obj, timezone.now(), request.user.get_username())
        self.log_change(request, obj, str(step.label))
        return shown

    def get_actions(self, request: HttpRequest) -> Any:
        actions: dict[str, Any] = super().get_actions(request)
        for step in self.steps:
            if step.on_list and request.user.has_perm(step.permission):
                actions[step.name] = (step_on_selected(step), step.name, step.label)
        return actions


class NeverChanged:
    """Rows that cannot be changed."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NeverWritten(NeverChanged):
    """Rows that only the system creates."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MadeByService(NeverChanged, OfficeAdmin):
    """Rows that a service creates from a form (`asks`); afterwards they are read-only."""

    asks: tuple[str, ...] = ()

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        """Call the service with the form's values, for the user who is logged in."""
        raise NotImplementedError

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fields(request, obj) if obj else self.asks

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else [(None, {"fields": self.asks})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_readonly_fields(request, obj) if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return super().get_inlines(request, obj) if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        for field in form.base_fields.values():
            chosen = isinstance(field, forms.BooleanField) and not isinstance(field, ConfirmBox)
            field.required = not (chosen or field.widget.is_hidden)
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = self.make(form.cleaned_data, timezone.now(), request.user.get_username())
        obj.pk = made.pk
        obj.refresh_from_db()

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show a refusal above the form, which keeps its values."""
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)
        except DomainError as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
            return HttpResponseRedirect(f"{request.path}?{urlencode(self.given_again(request.POST))}")

    def given_again(self, posted: Mapping[str, str]) -> dict[str, str]:
        return {name: posted[name] for name in self.asks if name in posted}


class ReadOnly(NeverWritten, OfficeAdmin):
    """Read-only pages."""


class LatestRows(BaseInlineFormSet):
    """The first rows in the model's order, so that a page does not grow with the history."""

    ROWS = 24

    def get_queryset(self) -> QuerySet[Any]:
        if not hasattr(self, "_queryset"):
            self._queryset = super().get_queryset()[: self.ROWS]
        return self._queryset


class ReadOnlyInline(NeverWritten, admin.TabularInline):
    """Read-only rows on the page of the row they belong to."""

    extra = 0
    can_delete = False
    show_change_link = True
    formset = LatestRows
    related: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related(*self.related)


class RowsFilter(admin.SimpleListFilter):
    """Filter of a list. Each choice has its value in the address, its label, and a function that selects its
    rows from the list's."""

    offered: Sequence[tuple[str, Any, Callable[[Any], QuerySet[Any]]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value, label) for value, label, _rows in self.offered]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for value, _label, rows in self.offered:
            if value == self.value():
                return rows(queryset)
        return queryset


class CappedPaginator(Paginator):
    """Paginator that counts at most MOST rows, so that counting does not get slower as a table grows."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        return self.object_list[: self.MOST].count()  # type: ignore[attr-defined]


def other_readings(text: str) -> list[str]:
    """Return what `text` may stand for besides itself: the same with plain characters, and a phone number or
    an identity in its stored form."""
    plain = plain_characters(text)
    readings = (plain, searched_number(plain), searched_identity(plain))
    return [each for each in dict.fromkeys(readings) if each and each != text]


def is_key(value: Any) -> bool:
    """Return whether the text could be a row's key: digits, and no more of them than a column holds."""
    return str(value).isdecimal() and len(str(value)) < 19


def row_version(obj: Any) -> str:
    """Return the row that a page shows, and its version."""
    return f"{obj.pk}-{obj.version}"


def as_seen(obj: Any, told: str | None) -> None:
    """Set the row's version to the one on the page, so that a service can detect changes since. The page of
    another row, and one without a version, are ignored."""
    key, _dash, version = (told or "").partition("-")
    if key == str(obj.pk) and is_key(version):
        obj.version = int(version)


def change_page_of(obj: Model) -> str:
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[obj.pk])


def list_page_of(model: type[Model], **filters: Any) -> str:
    """Return the address of a model's list, filtered."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def form_for(model: type[Model], **initial: Any) -> str:
    """Return the address of the form for a new row, filled in."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
    return f"{address}?{urlencode(initial)}"


def link_to(obj: Model | None) -> str:
    return format_html('<a href="{}">{}</a>', change_page_of(obj), obj) if obj else "—"


def share_used(used: int, limit: int, *, of_bytes: bool = False) -> str:
    """Return a bar with the two amounts beside it."""
    amounts = f"{filesizeformat(used)} / {filesizeformat(limit)}" if of_bytes else f"{used} / {limit}"
    return format_html('<meter min="0" max="{}" value="{}"></meter> {}', max(limit, 1), used, amounts)
