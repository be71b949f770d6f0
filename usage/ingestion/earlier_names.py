"""Recognise records that were counted when a file's identity was its name.

Until a file's content became its identity (usage/ingestion/cdr.py), the source of records that named none was
the file's name, and the event id of a record that had none was `row-1`. Such a file that is imported again
must count nothing twice.
"""

from usage.ingestion.apply import counted_before
from usage.ingestion.cdr import DetailFile, Records
from usage.ingestion.rejected import waiting_before
from usage.ingestion.reports import UsageReport
from usage.models import RejectedUsage, UsageEvent


class EarlierNames:
    """Keys that the records of a file had under its name. Asks the database once, and again for each batch
    only if something was imported under that name."""

    def __init__(self, file: DetailFile, name: str) -> None:
        self._file = file
        self._source = file.layout.source or name
        # From "row-" to the next character after the hyphen: a range of the index in every database.
        made = {"event_id__gte": "row-", "event_id__lt": "row."} if file.layout.source else {}
        self._needed = (
            UsageEvent.objects.filter(source=self._source, **made).exists()
            or RejectedUsage.objects.unresolved().filter(source=self._source, **made).exists()
        )

    def restore(self, batch: Records) -> None:
        """Give the records that are known under their earlier keys these keys again."""
        if not self._needed:
            return
        earlier: dict[tuple[str, str], UsageReport] = {}
        for row, report in zip(batch.rows, batch.reported, strict=True):
            if isinstance(report, UsageReport):
                source = self._source if report.source == self._file.source else report.source
                event_id = f"row-{row}" if report.event_id == self._file.made_id(row) else report.event_id
                if event_id is not None and (source, event_id) != report.key:
                    earlier[source, event_id] = report
        known = {**waiting_before(list(earlier)), **counted_before(list(earlier))}
        for key, before in known.items():
            # Another record in the same row is one of another file; one with the same id is a conflict.
            if (again := earlier.get(key)) and (again.event_id == key[1] or again.same_as(before)):
                again.source, again.event_id = key
