"""Who may see what (design: "Open and closed")."""

from typing import Any

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

ADD_MONEY = "billing.add_walletentry"


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


class MayReportUsage(MayDo):
    permission = "usage.report_usage"


class MayRecordPayments(MayDo):
    permission = "billing.add_payment"


class MayReversePayments(MayDo):
    permission = "billing.add_reversal"


class MayTakeBackInvoices(MayDo):
    permission = "billing.add_creditnote"


class MayViewInvoices(BasePermission):
    """Anyone while the API is open, else staff who may look at invoices."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        return bool(settings.API_OPEN or (user and user.is_staff and user.has_perm("billing.view_invoice")))


class MayTopUp(BasePermission):
    """Anyone while the API is open, else customers (their own lines) and staff with the permission for it."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if settings.API_OPEN or not (user and user.is_authenticated):
            return bool(settings.API_OPEN)
        return not user.is_staff or user.has_perm(ADD_MONEY)
