"""The Idempotency-Key: a repeated request gets the same answer, byte for byte, from any process."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256

from django.db import IntegrityError, transaction

from telcox.common.errors import Unprocessable
from usage.ingestion.formats import Reported
from usage.ingestion.reports import UsageReport
from usage.models import IngestionAnswer

# UUID namespace of event ids that are made from a key.
_NAMESPACE = uuid.UUID("5d8ab4a2-3f57-4b0e-9d55-0a4f6f1f6c0f")


def name_reports(reported: Sequence[Reported], *, owner: str, key: str) -> None:
    """Give reports without event_id an id that the same request would give them again, so that a request that
    is repeated during or after its processing counts nothing twice."""
    for index, report in enumerate(reported):
        if isinstance(report, UsageReport) and report.event_id is None:
            report.event_id = uuid.uuid5(_NAMESPACE, f"{owner}/{key}/{index}").hex


def answer_once(*, owner: str, key: str, request: bytes, at: datetime, make: Callable[[], bytes]) -> bytes:
    """Return what `make` returned when `owner` first sent this request with this key.

    `make` must be safe to run again: it runs again if its first answer was not stored because the process
    died, or is not stored yet. Raise Unprocessable if the key was used for a different request.
    """
    digest = sha256(request).hexdigest()
    try:
        with transaction.atomic():
            IngestionAnswer.objects.create(
                owner=owner, key=key, request_digest=digest, body=b"", answered_at=at
            )
    except IntegrityError:
        known = IngestionAnswer.objects.get(owner=owner, key=key)
        if known.request_digest != digest:
            raise Unprocessable(
                "The Idempotency-Key was already used for a different request",
                reason="idempotency_key_reused",
            ) from None
        if known.body:
            return bytes(known.body)
    body = make()
    unanswered = IngestionAnswer.objects.filter(owner=owner, key=key, body=b"")
    if unanswered.update(body=body, answered_at=at):
        return body
    return bytes(IngestionAnswer.objects.get(owner=owner, key=key).body)
