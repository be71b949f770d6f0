"""The back-office is Spanish and English: every sentence of ours has both."""

import ast
import re
from pathlib import Path

import polib
import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "telcox" / "locale" / "es" / "LC_MESSAGES" / "django.po"
MARKS = {"_", "gettext", "gettext_lazy", "pgettext"}


def marked() -> set[str]:
    """What the code and the templates mark for translation."""
    found = set()
    for app in ("telcox", "customers", "usage", "billing"):
        for path in (ROOT / app).rglob("*.py"):
            if not {"tests", "migrations"} & set(path.parts):
                found |= marked_in(ast.parse(path.read_text()))
        for path in (ROOT / app).rglob("*.html"):
            found |= set(re.findall(r"{% translate [\"'](.+?)[\"']", path.read_text()))
    return found


def marked_in(tree: ast.AST) -> set[str]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    marked_calls = (call for call in calls if isinstance(call.func, ast.Name) and call.func.id in MARKS)
    return {str(call.args[0].value) for call in marked_calls if isinstance(call.args[0], ast.Constant)}


def test_every_sentence_is_in_the_catalogue_and_no_other() -> None:
    catalogue = {entry.msgid for entry in polib.pofile(str(CATALOGUE))}
    sentences = marked()
    assert len(sentences) > 100
    assert catalogue == sentences


def test_every_sentence_is_translated() -> None:
    entries = polib.pofile(str(CATALOGUE))
    assert not [entry.msgid for entry in entries if not entry.msgstr or entry.fuzzy]


def test_placeholders_are_kept() -> None:
    for entry in polib.pofile(str(CATALOGUE)):
        placeholders = re.findall(r"%(?:\(\w+\))?[sd]", entry.msgid)
        assert sorted(placeholders) == sorted(re.findall(r"%(?:\(\w+\))?[sd]", entry.msgstr)), entry.msgid


def test_what_is_shown_is_what_is_written() -> None:
    written = {entry.msgid: entry.msgstr for entry in polib.pofile(str(CATALOGUE))}
    shown = {entry.msgid: entry.msgstr for entry in polib.mofile(str(CATALOGUE.with_suffix(".mo")))}
    assert shown == written
