"""Recognise files that were imported before, although their names or their first records were others.

Until a file's content became its identity (usage/ingestion/cdr.py), the source of records that named none was
the file's name, and the event id of a record that had none was `row-1`. Such a file that is imported again
must count nothing twice, and neither must one whose first record was invalid and is now corrected.
"""

from itertools import takewhile

from django.db.models import Q

from usage.ingestion.apply import counted_before
from usage.ingestion.cdr import DetailFile, Records
from usage.ingestion.formats import Malformed
from usage.ingestion.rejected import waiting_before
from usage.ingestion.reports import UsageReport
from usage.models import RejectedUsage, UsageEvent

# The first valid record of a file that was imported before is looked for among so many.
FIRST = 50


class EarlierNames:
    """Keys that the records of a file had when it was imported before. Asks the database twice, and again for
    each batch only if something was imported under the file's name."""

    def __init__(self, file: DetailFile, name: str) -> None:
        self._file, self._is_recognised = file, False
        self._source = file.layout.source or name
        # From "row-" to the next character after the hyphen: a range of the index in every database.
        made = Q(event_id__gte="row-", event_id__lt="row.") if file.layout.source else Q()
        self._needed = bool(_keys(Q(source=self._source) & made, 1))

    def restore(self, batch: Records) -> None:
        """Give the records that are known under their earlier keys these keys again."""
        if not self._is_recognised and self._file.is_identified:
            self._is_recognised = True
            self._recognise(batch)
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

    def _recognise(self, batch: Records) -> None:
        """Give the file the identity that it had, if other records of it were invalid then than are now."""
        made = [
            report
            for row, report in zip(batch.rows, batch.reported, strict=True)
            if isinstance(report, UsageReport) and report.event_id == self._file.made_id(row)
        ]
        if not made:
            return
        earlier = self._earlier_identity(batch, Q(source__in={report.source for report in made}))
        for row, report in zip(batch.rows, batch.reported, strict=True):
            if isinstance(report, UsageReport) and report.event_id == self._file.made_id(row):
                report.event_id = f"{earlier}-{row}"
        self._file.identity = earlier

    def _earlier_identity(self, batch: Records, of_sources: Q) -> str:
        """Return the identity by a record that has been counted, in its row, as the first one of a file: it
        was the first valid one. If there is none, return the identity that the file has."""
        first = list(zip(batch.rows, batch.reported, batch.cells, strict=True))[:FIRST]
        invalid = list(takewhile(lambda record: isinstance(record[1], Malformed), first))
        counted = {
            f"{identity}-{row}": identity
            for row, identity in (
                (row, self._file.identity_by(cells)) for row, _report, cells in first[len(invalid) :]
            )
        }
        known = _keys(of_sources & Q(event_id__in=list(counted)))
        for key, identity in counted.items():
            if key in known:
                return identity
        # It may have been valid with other options.
        for _row, _report, cells in invalid:
            identity = self._file.identity_by(cells)
            if _keys(of_sources & Q(event_id__gte=f"{identity}-", event_id__lt=f"{identity}."), 1):
                return identity
        return self._file.identity


def _keys(which: Q, most: int | None = None) -> set[str]:
    """Return the event ids of events that were counted, or wait for a redrive; at most so many of each."""
    return {
        event_id
        for kept in (UsageEvent.objects.all(), RejectedUsage.objects.unresolved())
        for event_id in kept.filter(which).values_list("event_id", flat=True)[:most]
    }
