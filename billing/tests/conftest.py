from datetime import datetime

import pytest
from django.utils import timezone

from billing.tests.orders import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> Clock:
    """What the views take for now, from the first of December on."""
    clock = Clock(now)
    monkeypatch.setattr(timezone, "now", clock)
    return clock
