"""How much is measured and for how long."""

from dataclasses import dataclass

# The source of the seeded events.
EVENT_SOURCE = "benchmark-seed"


@dataclass(frozen=True)
class Scale:
    """Counts of rows and sockets, and times in seconds. `sockets` watch the same line, `spread_sockets` one
    line each."""

    lines: int
    billed_lines: int
    connections: int
    warm_up: float
    measured: float
    sockets: int
    events_per_second: int
    spread_sockets: int
    spread_events_per_second: int
    live: float
    raw: float
    batch: int
    batches: int
    imported: int
    large_import: int
    large_table: int


FULL = Scale(
    lines=100_000,
    billed_lines=2_500,
    connections=16,
    warm_up=2,
    measured=10,
    sockets=1_000,
    events_per_second=10,
    spread_sockets=5_000,
    spread_events_per_second=500,
    live=15,
    raw=3,
    batch=1_000,
    batches=600,
    imported=600_000,
    large_import=10_000_000,
    large_table=20_000_000,
)
# Only shows that everything runs: its figures have no meaning.
QUICK = Scale(
    lines=100,
    billed_lines=20,
    connections=4,
    warm_up=0.2,
    measured=0.5,
    sockets=20,
    events_per_second=10,
    spread_sockets=50,
    spread_events_per_second=20,
    live=1,
    raw=0.2,
    batch=100,
    batches=400,
    imported=2_000,
    large_import=4_000,
    large_table=100_000,
)
