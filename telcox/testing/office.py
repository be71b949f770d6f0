"""Helpers that use the back-office as a browser does."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse


def somebody_of(*groups: str) -> Client:
    """Return a client of a new user in these groups, logged in, with pages in English."""
    user = User.objects.create_user("-".join(groups), is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def superuser(name: str = "jefa") -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(User.objects.create_superuser(name))
    return client


def url(obj: Any, page: str = "change") -> str:
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_{page}", args=[obj.pk])


def new(model: type[Model]) -> str:
    return _page(model, "add")


def rows(model: type[Model]) -> str:
    return _page(model, "changelist")


def preview_of_new(model: type[Model]) -> str:
    return _page(model, "preview_new")


def _page(model: type[Model], page: str) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}")


def take(client: Client, obj: Any, step: str, **given: str) -> Any:
    name = f"admin:{obj._meta.app_label}_{obj._meta.model_name}_step"
    return client.post(reverse(name, args=[obj.pk, step]), given)


def told(response: Any) -> list[str]:
    """Return the messages shown above the page."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def as_shown(client: Client, page: str) -> dict[str, Any]:
    """Return what a page's form sends if the user changes nothing."""
    context = client.get(page).context
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.initial_forms]
    shown = {form.add_prefix(name): form[name].value() for form in forms for name in form.fields}
    return {name: value for name, value in shown.items() if value is not None and value is not False}
