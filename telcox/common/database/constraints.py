"""Check constraints, each named after the field that violates it."""

from django.db import models
from django.db.models import Q


def at_least_zero(model: str, *fields: str) -> list[models.CheckConstraint]:
    """Return one constraint for each field, so that a violation names the field."""
    return [
        models.CheckConstraint(condition=Q(**{f"{field}__gte": 0}), name=f"{model}_{field}_not_negative")
        for field in fields
    ]
