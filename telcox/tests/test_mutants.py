"""Which changes of the code are tried, and that every explained one is still there (`make mutants`)."""

import ast
from pathlib import Path

import pytest

from telcox.testing.mutants import mutations
from telcox.testing.mutants.mutations import Mutant, explained, mutants_of, statement_lines
from telcox.testing.mutants.runs import Seen
from telcox.testing.processes import ROOT

pytestmark = pytest.mark.once

CODE = '''"""A module."""
LIMIT = 3


@decorated
def take(amount: int | None, *, by: str = "") -> bool:
    if not amount:
        return False
    note(
        amount,
    )
    return amount - 1 > LIMIT and bool(by)


def double(amount: int) -> int:
    return amount * by


def read() -> None:
    try:
        take(1)
    except some.Error:
        pass
'''


@pytest.fixture
def mutants(tmp_path: Path) -> list[Mutant]:
    (tmp_path / "taking.py").write_text(CODE)
    return list(mutants_of(tmp_path, "taking.py"))


def test_each_change_is_one_place_and_is_python(mutants: list[Mutant]) -> None:
    changes = {(each.was, each.becomes.replace("  ", " ")) for each in mutants}
    assert changes >= {
        ("LIMIT = 3", "LIMIT = 4"),
        ("@decorated", ""),
        ("if not amount:", "if amount:"),
        ("return False", "return True"),
        ("note( amount, )", "None"),
        ("return amount - 1 > LIMIT and bool(by)", "return amount - 1 >= LIMIT and bool(by)"),
        ("return amount - 1 > LIMIT and bool(by)", "return amount + 1 > LIMIT and bool(by)"),
        ("return amount - 1 > LIMIT and bool(by)", "return amount - 1 > LIMIT or bool(by)"),
    }
    assert len({each.source for each in mutants}) == len(mutants)
    for each in mutants:
        ast.parse(each.source)
        assert CODE.splitlines()[each.line - 1].strip() in each.was
        assert "def take(amount: int | None, *, by" in each.source


def test_a_change_is_seen_by_the_tests_that_run_its_statement(mutants: list[Mutant]) -> None:
    seen = Seen({"a": 1.0, "b": 1.0}, [], {"taking.py": {7: {"a", "b"}, 8: {"b"}, 10: {"a"}, 12: {"a"}}})
    by_change = {each.was: seen.tests_of(each) for each in mutants}
    assert by_change["return False"] == {"b"}
    assert by_change["note( amount, )"] == {"a"}  # the call begins in the line before
    assert by_change["if not amount:"] == by_change["LIMIT = 3"] == by_change["@decorated"] == {"a", "b"}


def test_a_statement_has_its_lines_without_those_of_statements_in_it() -> None:
    tree = ast.parse(CODE)
    found = {line: list(statement_lines(tree, line)) for line in (2, 5, 6, 7, 8, 10, 12)}
    assert found == {2: [], 5: [], 6: [], 7: [7], 8: [8], 10: [9, 10, 11], 12: [12]}


def test_every_explained_change_is_one_of_the_code() -> None:
    known = [each.key for each in explained()]
    assert len(known) == len(set(known))
    there = {mutant.key for file in {key[0] for key in known} for mutant in mutants_of(ROOT, file)}
    assert set(known) <= there
    assert all(len(each.why) > 20 for each in explained())


def test_the_packages_and_tests_that_are_named_are_there() -> None:
    for package, tests in mutations.tests_by_package().items():
        assert (ROOT / package / "__init__.py").exists()
        assert [file for file in tests if not (ROOT / file).is_file()] == []
