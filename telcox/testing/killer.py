"""kill -9, at random moments, of the processes that take part in counting usage."""

import csv
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from telcox.testing.network import Account, Event, Source, counted_up_to
from telcox.testing.processes import Process
from telcox.testing.senders import Sender
from telcox.testing.servers import MariaDB
from telcox.testing.stack import Served

# Records in one file of the importer.
RECORDS = 20_000


class Importer:
    """Runs of `import_cdr`: again and again on a file until it succeeds, then on the next file.

    `account` has the usage in all files.
    """

    def __init__(self, source: Source, env: Mapping[str, str], folder: Path) -> None:
        self.source, self.env, self.folder = source, env, folder
        self.account = Account()
        self.files = 0
        self.process: Process | None = None

    def go_on(self) -> None:
        if self.process and self.process.running:
            return
        if self.process is None or self.process.returncode == 0:
            self._write_file()
        command = [sys.executable, "manage.py", "import_cdr", str(self.folder / f"{self.files}.csv")]
        self.process = Process("importer", command, env=self.env, output=self.folder / "log").start()

    def finish(self) -> None:
        """Import the current file to its end."""
        while self.process and self.process.returncode != 0:
            self.go_on()
            time.sleep(0.1)

    def _write_file(self) -> None:
        records = self.source.events(RECORDS)
        self.account.book(records)
        self.files += 1
        with (self.folder / f"{self.files}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(Event._fields)
            writer.writerows(records)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.process.stop()


class Killer:
    """Killer of one random process a round, which is then started again. `kills` counts them by name, and
    `hits` those killed while a request or an import was in progress."""

    def __init__(
        self,
        mariadb: MariaDB,
        web: Sequence[Served],
        importer: Importer,
        senders: Sequence[Sender],
        chosen: random.Random,
    ) -> None:
        self.mariadb, self.web, self.importer, self.senders = mariadb, web, importer, senders
        self._chosen = chosen
        self.kills: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()

    def round(self) -> None:
        self.importer.go_on()
        time.sleep(self._chosen.uniform(0.1, 2.0))
        victim = self._chosen.choice([self.importer.process, self.mariadb, self._chosen.choice(self.web)])
        assert victim
        if victim is self.importer.process:
            busy = victim.running
        else:
            busy = any(sender.asking for sender in self.senders)
        victim.kill()
        acknowledged = {sender.source.name: sender.acknowledged for sender in self.senders}
        self.kills[victim.name] += 1
        self.hits[victim.name] += busy
        if victim is not self.importer.process:
            victim.start()
        # Acknowledged events are never sent again, so a lost one cannot have been replaced meanwhile.
        assert counted_up_to(self.mariadb.url, acknowledged) == acknowledged
