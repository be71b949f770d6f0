"""Check constraints that tell a clerk what is wrong, at the field that violates them."""

from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Rule(models.CheckConstraint):
    """A check constraint with the sentence that a form shows, at `field` if the form has it.

    Neither is part of the database's constraint, so migrations do not contain them: a sentence can be
    reworded without a migration.
    """

    def __init__(self, *, sentence: Any = "", field: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sentence, self.field = sentence, field

    def deconstruct(self) -> Any:
        _path, args, kwargs = super().deconstruct()
        return "django.db.models.CheckConstraint", args, kwargs

    def clone(self) -> "Rule":
        _path, args, kwargs = self.deconstruct()
        return Rule(*args, **kwargs, sentence=self.sentence, field=self.field)

    def get_violation_error_message(self) -> Any:
        return self.sentence or super().get_violation_error_message()

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = DEFAULT_DB_ALIAS) -> None:
        try:
            super().validate(model, instance, exclude, using)  # type: ignore[misc]
        except ValidationError as error:
            at = NON_FIELD_ERRORS if not self.field or self.field in (exclude or ()) else self.field
            raise ValidationError({at: error.error_list}) from error


NOT_NEGATIVE = _("This must not be negative.")
# The values that a form offers are the only ones.
IN_THE_LIST = _("Choose one of the values in the list.")


def at_least_zero(model: str, *fields: str) -> list[Rule]:
    """Return one constraint for each field, so that a violation names the field."""
    return [
        Rule(
            condition=Q(**{f"{field}__gte": 0}),
            name=f"{model}_{field}_not_negative",
            sentence=NOT_NEGATIVE,
            field=field,
        )
        for field in fields
    ]
