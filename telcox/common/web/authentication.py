"""Authentication by token, for REST and the live feed."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS
from django.db.models import QuerySet
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed

from telcox.common.database.prepared import PreparedQuery, Row

_COLUMNS = [field.attname for field in get_user_model()._meta.concrete_fields]


@PreparedQuery
def _users(key: Any) -> QuerySet[Token, Row]:
    return Token.objects.filter(key=key, user__is_active=True).values(*(f"user__{name}" for name in _COLUMNS))


def user_of_token(key: str) -> Any:
    """Return the active user who has this token, or None."""
    row = _users.first(key=key)
    if row is None:
        return None
    return get_user_model().from_db(DEFAULT_DB_ALIAS, _COLUMNS, [row[f"user__{name}"] for name in _COLUMNS])


class PreparedTokenAuthentication(TokenAuthentication):
    """DRF's token authentication with a prepared query, since it is part of every request."""

    def authenticate_credentials(self, key: str) -> tuple[Any, str]:
        user = user_of_token(key)
        if user is None:
            raise AuthenticationFailed
        return user, key
