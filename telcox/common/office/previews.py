"""Forms with a second button, which shows the result in a frame on the page (dry run)."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from telcox.common.database.dry_run import commit_unless_dry_run
from telcox.common.errors import DomainError
from telcox.common.office.admin import MadeByService, OfficeAdmin
from telcox.common.office.forms import ConfirmBox


class Invalid(Exception):
    """The form's values are invalid; the forms have the messages."""

    def __init__(self, *forms: BaseForm) -> None:
        super().__init__()
        self.forms = forms


def shown_by(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do the work in a dry run. Return what it returns for the frame, or `forms` with errors (Invalid), or
    the `refusal` of a service."""
    try:
        return commit_unless_dry_run(work, dry_run=True)
    except Invalid as invalid:
        return {"forms": invalid.forms}
    except DomainError as refusal:
        return {"refusal": refusal.detail}


class Panel(NamedTuple):
    """The part of the page with the preview button, which sends the form to `address`; `form` has fields only
    for the preview."""

    title: Any
    address: str
    form: BaseForm | None = None
    description: Any = ""


class Previewed(OfficeAdmin):
    """Page with a preview, which is a dry run: its transaction is rolled back. It works without JavaScript:
    the button sends the whole form to another address, and the answer is shown in a frame."""

    preview_template = "admin/preview.html"
    preview_title: Any = ""

    def may_preview(self, request: HttpRequest, obj: Any) -> bool:
        raise NotImplementedError

    def what_would_come(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Return what the frame shows. Raise Invalid, or DomainError to refuse."""
        raise NotImplementedError

    def preview_panel(self, address: str) -> Panel:
        return Panel(self.preview_title, address)

    def get_urls(self) -> list[URLPattern]:
        view = xframe_options_sameorigin(self.admin_site.admin_view(self.preview))
        name = self._preview_name()
        return [
            path("preview/", view, name=f"{name}_new"),
            path("<path:object_id>/preview/", view, name=name),
            *super().get_urls(),
        ]

    def _preview_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_preview"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = context.get("original")
        if self.may_preview(request, obj):
            name = f"admin:{self._preview_name()}"
            address = reverse(name, args=[obj.pk]) if obj else reverse(f"{name}_new")
            context["preview"] = self.preview_panel(address)
        return super().render_change_form(request, context, *args, **kwargs)

    def preview(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        obj = None
        if object_id is not None and (obj := self.get_object(request, object_id)) is None:
            raise Http404
        if not self.may_preview(request, obj):
            raise PermissionDenied
        return render(request, self.preview_template, shown_by(partial(self.what_would_come, request, obj)))


class TriedOut(Previewed, MadeByService):
    """Rows that a service creates, with a preview by a dry run of the service."""

    preview_title = _("What it would cost")

    def try_out(self, given: dict[str, Any], at: datetime, by: str) -> dict[str, Any]:
        """Call the service as `make` does, and return what the frame shows."""
        raise NotImplementedError

    def may_preview(self, request: HttpRequest, obj: Any) -> bool:
        return obj is None and self.has_add_permission(request)

    def what_would_come(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        form_class = self.get_form(request)
        boxes = [name for name, field in form_class.base_fields.items() if isinstance(field, ConfirmBox)]
        form = form_class({**request.POST.dict(), **dict.fromkeys(boxes, "on")})
        if not form.is_valid():
            raise Invalid(form)
        return self.try_out(form.cleaned_data, timezone.now(), request.user.get_username())
