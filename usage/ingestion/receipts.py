"""The receipt that the sender of usage reports gets."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from usage.ingestion.formats import Malformed
from usage.ingestion.reports import Outcome, Result
from usage.vocabulary import DETAILS, RejectionReason


class Rejection(msgspec.Struct):
    """A report that was not counted, with its position in the batch (from 0)."""

    index: int
    event_id: str | None
    reason: str
    detail: str


class Receipt(msgspec.Struct):
    """`received` = `applied` + `duplicates` + `rejected`, with an entry for each rejected report."""

    received: int
    applied: int
    duplicates: int
    rejected: int
    rejections: list[Rejection]


def receipt_of(results: Sequence[Outcome | Malformed]) -> Receipt:
    receipt = Receipt(len(results), 0, 0, 0, [])
    for index, result in enumerate(results):
        if isinstance(result, Malformed):
            rejection = Rejection(index, result.event_id, RejectionReason.INVALID.value, result.detail)
        elif result.reason is not None:
            detail = DETAILS[result.reason]
            rejection = Rejection(index, result.report.event_id, result.reason.value, detail)
        else:
            if result.result is Result.APPLIED:
                receipt.applied += 1
            else:
                receipt.duplicates += 1
            continue
        receipt.rejections.append(rejection)
    receipt.rejected = len(receipt.rejections)
    return receipt
