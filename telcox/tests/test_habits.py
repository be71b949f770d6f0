"""Habits that hold the project together, where a person would forget one."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.core.files.storage import storages
from django.core.management import call_command, get_commands

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import InvoiceSeries
from billing.sales.services import activate_subscription
from customers.models import Customer, Line, Plan, Subscription
from telcox.testing.rows import all_rows
from usage.ingestion.reports import UsageReport
from usage.models import IngestionAnswer
from usage.services import take_usage

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()

# Every command of ours, as a test may call it.
COMMANDS: dict[str, list[str]] = {
    "demo": [],
    "renew_subscriptions": [],
    "run_day": ["--date=2027-01-31", "--ahead"],
    "bill_period": ["2026-11", "--date=2027-01-31", "--ahead", "--workers=1"],
    "import_cdr": ["usage/tests/detail_records.csv", "--workers=1"],
    "import_payments": ["billing/tests/statement.csv"],
    "export_documents": ["invoices", "2026-11", "--output=/dev/null"],
    "redrive_usage": [],
    "verify_usage": [],
    "verify_wallets": [],
    "verify_billing": [],
    "print_documents": ["2025-05"],
    "send_notices": [],
    "verify_invoices": [],
    "purge_usage": ["--before=2026-01-01"],
}
STARTED_ELSEWHERE = {
    "run_bss_standin",  # it listens: customers/tests/test_api.py
    "simulate_operator",  # it wants an empty database each time: billing/tests/test_simulation.py
    "simulate_usage",  # it talks to a server: usage/tests/test_simulate_usage.py
}

OURS = ("telcox.backoffice", "customers", "usage", "billing")


def test_every_command_of_ours_is_in_this_list() -> None:
    ours = {name for name, app in get_commands().items() if app in OURS}
    assert ours == set(COMMANDS) | STARTED_ELSEWHERE


READ_ONLY = {"export_documents", "verify_usage", "verify_wallets", "verify_billing", "verify_invoices"}


@pytest.fixture
def work_for_each(seeded: None, now: datetime, settings: Any) -> None:
    """A period that has ended, usage for a line that was not there yet, an answer of last year, and a
    document to mail."""
    settings.MAIL_DOCUMENTS = True
    InvoiceSeries.objects.get_or_create(prefix="001-001")
    Customer.objects.update(email="somebody@telcox.example")
    week, number = Plan.objects.get(code="movil-semana"), "0991234567"
    late = UsageReport(number, "SMS", 1, "smsc", "s-1", now - timedelta(days=2))
    take_usage(reported=[late], at=now)
    holder = Customer.objects.earliest("pk")
    line = Line.objects.create(customer=holder, phone_number=number, product_type="MOVIL")
    activate_subscription(line=line, plan=week, at=now - timedelta(days=8))
    IngestionAnswer.objects.create(owner="smsc", key="k", body=b"{}", answered_at=now - timedelta(days=400))
    issue_invoice(invoice=draft_invoice(subscription=Subscription.objects.earliest("pk"), at=now), at=now)


def contents() -> dict[str, Any]:
    return {**all_rows(), "documents": storages["documents"].listdir("")}


@pytest.mark.django_db
@pytest.mark.usefixtures("work_for_each")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs_twice_and_the_second_time_changes_nothing(command: str) -> None:
    before = contents()
    call_command(command, *COMMANDS[command])
    after = contents()
    assert (before == after) == (command in READ_ONLY)
    call_command(command, *COMMANDS[command])
    # A billing run says when it was last at work.
    changed = {name for name, found in contents().items() if found != after[name]}
    assert changed <= ({"billing_billingrun"} if command == "bill_period" else set())


@pytest.mark.django_db
def test_fixtures_load_any_number_of_times_with_the_same_result() -> None:
    names = sorted(path.name for path in (ROOT / "fixtures").glob("*.json"))

    def load() -> dict[str, str]:
        call_command("loaddata", *names, verbosity=0)
        models = [
            model
            for app in ("customers", "usage", "billing")
            for model in apps.get_app_config(app).get_models()
        ]
        return {
            model._meta.label: serializers.serialize("json", model._default_manager.order_by("pk"))
            for model in models
        }

    assert load() == load()


def test_what_the_readme_says_to_type_is_what_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    first_block = README.split("```")[1]
    commands = re.findall(r"^(make \w+)", first_block, flags=re.M)
    assert commands == ["make run", "make test"]
    assert all(command in ci for command in commands)


def test_every_make_target_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, flags=re.M))
    assert set(re.findall(r"make (\w+)", README)) <= targets


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 80


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_in_the_documents_lead_somewhere() -> None:
    broken = []
    for document in DOCUMENTS:
        for path, anchor in re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)", document.read_text()):
            target = (document.parent / path).resolve() if path else document
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{document.name}: {path}#{anchor}")
    assert not broken


def test_paths_in_the_documents_exist() -> None:
    """Fail for a module or folder that was moved while a document still names its old place."""
    named = [
        (document.name, path)
        for document in DOCUMENTS
        for path in re.findall(
            r"`((?:telcox|customers|usage|billing|benchmarks|bin|deploy|fixtures|docs)/[\w./-]*)`",
            document.read_text(),
        )
    ]
    assert named
    assert not [(document, path) for document, path in named if not (ROOT / path).exists()]


def test_guarantees_name_tests_that_exist() -> None:
    guarantees = (ROOT / "docs" / "guarantees.md").read_text()
    named, file = [], ""
    for path, test in re.findall(r"`([\w/]+\.py)?::(\w+)`", guarantees):
        file = path or file
        named.append((file, test))
    assert named
    assert not [(path, test) for path, test in named if f"def {test}(" not in (ROOT / path).read_text()]


def test_no_file_of_python_is_longer_than_can_be_read_at_once() -> None:
    long = {
        str(path.relative_to(ROOT)): length
        for app in ("telcox", "customers", "usage", "billing", "benchmarks")
        for path in (ROOT / app).rglob("*.py")
        if "migrations" not in path.parts and (length := len(path.read_text().splitlines())) > 420
    }
    assert not long
