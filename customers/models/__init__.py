"""Customers, their lines, the catalogue, and what was sold."""

from customers.models.catalogue import PRICES, TERMS, Allowances, Pack, Plan, PlanRevision, Terms
from customers.models.history import (
    HolderChange,
    LineEvent,
    LineStep,
    PlanChange,
    Suspension,
    SuspensionReason,
    TermsRevision,
)
from customers.models.people import Customer, IdentityKind, Language, Line, LineStatus, ProductType
from customers.models.subscriptions import SoldPack, Subscription

__all__ = [
    "PRICES",
    "TERMS",
    "Allowances",
    "Customer",
    "HolderChange",
    "IdentityKind",
    "Language",
    "Line",
    "LineEvent",
    "LineStatus",
    "LineStep",
    "Pack",
    "Plan",
    "PlanChange",
    "PlanRevision",
    "ProductType",
    "SoldPack",
    "Subscription",
    "Suspension",
    "SuspensionReason",
    "Terms",
    "TermsRevision",
]
