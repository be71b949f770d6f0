"""Row locks are taken by one module, which knows the place of each table in the order."""

import ast
from pathlib import Path

import pytest
from django.apps import apps

from customers.models import Customer, Plan
from telcox.common.database.locking import LOCK_ORDER, lock_keys, lock_row, lock_rows
from telcox.tests.test_imports import MODULES, ROOT

LOCKING = "telcox.common.database.locking"


def takes_locks(path: Path) -> bool:
    nodes = ast.walk(ast.parse(path.read_text()))
    return any(isinstance(node, ast.Attribute) and node.attr == "select_for_update" for node in nodes)


def test_only_the_module_for_it_takes_row_locks() -> None:
    assert [name for name, path in MODULES.items() if takes_locks(path)] == [LOCKING]


def test_no_other_text_of_ours_locks_rows_by_sql() -> None:
    texts = {name: path.read_text().upper() for name, path in MODULES.items()}
    assert not [name for name, text in texts.items() if "FOR UPDATE" in text or "SHARE MODE" in text]
    assert (ROOT / "telcox/common/database/locking.py").is_file()


def test_the_order_names_each_table_once() -> None:
    assert len(set(LOCK_ORDER)) == len(LOCK_ORDER)
    assert [apps.get_model(label)._meta.label for label in LOCK_ORDER] == list(LOCK_ORDER)


@pytest.mark.django_db
def test_a_table_without_a_place_in_the_order_is_not_locked(seeded: None) -> None:
    for lock in (lock_rows, lock_keys):
        with pytest.raises(LookupError, match=r"customers\.Customer is to be locked, and has no place"):
            lock(Customer.objects.all())
    with pytest.raises(LookupError):
        lock_row(Customer, 1)


@pytest.mark.django_db
def test_rows_are_locked_in_the_order_of_their_keys(seeded: None) -> None:
    keys = sorted(Plan.objects.values_list("pk", flat=True))
    assert len(keys) > 1
    assert [plan.pk for plan in lock_rows(Plan.objects.order_by("-pk"))] == keys
    assert lock_keys(Plan.objects.order_by("-pk")) == keys
    assert lock_row(Plan, keys[1]).pk == keys[1]
    with pytest.raises(Plan.DoesNotExist):
        lock_row(Plan, max(keys) + 1)
