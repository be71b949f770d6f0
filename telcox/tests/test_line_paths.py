"""Every path below `/api/customers/` checks the number in it, and who may see it, in one place."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, path
from rest_framework.views import APIView

from customers.api.lines import LineViewSet

BELOW = "api/customers/"


def views(patterns: Sequence[Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every path of a URL configuration as its pattern is written, with its view."""
    for pattern in patterns:
        route = before + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route, pattern.callback


def not_line_views(patterns: Sequence[Any]) -> list[str]:
    return [
        route
        for route, view in views(patterns)
        if route.startswith(BELOW) and not issubclass(getattr(view, "cls", object), LineViewSet)
    ]


def test_every_view_below_customers_is_a_line_view_set() -> None:
    patterns = get_resolver().url_patterns
    assert len([route for route, _ in views(patterns) if route.startswith(BELOW)]) >= 10
    assert not_line_views(patterns) == []


def test_a_view_that_checks_the_number_by_itself_would_be_found() -> None:
    class ByHand(APIView):
        pass

    stranger = path(f"{BELOW}<phone_number>/by-hand", ByHand.as_view())
    assert not_line_views([*get_resolver().url_patterns, stranger]) == [f"{BELOW}<phone_number>/by-hand"]


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["usage", "billing", "wallet", "plan-change", "top-ups"])
def test_a_method_that_no_action_takes_asks_nothing_about_the_line(
    closed_api: None, client: Client, django_assert_num_queries: Any, what: str
) -> None:
    client.force_login(User.objects.create_user("staff", is_staff=True, is_superuser=True))
    with django_assert_num_queries(2):  # who asks
        answer = client.put(f"/api/customers/none/{what}")
    assert answer.status_code == 405
