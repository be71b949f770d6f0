"""Log lines: JSON with a request id in production, plain text in development. Phone numbers are masked."""

import logging
import re
from contextvars import ContextVar
from typing import Any

from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str] = ContextVar("request_id", default="-")

# Phone numbers, DNI and RUC. Django logs the path of a failed request, and a path names a line.
_PERSONAL_NUMBER = re.compile(r"(?<![0-9A-Za-z.-])\+?[0-9]{7,13}([0-9]{2})(?![0-9A-Za-z.-])")
# A phone number with marks between its digits, which a path may have in percent-encoding.
_MARK = r"(?:[ ()-]|%20|%28|%29)"
_NUMBER_WITH_MARKS = re.compile(
    rf"(?<![0-9A-Za-z.-])(?:(?:\+|%2B|00)?593{_MARK}*(?:0{_MARK}*)?|\(?0)"
    rf"(?:{_MARK}{{0,3}}[0-9]){{6,7}}{_MARK}?([0-9]){_MARK}?([0-9])(?![0-9A-Za-z.-])",
    re.IGNORECASE,
)


def mask_numbers(text: str) -> str:
    """Return `text` with each number that is long enough to be a phone number reduced to its last two
    digits."""
    return _NUMBER_WITH_MARKS.sub(r"***\1\2", _PERSONAL_NUMBER.sub(r"***\1", text))


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        # Django attaches the request, whose representation names the path.
        record.__dict__.pop("request", None)
        # Celery attaches the arguments of a task.
        record.__dict__.pop("data", None)
        return True


class PlainFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return mask_numbers(super().format(record))


class JsonLineFormatter(JsonFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return mask_numbers(super().format(record))


# Not looked up for each record, because no format here shows them (logging HOWTO, "Optimization").
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def logging_config(*, json_lines: bool, level: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": RequestIdFilter}},
        "formatters": {
            "plain": {"()": PlainFormatter, "format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
            "json": {
                "()": JsonLineFormatter,
                "format": "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s",
                "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            },
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "filters": ["request_id"],
                "formatter": "json" if json_lines else "plain",
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django's own handlers would print each record again, unmasked.
            "django": {"handlers": [], "propagate": True},
            # Without 4xx answers: telcox.access logs them, by route.
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": [], "propagate": False},
            "daphne": {"level": "WARNING"},
            "multiprocessing": {"level": "WARNING"},
        },
    }
