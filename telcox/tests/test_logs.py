import json
import logging

import pytest
from django.test import Client

from telcox.common.logs import JsonLineFormatter, RequestIdFilter, logging_config, mask_numbers


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("GET /api/customers/0969786985/summary", "GET /api/customers/***85/summary"),
        ("GET /api/customers/+593969786985/summary", "GET /api/customers/***85/summary"),
        ("GET /api/customers/096-978-6985/usage", "GET /api/customers/***85/usage"),
        ("GET /api/customers/%2B593%20(0)96%20978%206985/usage", "GET /api/customers/***85/usage"),
        ("GET /api/customers/(02)%20234-5678/usage", "GET /api/customers/***78/usage"),
        ("GET /api/customers/+593 96 978 6985", "GET /api/customers/***85"),
        ("dni 0929668846 refused", "dni ***46 refused"),
        ("ruc=0929668846001", "ruc=***01"),
        ("took 12.75 ms at 2026-11-23 10:00:00,123", "took 12.75 ms at 2026-11-23 10:00:00,123"),
        ("0.1820066 s at 09:00:00", "0.1820066 s at 09:00:00"),
        ("id 0d6e2c1f9b3a4f57a1b2c3d4e5f60718", "id 0d6e2c1f9b3a4f57a1b2c3d4e5f60718"),
    ],
)
def test_numbers_that_may_be_somebodys_are_masked_and_others_are_not(line: str, shown: str) -> None:
    assert mask_numbers(line) == shown


def test_a_production_line_is_json_with_the_request_id() -> None:
    config = logging_config(json_lines=True, level="INFO")["formatters"]["json"]
    formatter = JsonLineFormatter(config["format"], rename_fields=config["rename_fields"])
    record = logging.LogRecord("telcox", logging.INFO, "", 0, "line %s", ("0969786985",), None)
    RequestIdFilter().filter(record)
    line = json.loads(formatter.format(record))
    assert line["message"] == "line ***85"
    assert line["level"] == "INFO"
    assert line["request_id"] == "-"


@pytest.mark.django_db
def test_a_request_is_logged_by_route_and_answers_with_its_id(
    client: Client, open_api: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        response = client.get("/api/customers/0969786985/usage", headers={"X-Request-ID": "abc-1"})
    assert response["X-Request-ID"] == "abc-1"
    [line] = [record.getMessage() for record in caplog.records if record.name == "telcox.access"]
    assert line == "GET api/customers/(?P<phone_number>[^/]+)/usage/?$ 404"
    assert "0969786985" not in caplog.text


@pytest.mark.django_db
def test_a_request_id_that_could_forge_a_log_line_is_replaced(client: Client) -> None:
    response = client.get("/healthz", headers={"X-Request-ID": "a\nb {"})
    assert response["X-Request-ID"].isalnum()
