"""The changes that are tried: those of cosmic-ray that people make by mistake, and calls left out."""

import ast
import difflib
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator
from parso.python.tree import Keyword

CONFIG = Path(__file__).with_name("mutants.toml")

# Left out: what only a type annotation has (`|`), and replacements of which each test that runs the line
# notices the same as the ones below (`+` by `<<`).
_OPERATORS = (
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("FloorDiv_Mul", "Mod_Mul", "BitAnd_BitOr")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")),
    *("ReplaceUnaryOperator_Delete_USub", "ReplaceUnaryOperator_Delete_Not", "AddNot"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer", "NumberReplacer"),
    *("RemoveDecorator", "ZeroIterationForLoop"),
)


class RemoveCall(Operator):
    """Leave out a call whose result is not used: `resume_if_paid_up(…)` in a credit note."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        if node.type in ("atom_expr", "power") and node.parent.type == "simple_stmt":
            last = node.children[-1]
            if last.type == "trailer" and last.children[0].value == "(":
                yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return Keyword("None", node.start_pos, prefix=node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("save(1)\n", "None\n"),)


class Mutant(NamedTuple):
    """A file with one change. `was` and `becomes` are the changed code without its indentation, `function` is
    what it is in; `lines` are those of its statement, or none if it runs when the module is imported."""

    file: str
    function: str
    operator: str
    line: int
    lines: frozenset[int]
    was: str
    becomes: str
    source: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.file, self.function, self.was, self.becomes

    def __str__(self) -> str:
        place = f"{self.file}:{self.line} in {self.function or 'the module'}"
        return f"{place}\n  - {self.was}\n  + {self.becomes}"


class Explained(NamedTuple):
    """A change that no test can notice, because it changes nothing that can be seen, and why."""

    file: str
    function: str
    was: str
    becomes: str
    why: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self[:4]


def tests_by_package() -> dict[str, list[str]]:
    """Return the files of tests that can see a package, by its folder."""
    read: dict[str, Any] = tomllib.loads(CONFIG.read_text())
    return dict(read["packages"])


def all_explained() -> list[str]:
    """Return the packages of which no change may survive without an explanation."""
    return list(tomllib.loads(CONFIG.read_text())["all_explained"])


def explained() -> list[Explained]:
    read: dict[str, Any] = tomllib.loads(CONFIG.read_text())
    return [Explained(**entry) for entry in read.get("explained", [])]


@cache
def mutants_of(root: Path, file: str) -> tuple[Mutant, ...]:
    """Return each change of a file once, in an order that does not change."""
    return tuple(_mutants(root, file))


def _mutants(root: Path, file: str) -> Iterator[Mutant]:
    code = (root / file).read_text()
    tree, seen = ast.parse(code), {code}
    operators = [(name, get_operator(f"core/{name}")()) for name in _OPERATORS]
    for name, operator in [*operators, ("RemoveCall", RemoveCall())]:
        positions = [
            (node, start)
            for node in ast_nodes(get_ast(code))
            for start, _end in operator.mutation_positions(node)
        ]
        for occurrence, (node, start) in enumerate(positions):
            if node.parent is not None and node.parent.type == "parameters":  # the `*` of a signature
                continue
            try:
                source = mutate_code(code, operator, occurrence)
            except AttributeError:  # ExceptionReplacer fails for `except msgspec.DecodeError`
                continue
            if source in seen or not _compiles(source):
                continue
            seen.add(source)
            was, becomes = _changed(code, source)
            function = ASTQuery(node).get_definition_name() or ""
            lines = frozenset(statement_lines(tree, start[0]))
            yield Mutant(file, function, name, start[0], lines, was, becomes, source)


def _compiles(source: str | None) -> bool:
    try:
        ast.parse(source or "")
    except SyntaxError:
        return False
    return bool(source)


def _changed(code: str, source: str) -> tuple[str, str]:
    before, after = code.splitlines(), source.splitlines()
    was, becomes = [], []
    for tag, start, end, other_start, other_end in difflib.SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if tag != "equal":
            was += [line.strip() for line in before[start:end]]
            becomes += [line.strip() for line in after[other_start:other_end]]
    return " ".join(filter(None, was)), " ".join(filter(None, becomes))


def statement_lines(tree: ast.Module, line: int) -> range:
    """Return the lines of the innermost statement that has this line, without the statements in it. Return
    none for what runs when the module is imported: constants, defaults, decorators."""
    body: ast.AST = tree
    found: ast.stmt | None = None
    inside = False
    while True:
        statements = [node for node in _children(body) if _has(node, line)]
        if not statements:
            break
        if isinstance(body, ast.FunctionDef | ast.AsyncFunctionDef) and _is_in(body.body, statements[0]):
            inside = True
        found = body = statements[0]
    if found is None or not inside or isinstance(found, ast.FunctionDef | ast.ClassDef):
        return range(0)
    nested = [node.lineno for node in _children(found)]
    if not nested:
        return range(found.lineno, (found.end_lineno or found.lineno) + 1)
    return range(found.lineno, min(nested)) if line < min(nested) else range(line, line + 1)


def _children(node: ast.AST) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            found.append(child)
        elif isinstance(child, ast.excepthandler | ast.match_case):
            found += _children(child)
    return found


def _has(node: ast.stmt, line: int) -> bool:
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return first <= line <= (node.end_lineno or first)


def _is_in(body: list[ast.stmt], statement: ast.stmt) -> bool:
    return any(statement is each for each in body)
