"""Steps: operations on rows, as buttons of a row's page and as actions on a list."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from telcox.common.errors import DomainError

# Refusals that are shown one by one after an action on many rows. The others are only counted.
REFUSALS_TOLD = 5
# Rows that are listed before an action on many rows is confirmed.
ROWS_SHOWN = 100


@dataclass(frozen=True)
class Step:
    """An operation on one row: a button on its page, and an action on the list.

    `run(obj, at, by)` calls one service for the user who is logged in; the service raises DomainError to
    refuse. It returns the row to show next, or None for the list. `done` is the message of success, with `%s`
    for the row. `when` says for which rows the button is shown; the service decides in any case.
    """

    name: str
    label: Any
    done: Any
    permission: str
    run: Callable[[Any, datetime, str], Model | None]
    when: Callable[[Any], bool] = lambda obj: True
    # Question that is asked before, on the page and on the list. A step without one says why: `unasked`.
    confirm: Any = ""
    unasked: str = ""
    # Whether it is also an action on the list, for many rows at once.
    on_list: bool = True


Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]


def step_on_selected(step: Step) -> Action:
    """Return an action that does the step for each selected row separately: a refusal does not affect the
    others. A step with a question is asked about first, and again if the rows are no longer the same ones, or
    not as they were shown."""

    def action(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        rows = queryset.order_by("pk")
        if step.confirm and request.POST.get("confirmed") != model_admin.agreed(rows):
            return _ask_before(model_admin, request, step, rows)
        done, refusals = 0, []
        for obj in rows:
            try:
                model_admin.run_step(request, step, obj)
                done += 1
            except DomainError as refusal:
                refusals.append(f"{obj}: {refusal.detail}")
        for refused in refusals[:REFUSALS_TOLD]:
            model_admin.message_user(request, refused, messages.ERROR)
        if untold := refusals[REFUSALS_TOLD:]:
            model_admin.message_user(request, _("%d more were refused.") % len(untold), messages.ERROR)
        if done:
            model_admin.message_user(
                request, _("%(label)s: %(done)d done.") % {"label": step.label, "done": done}
            )
        return None

    return action


def ask_about(model_admin: Any, request: HttpRequest, step: Step, row: Model) -> HttpResponse | None:
    """Return the page that asks whether to do the step for a row, or None if the user was asked. The row's
    page asks by a script (`asked`), and where no script runs, this page does."""
    if not step.confirm or request.POST.get("asked") != "0":
        return None
    kept = [("asked", "1"), ("seen", request.POST.get("seen", ""))]
    return _question(model_admin, request, step, [row], 1, kept)


def _ask_before(model_admin: Any, request: HttpRequest, step: Step, rows: QuerySet[Any]) -> HttpResponse:
    """Return the page that asks whether to do the step for these rows. It sends the list's form again."""
    kept = [
        (name, value)
        for name in (ACTION_CHECKBOX_NAME, "action", "select_across", "index")
        for value in request.POST.getlist(name)
    ]
    kept.append(("confirmed", model_admin.agreed(rows)))
    return _question(model_admin, request, step, rows[:ROWS_SHOWN], rows.count(), kept)


def _question(
    model_admin: Any, request: HttpRequest, step: Step, rows: Any, count: int, kept: list[tuple[str, str]]
) -> HttpResponse:
    opts = model_admin.opts
    context = {
        **model_admin.admin_site.each_context(request),
        "title": step.label,
        "question": step.confirm,
        "rows": rows,
        "count": count,
        "kept": kept,
        "submit": step.label,
        "trail": [
            (opts.verbose_name_plural, reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"))
        ],
        "opts": opts,
    }
    return render(request, "admin/office_ask.html", context)
