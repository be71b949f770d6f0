"""Documents as PDF: what is on them, that nothing is cut, and that they never change."""

import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.conf import settings as django_settings
from django.core.files.storage import storages
from django.core.management import call_command
from PIL import Image, ImageOps
from pypdf import PdfReader

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.invoicing.sealing import seal_document
from billing.models import Invoice, InvoiceLine, InvoiceStatus, Issuer
from billing.printing import document_pdf, typesetting
from billing.printing.archive import edition_name
from billing.printing.page import printed_page
from billing.settling.crediting import credit_invoice
from customers.models import Customer, Subscription
from telcox.common.storage import WholeFiles

pytestmark = pytest.mark.django_db

D = Decimal
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 3"><rect width="9" height="3"/></svg>'
# On paper, in parts of its width and height: the margins of document.typ.
SIDES, TOP = 18 / 210, 16 / 297

Printed = Callable[..., Invoice]


@pytest.fixture
def draft(seeded: None, now: datetime) -> Invoice:
    return draft_invoice(subscription=Subscription.objects.get(line__phone_number="0969786985"), at=now)


@pytest.fixture
def printed(draft: Invoice, now: datetime) -> Printed:
    """Issues the draft, which says what it is given; its lines are these."""

    def issue(*lines: dict[str, Any], **said: Any) -> Invoice:
        if lines:
            draft.lines.all().delete()
        for position, line in enumerate(lines, start=1):
            InvoiceLine.objects.create(
                invoice=draft,
                position=position,
                **{
                    "description": "Móvil 30 GB",
                    "quantity": "1",
                    "unit": "PERIOD",
                    "unit_price": "22.00",
                    "amount": "22.00",
                    **line,
                },
            )
        Invoice.objects.filter(pk=draft.pk).update(**said)
        return Invoice.objects.get(pk=issue_invoice(invoice=draft, at=now).pk)

    return issue


def pages(invoice: Invoice) -> list[str]:
    """The text of each page, as it is copied."""
    reader = PdfReader(BytesIO(document_pdf(invoice)))
    return [page.extract_text() for page in reader.pages]


def pictures(invoice: Invoice) -> list[Image.Image]:
    source = typesetting._source(printed_page(invoice))
    made = typesetting._compiler().compile(source, format="png", ppi=50)
    return [
        Image.open(BytesIO(picture)) for picture in (made if isinstance(made, list) else [made]) if picture
    ]


def test_an_invoice_says_who_bought_what_from_whom_for_how_much(printed: Printed) -> None:
    [text] = pages(printed())
    for said in (
        "Factura",
        "001-001-000000001",
        "01/12/2026",
        "16/12/2026",
        "2026-11",
        "TelcoX S.A.",
        "1792345678001",
        "Jesus Jacome",
        "0929668846",
        "0969786985",
        "Móvil 30 GB, 23/11/2026 – 22/12/2026",
        "período",
        "IVA 15 %",
        "3,30",
        "25,30",
        "Su consumo en este período",
        "Página 1 de 1",
    ):
        assert said in text
    assert re.search(
        r"\b01122026011792345678001"  # the day, an invoice, by whom
        r"2001001000000001\d{8}1\d\b",  # and which of them
        text,
    )


def test_an_english_one_is_english_in_words_days_and_numbers(printed: Printed) -> None:
    [text] = pages(printed(language="en", subtotal="1234567.80", total="1234571.10"))
    for said in ("Invoice", "1 Dec 2026", "1,234,571.10", "VAT 15 %", "Social networks", "Page 1 of 1"):
        assert said in text
    assert "Factura" not in text


def test_forty_lines_go_on_under_the_same_heads(printed: Printed) -> None:
    lines = [{"description": f"Paquete {n}", "amount": D(n) / 100, "discount": "0.01"} for n in range(1, 41)]
    text = pages(printed(*lines))
    assert len(text) == 2
    for number, page in enumerate(text, start=1):
        assert "Descripción" in page
        assert f"Página {number} de 2" in page
    whole = "\n".join(text)
    assert all(f"Paquete {n}\n" in whole or f"Paquete {n} " in whole for n in range(1, 41))
    assert all(f"0,{n:02d}" in whole for n in range(1, 41))


WORD = "W" * 150


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [{"description": WORD + WORD[:50]}] * 3,
            {"customer_name": WORD, "customer_address": WORD + WORD[:100]},
        ),
        (
            [{"quantity": "80.123456", "unit_price": "123456789.123456", "amount": "9891784611.23"}] * 2,
            {"subtotal": "9999999999.99", "total": "9999999999.99", "discount": "3.30"},
        ),
        ([{"description": "M" * 200, "quantity": "99999999.999999", "unit_price": "0.000001"}], {}),
        ([{"quantity": "0", "unit_price": "0", "amount": "0"}], {"subtotal": 0, "tax": 0, "total": 0}),
    ],
)
def test_nothing_stands_in_the_margins(printed: Printed, lines: Any, said: Any) -> None:
    Issuer.objects.create(
        name=WORD,
        tax_id="1792345678001",
        address=WORD,
        contact=WORD,
        logo=LOGO.replace("0 0 9 3", "0 0 900 3"),
        verification_url=f"https://telcox.example/{WORD}/",
    )
    for picture in pictures(printed(*lines, **said)):
        left, top, right, bottom = ImageOps.invert(picture.convert("L")).getbbox() or (0, 0, 0, 0)
        width, height = picture.size
        edge = SIDES * width - 5  # the table's rules begin a little before its text
        assert left >= edge
        assert right <= width - edge
        assert TOP * height - 2 <= top < bottom < height


def test_a_word_of_any_length_is_there_to_its_end(printed: Printed) -> None:
    name = "".join(f"{n:03d}" for n in range(50))
    [text] = pages(printed(customer_name=name))
    assert name in text.replace("\n", "")


LONG = {
    "customer_name": "Wolfeschlegelsteinhausenbergerdorff",
    "customer_address": "Ciudadela-Los-Esteros-manzana-12-villa-7",
}


class TestCopying:
    def test_the_access_key_is_49_digits_in_one_piece(self, printed: Printed) -> None:
        invoice = printed()
        [text] = pages(invoice)
        key = printed_page(invoice)["key"]
        assert re.fullmatch("[0-9]{49}", key)
        assert key in text.splitlines()

    def test_so_is_the_seal_of_a_document_without_a_key(self, seeded: None) -> None:
        old = Invoice.objects.get(series__prefix="HIST", number=2)
        assert (old.content_hash or "") in pages(old)[0].splitlines()

    @pytest.mark.parametrize("language", ["es", "en"])
    def test_every_character_is_one_that_is_seen(self, printed: Printed, language: str) -> None:
        contact = "facturacion-y-cobranzas@operadora-de-prueba.example"
        address = "https://facturas.operadora-de-prueba.example/verificar/"
        Issuer.objects.create(
            name="Operadora", tax_id="1792345678001", contact=contact, verification_url=address
        )
        lines = [{"description": "Renovación-automática-de-datos-adicionales"}]
        text = "\n".join(pages(printed(*lines, **LONG, language=language)))
        unseen = {f"U+{ord(each):04X}" for each in text if unicodedata.category(each) in ("Cf", "Co", "Cn")}
        assert not unseen
        for said in (*LONG.values(), contact, address, lines[0]["description"]):
            assert said in text.replace("\n", "")

    def test_marks_in_a_name_that_nobody_sees_are_not_printed(self, printed: Printed) -> None:
        name = "\u200eMaría\u200b del\u00ad Carmen\ufeff Ñ\u2060andú"
        assert "María del Carmen Ñandú" in pages(printed(customer_name=name))[0]

    @pytest.mark.parametrize(("language", "minus"), [("es", "-1.234,50"), ("en", "-1,234.50")])
    def test_amounts_are_copied_as_numbers(self, printed: Printed, language: str, minus: str) -> None:
        """With the hyphen of a keyboard: a spreadsheet takes U+2212 and an amount after it for a text."""
        line = {"unit_price": "5000", "amount": "5000"}
        sums = {"subtotal": "5000", "discount": "1234.50", "tax": "564.83", "total": "4330.33"}
        [text] = pages(printed(line, language=language, **sums))
        assert minus in text
        assert not re.search(r"[\u2010-\u2015\u2212\u00a0\u202f]\s*[0-9]", text)

    def test_letters_that_are_set_as_one_are_copied_as_two(self, printed: Printed) -> None:
        name = "Raffi Fiallos Steffi"
        assert name in pages(printed(customer_name=name))[0]


class TestIdentities:
    @pytest.mark.parametrize(
        ("kind", "language", "label"),
        [
            ("CEDULA", "es", "Cédula 0929668846"),
            ("RUC", "es", "RUC 0929668846"),
            ("PASSPORT", "es", "Pasaporte 0929668846"),
            ("", "es", "Identificación 0929668846"),
            ("PASSPORT", "en", "Passport 0929668846"),
            ("", "en", "ID 0929668846"),
        ],
    )
    def test_the_document_says_what_kind_of_number_it_is(
        self, printed: Printed, kind: str, language: str, label: str
    ) -> None:
        text = pages(printed(customer_identity_kind=kind, language=language))[0]
        assert label in text.replace("\u00a0", " ")

    def test_it_is_the_kind_of_the_day_of_the_draft(self, draft: Invoice, now: datetime) -> None:
        assert draft.customer_identity_kind == "CEDULA"
        Customer.objects.filter(invoices=draft).update(identity_kind="PASSPORT")
        issue_invoice(invoice=draft, at=now)
        note = credit_invoice(invoice=draft, why="x", at=now)
        assert note.customer_identity_kind == "CEDULA"

    def test_it_is_sealed(self, printed: Printed) -> None:
        invoice = Invoice.objects.get(pk=printed().pk)
        lines = list(invoice.lines.order_by("position"))

        def seal() -> str:
            return seal_document(
                invoice, lines, number=invoice.full_number or "", corrects="", before=invoice.previous_hash
            )

        assert seal() == invoice.content_hash
        invoice.customer_identity_kind = "RUC"
        assert seal() != invoice.content_hash


def test_what_typst_would_read_as_more_than_text_is_text(printed: Printed) -> None:
    name = r'Ana "la Ñ" \\ \u{41} #panic() $x$ *b*'
    [text] = pages(printed(customer_name=name))
    assert name in text


def test_a_credit_note_says_what_it_corrects_and_why(printed: Printed, now: datetime) -> None:
    note = credit_invoice(invoice=printed(), why="Cobro duplicado, reclamo 4711", at=now)
    [text] = pages(note)
    for said in ("Nota de crédito", "001-001-000000001", "Cobro duplicado, reclamo 4711", "Crédito USD"):
        assert said in text
    for unsaid in ("Fecha de vencimiento", "Su consumo", "Para pagar"):
        assert unsaid not in text


def test_a_document_of_the_former_system_has_no_chart_and_its_seal_as_key(seeded: None) -> None:
    old = Invoice.objects.get(series__prefix="HIST", number=2)
    [text] = pages(old)
    assert old.content_hash is not None
    assert old.content_hash in text.replace("\n", "")
    assert "TelcoX S.A." in text
    assert "consumo" not in text


def test_a_draft_says_so_and_is_kept_nowhere(draft: Invoice) -> None:
    [text] = pages(draft)
    assert "BORRADOR" in text
    assert storages["documents"].listdir("") == ([], [])


def test_a_logo_that_is_none_keeps_no_document_from_being_printed(printed: Printed) -> None:
    Issuer.objects.create(name="Otra", tax_id="1", logo="<svg")
    assert "Otra" in pages(printed())[0]


class TestKeeping:
    def test_made_again_it_is_the_same_to_the_byte(self, printed: Printed) -> None:
        invoice = printed()
        first = document_pdf(invoice)
        storages["documents"].delete(f"{edition_name(invoice)}.pdf")
        typesetting._compiler.cache_clear()
        assert document_pdf(invoice) == first

    @pytest.mark.processes
    def test_it_is_the_same_in_another_process(self, printed: Printed) -> None:
        page = printed_page(printed())
        code = (
            "import sys, json, datetime, django; django.setup()\n"
            "from billing.printing.typesetting import typeset_page\n"
            "at = datetime.datetime.fromtimestamp(0)\n"
            "sys.stdout.buffer.write(typeset_page(json.load(sys.stdin), at=at))"
        )
        made = [
            subprocess.run(
                [sys.executable, "-c", code],
                input=_json(page),
                capture_output=True,
                check=True,
                cwd=django_settings.BASE_DIR,
                env={**os.environ, "DJANGO_SETTINGS_MODULE": "telcox.settings"},
            ).stdout
            for _ in range(2)
        ]
        assert made[0][:5] == b"%PDF-"
        assert made[0] == made[1] == typesetting.typeset_page(page, at=datetime.fromtimestamp(0))

    def test_it_is_printed_once(self, printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
        invoice = printed()
        first = document_pdf(invoice)
        monkeypatch.setattr("billing.printing.archive.typeset_page", None)
        assert document_pdf(invoice) == first

    def test_what_becomes_of_the_document_is_not_on_it(self, printed: Printed) -> None:
        invoice = printed()
        issued = printed_page(invoice)
        Invoice.objects.filter(pk=invoice.pk).update(status=InvoiceStatus.VOID, in_force=None)
        assert printed_page(Invoice.objects.get(pk=invoice.pk)) == issued

    def test_without_a_place_for_it_the_customer_gets_it_all_the_same(
        self, printed: Printed, settings: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "taken").write_text("")
        settings.STORAGES = {**settings.STORAGES, "documents": _files(tmp_path / "taken")}
        assert document_pdf(printed())[:5] == b"%PDF-"

    def test_a_file_that_was_cut_off_by_a_power_cut_is_made_again(
        self, printed: Printed, settings: Any, tmp_path: Path
    ) -> None:
        settings.STORAGES = {**settings.STORAGES, "documents": _files(tmp_path)}
        invoice = printed()
        first = document_pdf(invoice)
        [file] = tmp_path.rglob("*.pdf")
        assert file.read_bytes() == first
        file.write_bytes(b"")
        assert document_pdf(invoice) == first
        assert file.read_bytes() == first
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]

    def test_a_whole_period_is_printed_by_one_command(
        self, printed: Printed, capsys: pytest.CaptureFixture[str]
    ) -> None:
        invoice = printed()
        call_command("print_documents", "2026-11")
        assert "1 document(s)" in capsys.readouterr().out
        assert storages["documents"].exists(f"{edition_name(invoice)}.pdf")


def test_a_process_forked_off_a_printing_one_says_that_it_cannot(
    printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = printed()
    document_pdf(invoice)
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="after a fork"):
        typesetting.typeset_page(printed_page(invoice), at=datetime.fromtimestamp(0))


def _files(folder: Path) -> dict[str, Any]:
    backend = f"{WholeFiles.__module__}.{WholeFiles.__name__}"
    return {"BACKEND": backend, "OPTIONS": {"location": str(folder)}}


def _json(page: dict[str, Any]) -> bytes:
    return msgspec.json.encode(page)
