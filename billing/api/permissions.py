"""Permissions of the API for invoices, payments and wallets."""

from typing import Any

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from telcox.common.web.permissions import MayDo

ADD_MONEY = "billing.add_walletentry"


class MayRecordPayments(MayDo):
    permission = "billing.add_payment"


class MayReversePayments(MayDo):
    permission = "billing.add_reversal"


class MayTakeBackInvoices(MayDo):
    permission = "billing.add_creditnote"


class MayPayOut(MayDo):
    permission = "billing.add_payout"


class MayViewInvoices(BasePermission):
    """Any client while the API is open, otherwise staff with the permission to view invoices."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        return bool(settings.API_OPEN or (user and user.is_staff and user.has_perm("billing.view_invoice")))


class MayTopUp(BasePermission):
    """Any client while the API is open, otherwise customers (for their own lines), and staff with the
    permission."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if settings.API_OPEN or not (user and user.is_authenticated):
            return bool(settings.API_OPEN)
        return not user.is_staff or user.has_perm(ADD_MONEY)
