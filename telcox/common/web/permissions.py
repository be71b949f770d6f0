"""Who may see what (design: "Open and closed")."""

from typing import Any

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request


def sees_everything(user: Any) -> bool:
    """Staff, or anyone at all while the API is open."""
    return bool(settings.API_OPEN or (user and user.is_staff))


class OpenOrAuthenticated(BasePermission):
    """Anyone while the API is open, else anyone who said who they are."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(settings.API_OPEN or (request.user and request.user.is_authenticated))


class MayDo(BasePermission):
    """Anyone while the API is open, else those staff gave the permission for it."""

    permission = ""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(settings.API_OPEN or (request.user and request.user.has_perm(self.permission)))
