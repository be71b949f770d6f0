"""Permissions of the API: open (API_OPEN) or closed."""

from typing import Any

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request


def sees_everything(user: Any) -> bool:
    """Return whether the user may see every line: staff, or any user while the API is open."""
    return bool(settings.API_OPEN or (user and user.is_staff))


class OpenOrAuthenticated(BasePermission):
    """Any client while the API is open, otherwise any authenticated user."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(settings.API_OPEN or (request.user and request.user.is_authenticated))


class MayDo(BasePermission):
    """Any client while the API is open, otherwise staff with the permission."""

    permission = ""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(settings.API_OPEN or (request.user and request.user.has_perm(self.permission)))
