"""Tokens, over REST."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.authtoken.models import Token

from telcox.common.web.authentication import user_of_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded", "closed_api")]

BILLS = "/api/customers/0969786985/billing"


@pytest.fixture
def token() -> Token:
    return Token.objects.create(user=User.objects.create_user("caja", is_staff=True))


def answer(token: str):
    return Client().get(BILLS, headers={"authorization": f"Token {token}"})


def test_a_token_names_its_user_as_the_orm_would_load_them(token: Token) -> None:
    user = user_of_token(token.key)
    columns = [field.attname for field in User._meta.concrete_fields]
    assert user == token.user
    assert not user.get_deferred_fields()
    stored = User.objects.get(pk=user.pk)
    assert [getattr(user, name) for name in columns] == [getattr(stored, name) for name in columns]


def test_a_token_costs_one_query(token: Token, django_assert_num_queries) -> None:
    with django_assert_num_queries(2):  # the token, the bills
        assert answer(token.key).status_code == 200


def test_a_token_of_somebody_who_left_is_refused(token: Token) -> None:
    User.objects.filter(pk=token.user_id).update(is_active=False)
    refused = answer(token.key)
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Token")


@pytest.mark.parametrize("odd", ["", "nobody's", "two words", "é", "\x00", "x" * 5000, "%s", "' OR 1=1 --"])
def test_what_is_no_token_is_refused(token: Token, odd: str) -> None:
    assert answer(odd).status_code == 401
