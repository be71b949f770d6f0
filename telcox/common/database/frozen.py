"""Rows that are written once: the ORM refuses to change or delete them, on every database.

The triggers of billing/guards refuse changes that bypass the ORM.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import IntegrityError, models
from django.db.models import Q


class FrozenRow(IntegrityError):
    """Attempt to change or delete a frozen row. A subclass of the error that the database's triggers
    raise."""


class FrozenQuerySet(models.QuerySet[Any]):
    """QuerySet that refuses deletes, and updates of frozen fields, if a frozen row is among its rows."""

    def frozen(self) -> FrozenQuerySet:
        return self.filter(self.model.FROZEN)

    def update(self, **changes: Any) -> int:
        if changes.keys() - self.model.MUTABLE and (row := self.frozen().order_by("pk").first()):
            raise FrozenRow(f"{row._meta.label} {row.pk} cannot be changed: {', '.join(sorted(changes))}")
        return super().update(**changes)

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        if row := self.frozen().order_by("pk").first():
            raise FrozenRow(f"{row._meta.label} {row.pk} cannot be deleted")
        return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


class Frozen(models.Model):
    """A model whose rows in `FROZEN` cannot be changed, except for the fields in `MUTABLE`.

    Saving such a row without a change is allowed, so that fixtures can be loaded again.
    """

    FROZEN: ClassVar[Q] = Q(pk__isnull=False)
    MUTABLE: ClassVar[frozenset[str]] = frozenset()

    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(FrozenQuerySet)()

    class Meta:
        abstract = True

    def save_base(
        self,
        raw: bool = False,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        if not force_insert:
            self._refuse_changes(using, update_fields)
        super().save_base(raw, force_insert, force_update, using, update_fields)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        if self._stored(kwargs.get("using")):
            raise FrozenRow(f"{self._meta.label} {self.pk} cannot be deleted")
        return super().delete(*args, **kwargs)

    def _refuse_changes(self, using: str | None, update_fields: Iterable[str] | None) -> None:
        fields = [
            field
            for field in self._meta.concrete_fields
            if field.name not in self.MUTABLE
            and (update_fields is None or {field.name, field.attname}.intersection(update_fields))
        ]
        if not fields or not (stored := self._stored(using)):
            return
        changed = [field.name for field in fields if _value(self, field) != _value(stored, field)]
        if changed:
            raise FrozenRow(f"{self._meta.label} {self.pk} cannot be changed: {', '.join(changed)}")

    def _stored(self, using: str | None) -> Frozen | None:
        """Return the row as it is in the database, if it is frozen there."""
        if self.pk is None:
            return None
        return FrozenQuerySet(type(self), using=using).frozen().filter(pk=self.pk).first()


def _value(row: models.Model, field: Any) -> Any:
    return field.to_python(getattr(row, field.attname))
