"""A transaction that lost its locks is begun anew: proved with a deadlock that is made on purpose."""

import contextlib
from threading import Barrier, BrokenBarrierError

import pytest
from django.db import OperationalError, transaction

from customers.models import Line
from telcox.common.database import retrying
from telcox.common.database.retrying import retry_lost_locks
from telcox.testing.threads import in_threads

JESUS, CARLA = "0969786985", "0934567890"


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
class TestDeadlock:
    def collide(self, first_time: Barrier) -> int:
        """Two transactions lock two lines each, in opposite order, and meet in between; returns how many were
        begun."""
        begun = []

        @transaction.atomic
        def lock_both(numbers: tuple[str, str]) -> None:
            begun.append(numbers)
            Line.objects.select_for_update().get(phone_number=numbers[0])
            with contextlib.suppress(BrokenBarrierError):
                first_time.wait(timeout=5)
            Line.objects.select_for_update().get(phone_number=numbers[1])

        def work(numbers: tuple[str, str]) -> None:
            retry_lost_locks(lambda: lock_both(numbers))
            first_time.abort()

        in_threads(work, [(JESUS, CARLA), (CARLA, JESUS)], threads=2)
        return len(begun)

    def test_it_is_begun_anew_and_nobody_is_told(self, committed: None) -> None:
        assert self.collide(Barrier(2)) >= 3

    def test_control_without_patience_somebody_is(
        self, committed: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retrying, "PATIENCE", -1.0)
        with pytest.raises(OperationalError, match="Deadlock"):
            self.collide(Barrier(2))


@pytest.mark.django_db
def test_within_a_transaction_of_the_callers_it_is_tried_once() -> None:
    tried = []

    def work() -> None:
        tried.append(1)
        raise OperationalError(1213, "Deadlock found")

    with pytest.raises(OperationalError):
        retry_lost_locks(work)
    assert len(tried) == 1


@pytest.mark.django_db(transaction=True)
def test_another_error_is_raised_at_once() -> None:
    tried = []

    def work() -> None:
        tried.append(1)
        raise OperationalError(2013, "Lost connection")

    with pytest.raises(OperationalError):
        retry_lost_locks(work)
    assert len(tried) == 1
