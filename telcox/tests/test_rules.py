"""A rule of the database is told to a clerk in a sentence, at the field that breaks it."""

from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.test import Client
from django.utils import translation

from billing.models import Discount, TaxRate
from customers.models import Plan
from telcox.common.database.constraints import Rule, at_least_zero
from telcox.testing.office import as_shown, new, superuser, url

CONSTRAINTS = [
    pytest.param(model, constraint, id=constraint.name)
    for app in ("customers", "usage", "billing")
    for model in apps.get_app_config(app).get_models()
    for constraint in model._meta.constraints
]


def is_named_by_django(constraint: models.BaseConstraint) -> bool:
    """Return whether Django's own message names the fields: `Discount with this Name already exists.`"""
    return (
        isinstance(constraint, models.UniqueConstraint)
        and bool(constraint.fields)
        and not constraint.condition
    )


@pytest.mark.once
@pytest.mark.parametrize(("model", "constraint"), CONSTRAINTS)
def test_every_constraint_has_a_sentence_in_both_languages(
    model: type[models.Model], constraint: models.BaseConstraint
) -> None:
    if is_named_by_django(constraint):
        return
    said = []
    for language in ("en", "es"):
        with translation.override(language):
            said.append(str(constraint.get_violation_error_message()))
    assert constraint.name not in " ".join(said)
    assert said[0] != said[1]


@pytest.mark.once
@pytest.mark.parametrize(("model", "constraint"), CONSTRAINTS)
def test_a_sentence_stands_at_a_field_of_the_model(
    model: type[models.Model], constraint: models.BaseConstraint
) -> None:
    if field := getattr(constraint, "field", ""):
        assert model._meta.get_field(field)


@pytest.mark.once
def test_a_sentence_is_no_part_of_a_migration() -> None:
    rule = Rule(condition=models.Q(a__gte=0), name="a_not_negative", sentence="Not so.", field="a")
    plain = models.CheckConstraint(condition=models.Q(a__gte=0), name="a_not_negative")
    assert rule.deconstruct() == plain.deconstruct()
    assert rule.clone() == plain == rule


@pytest.mark.once
def test_a_rule_without_a_sentence_has_djangos() -> None:
    assert "a_rule" in str(Rule(condition=models.Q(a=1), name="a_rule").get_violation_error_message())


@pytest.mark.django_db
def test_a_field_that_the_form_does_not_have_is_left_out() -> None:
    [rule] = at_least_zero("plan", "price")
    with pytest.raises(ValidationError) as found:
        rule.validate(Plan, Plan(price=-1))
    assert found.value.message_dict == {"price": [str(rule.get_violation_error_message())]}
    rule.validate(Plan, Plan(price=-1), exclude={"price"})  # its condition cannot be judged


@pytest.mark.django_db
@pytest.mark.usefixtures("seeded", "clock_at_now")
class TestClerks:
    @pytest.fixture
    def boss(self) -> Client:
        return superuser()

    @pytest.mark.parametrize(
        ("model", "wrong", "field", "sentence"),
        [
            (Discount, {"percent": "110"}, "__all__", "Enter a percentage from 0 to 100."),
            (Discount, {"percent": "-5"}, "__all__", "Enter a percentage from 0 to 100."),
            (Discount, {"percent": "0", "amount": "-5"}, "amount", "This must not be negative."),
            (TaxRate, {"rate": "1.15"}, "rate", "A rate is a share of 1: enter 0.15 for 15 %."),
            (TaxRate, {"rate": "-0.15"}, "rate", "A rate is a share of 1: enter 0.15 for 15 %."),
        ],
    )
    def test_what_is_wrong_stands_at_the_field(
        self, boss: Client, model: type[models.Model], wrong: dict[str, str], field: str, sentence: str
    ) -> None:
        plan = Plan.objects.get(code="movil-15")
        right = {"name": "x", "percent": "5", "amount": "0", "plan": plan.pk, "valid_from": "2026-12-01"}
        errors = boss.post(new(model), {**right, **wrong}).context["adminform"].form.errors
        assert sentence in errors[field]
        assert not [error for each in errors.values() for error in each if "constraint" in error.lower()]

    @pytest.mark.parametrize(
        "wrong",
        [{"price": "-1"}, {"overage_price_per_gb": "-0,5"}, {"rollover_cap": "-1"}, {"rollover_share": "2"}],
    )
    def test_a_plan_too(self, boss: Client, wrong: dict[str, str]) -> None:
        plan = Plan.objects.get(code="movil-15")
        shown: dict[str, Any] = as_shown(boss, url(plan))
        errors = boss.post(url(plan), {**shown, **wrong}).context["adminform"].form.errors
        assert errors.keys() & wrong.keys()
        assert Plan.objects.values().get(pk=plan.pk) == Plan.objects.values().get(
            pk=plan.pk, price=plan.price
        )
