"""python -m billing.tests.worked_cases: writes the worked cases into docs/rating.md again."""

from billing.tests.worked_cases.document import DOCUMENT, with_cases

DOCUMENT.write_text(with_cases(DOCUMENT.read_text()))
