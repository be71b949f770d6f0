"""Plain English: what users and newcomers read has none of the words that have to be decoded.

WORDS is the one list. To add a word, add it here with what to say instead, and mend what the test names.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from drf_spectacular.generators import SchemaGenerator

ROOT = Path(__file__).resolve().parents[2]

# Each with what to say instead. Matched as whole words, in upper or lower case.
WORDS = {
    "anybody": "any client, any user, any process",
    "at the least": "at least",
    "at the most": "at most",
    "broke off": "ended too early",
    "called off": "cancelled",
    "calls off": "cancels",
    "drips": "arrives too slowly",
    "is at it": "works on it",
    "is told": "is logged, returned, refused with",
    "are told": "are logged, returned, refused with",
    "less than nothing": "negative",
    "more than nothing": "greater than zero, positive",
    "nobody": "no caller, no customer, no other process",
    "nonsense": "an invalid value",
    "reckon": "calculate",
    "reckoned": "calculated",
    "reckoning": "calculation",
    "reckons": "calculates",
    "set aside": "quarantined",
    "somebody else": "another user, another process",
    "what is no": "what is not a",
    "whoever": "the caller, the clerk, the client",
    "wholly": "completely",
}
_WORDS = re.compile(r"\b(?:" + "|".join(word.replace(" ", r"\s+") for word in WORDS) + r")\b", re.IGNORECASE)

# Docstrings of functions begin with an imperative verb, and not with one of these.
NOT_FIRST = ("That", "What", "Whether", "Of")

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def found_in(text: str) -> list[str]:
    return [
        f"{' '.join(match[0].split())}: say {WORDS[' '.join(match[0].lower().split())]}"
        for match in _WORDS.finditer(text)
    ]


def packages() -> list[str]:
    """Return the apps, and what is in telcox, by path."""
    inside = [path for path in (ROOT / "telcox").iterdir() if (path / "__init__.py").exists()]
    names = [path.relative_to(ROOT).as_posix() for path in inside if path.name not in {"tests", "testing"}]
    return sorted(["billing", "customers", "usage", "telcox", *names])


def sources(package: str) -> Iterator[Path]:
    """Yield a package's modules without tests and migrations; of telcox, those that are in none."""
    pattern = "*.py" if package == "telcox" else "**/*.py"
    for path in sorted((ROOT / package).glob(pattern)):
        if not {"tests", "migrations"} & set(path.relative_to(ROOT).parts):
            yield path


def docstrings(path: Path) -> Iterator[tuple[ast.AST, str, str]]:
    """Yield the docstrings of the module, its classes and its public functions, each with its name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = getattr(node, "name", "module")
            if (text := ast.get_docstring(node)) and not name.startswith("_"):
                yield node, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)} {name}", text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_are_in_plain_english(page: Path) -> None:
    assert found_in(page.read_text(encoding="utf-8")) == []


def test_messages_are_in_plain_english() -> None:
    catalogue = polib.pofile(str(ROOT / "telcox" / "locale" / "es" / "LC_MESSAGES" / "django.po"))
    assert len(catalogue) > 100
    assert [(entry.msgid, found_in(entry.msgid)) for entry in catalogue if found_in(entry.msgid)] == []


def test_the_wallet_is_called_monedero_in_spanish() -> None:
    catalogue = polib.pofile(str(ROOT / "telcox" / "locale" / "es" / "LC_MESSAGES" / "django.po"))
    wallets = [entry for entry in catalogue if re.search(r"\bwallets?\b", entry.msgid, re.IGNORECASE)]
    assert len(wallets) > 5
    assert [entry.msgid for entry in wallets if "monedero" not in entry.msgstr.lower()] == []
    assert [entry.msgid for entry in catalogue if "billetera" in entry.msgstr.lower()] == []


def test_the_api_document_is_in_plain_english() -> None:
    document = SchemaGenerator().get_schema(request=None, public=True)
    assert [found for text in descriptions(document) if (found := found_in(text))] == []


def descriptions(node: object) -> Iterator[str]:
    """Yield the texts of an API document."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("summary", "description") and isinstance(value, str):
                yield value
            else:
                yield from descriptions(value)
    elif isinstance(node, list):
        for each in node:
            yield from descriptions(each)


def wrong_docstrings(package: str) -> list[str]:
    wrong = []
    for path in sources(package):
        for node, name, text in docstrings(path):
            wrong += [f"{name}: {found}" for found in found_in(text)]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and text.startswith(NOT_FIRST):
                wrong.append(f"{name}: begins with “{text.split()[0]}”, not with a verb")
    return wrong


@pytest.mark.parametrize("package", packages())
def test_docstrings_are_in_plain_english(package: str) -> None:
    assert wrong_docstrings(package) == []


@pytest.mark.parametrize("text", ["Whoever  may\ncome", "It is\ntold", "RECKONED from"])
def test_words_are_found_across_lines_and_in_capitals(text: str) -> None:
    assert found_in(text)


@pytest.mark.parametrize("text", ["isn't atoll", "reckoned_from", "a holy nobodyness"])
def test_only_whole_words_are_found(text: str) -> None:
    assert not found_in(text)
