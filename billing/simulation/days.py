"""Play the simulated operator's days, one after the other."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from billing.daily import DayRun, run_day
from billing.simulation.bank import Bank
from billing.simulation.network import Network
from billing.simulation.office import Office
from billing.simulation.world import FIRST_DAY, found_operator, moment_of_day, require_empty
from usage.ingestion.apply import apply_usage

# Days until all first lines are opened.
OPENING = 30
SUNDAY = 6
# Days of the week on which the bank's statement is imported.
REPORTED = (0, 3)


@dataclass(frozen=True)
class Setup:
    """Size of the operator. `steps` are random steps per day, `events` usage events per day."""

    lines: int
    months: int
    seed: int
    steps: int = 0
    events: int = 0

    @property
    def steps_a_day(self) -> int:
        return self.steps or max(3, self.lines // 330)

    @property
    def events_a_day(self) -> int:
        return self.events or 10 + self.lines // 14

    @property
    def last_day(self) -> date:
        months = FIRST_DAY.year * 12 + FIRST_DAY.month - 1 + self.months
        return date(months // 12, months % 12 + 1, 1) - timedelta(days=1)


@dataclass
class Tally:
    """Counts: random steps, refusals by step and reason, usage by outcome, rows of bank statements by kind,
    and the sum of the day's runs. `bank_faults`: what differs between the bank's account and the books."""

    steps: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    usage: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    calendar: DayRun = field(default_factory=DayRun)
    bank_faults: list[str] = field(default_factory=list)


def simulate_operator(setup: Setup, *, tell: Callable[[date, Tally], object]) -> Tally:
    """Play all days, and call `tell` after the last day of each month. Raise DomainError if the database is
    not empty."""
    require_empty()
    return _Operator(setup).play(tell)


class _Operator:
    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._random = Random(f"{setup.seed} calendar")  # noqa: S311
        self._world = found_operator(Random(f"{setup.seed} office"))  # noqa: S311
        self._bank = Bank(self._world, Random(f"{setup.seed} bank"))  # noqa: S311
        self._office = Office(self._world, self._bank.steps())
        self._network = Network(Random(f"{setup.seed} network"), moment_of_day(FIRST_DAY))  # noqa: S311
        self._tally = Tally(self._office.taken, self._office.refused, rows=self._bank.rows)
        # Days left without a day's run; the next run makes up for them.
        self._away = 0

    def play(self, tell: Callable[[date, Tally], object]) -> Tally:
        day = FIRST_DAY
        while day <= self._setup.last_day:
            for at, act in self._plan(day):
                act(at)
            following = day + timedelta(days=1)
            if following.month != day.month:
                tell(day, self._tally)
            day = following
        self._run_day(moment_of_day(day))
        self._bank.report(moment_of_day(day, 1))
        self._tally.bank_faults += self._bank.find_faults()
        return self._tally

    def _plan(self, day: date) -> list[tuple[datetime, Callable[[datetime], None]]]:
        """Return the day's actions by time; actions of the same second keep this order."""
        plan: list[tuple[datetime, Callable[[datetime], None]]] = []
        plan += [(self._at(day), self._office.open_line) for _ in range(self._new_lines(day))]
        plan += [(self._at(day), self._office.step) for _ in range(self._setup.steps_a_day)]
        plan.append((self._at(day), self._take_usage))
        if day.weekday() in REPORTED:
            plan.append((self._at(day), self._bank.report))
        plan += [(at, self._run_day) for at in self._runs(day)]
        return sorted(plan, key=lambda each: each[0])

    def _at(self, day: date) -> datetime:
        """Return a random second of the day's first 23 hours; now and then its first, when months end."""
        return moment_of_day(day, 0 if self._random.random() < 0.04 else self._random.randrange(23 * 3600))

    def _new_lines(self, day: date) -> int:
        opened = (day - FIRST_DAY).days
        if opened >= OPENING:  # new customers replace those who left
            return int(len(self._world.living) < self._setup.lines and self._random.random() < 0.4)
        return self._setup.lines * (opened + 1) // OPENING - self._setup.lines * opened // OPENING

    def _runs(self, day: date) -> list[datetime]:
        """Return the times of the day's runs: usually one at night, sometimes at midnight or twice, none on
        most Sundays. On some days they come at any hour, with hours of none between them, as beat's do when
        it was away."""
        if day.weekday() == SUNDAY and day.month % 6:
            return []
        if self._away:
            self._away -= 1
            return []
        draw = self._random.random()
        if draw < 0.02:
            self._away = self._random.randrange(1, 17)
        if 0.04 < draw < 0.1:
            return [moment_of_day(day, self._random.randrange(24 * 3_600)) for _ in range(3)]
        first = moment_of_day(day, 0 if draw > 0.95 else self._random.randrange(3_600, 4 * 3_600))
        return [first, first] if 0.02 < draw < 0.04 else [first]

    def _run_day(self, at: datetime) -> None:
        self._tally.runs += 1
        self._tally.calendar += run_day(at=at)

    def _take_usage(self, at: datetime) -> None:
        reports = self._network.batch(self._world.living, self._setup.events_a_day, at)
        for outcome in apply_usage(reports=reports, at=at) if reports else ():
            self._tally.usage[outcome.reason.value if outcome.reason else outcome.result.value] += 1
