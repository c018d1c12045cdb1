"""A queue that gives what the test puts in, and components that do as they are told."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sojourn import Batch, Raw
from sojourn.collector.health import Health
from sojourn.collector.meters import Meters
from sojourn.collector.paths import Outlet, Path, Step
from sojourn.collector.persistence import Persistence
from sojourn.collector.pipeline import Lane


def rows(*names: str) -> pa.RecordBatch:
    return pa.record_batch({"SpanName": list(names)})


class HandClock:
    """A clock that stands still."""

    def __init__(self, now: int = 1_000_000_000_000) -> None:
        self.time = now

    def now(self) -> int:
        return self.time


class Group:
    """A delivery: spans by name, or requests as they came."""

    def __init__(self, *names: str, raw: tuple[tuple[str, bytes], ...] = ()) -> None:
        self._names, self._raw = names, raw
        self.rows = len(names) or len(raw)
        self.bytes = 10 * self.rows
        self.oldest = 1_000_000_000_000
        self.outcome: list[Any] = []

    def traces(self) -> pa.RecordBatch | None:
        return rows(*self._names) if self._names else None

    def logs(self) -> None:
        return None

    def metrics(self) -> dict[str, pa.RecordBatch]:
        return {}

    def raw(self) -> list[tuple[str, bytes]]:
        return list(self._raw)

    logged = False

    @property
    def replayed(self) -> bool:
        return False

    def token(self, patience: float) -> str | None:
        return None

    def commit(self) -> None:
        self.outcome.append("committed")

    def refuse(self, message: str, retry_after: float | None) -> None:
        self.outcome.append(("refused", message, retry_after))


class Queue:
    """Stands for `_native.Lane`."""

    def __init__(self) -> None:
        self._groups: queue.Queue[Group | None] = queue.Queue()

    def put(self, group: Group) -> Group:
        self._groups.put(group)
        return group

    def next(self, timeout: float) -> Group | None:
        try:
            return self._groups.get(timeout=timeout)
        except queue.Empty:
            return None

    def wake(self) -> None:
        self._groups.put(None)

    close = wake

    def stats(self) -> dict[str, float]:
        return {"queued_bytes": 0.0, "queued_rows": 0.0, "capacity_bytes": 100.0}


@dataclass
class Spy:
    """A processor and an exporter that write down what happens, and fail when there is a failure left to raise."""

    told: list[Any] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    does: Callable[[Batch], Iterable[Batch]] = lambda batch: [batch]
    due: list[Batch] = field(default_factory=list)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    def process(self, batch: Batch) -> Iterable[Batch]:
        self.told.append(("process", batch.table, batch.records.num_rows))
        self._fail()
        return self.does(batch)

    def settle(self) -> Iterable[Batch]:
        return ()

    def tick(self, now: int) -> Iterable[Batch]:
        due, self.due = self.due, []
        return due

    def committed(self) -> None:
        self.told.append("committed")

    def discard(self) -> None:
        self.told.append("discard")

    def export(self, batch: Batch | Raw) -> None:
        self._fail()
        self.told.append(batch.requests if isinstance(batch, Raw) else (batch.table, batch.records.num_rows))


@dataclass
class Bench:
    """A lane with its surroundings."""

    steps: dict[str, Spy]
    outlets: dict[str, Spy]
    raw: bool = False
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Tables of outlets that do not take all."""
    queue: Queue = field(default_factory=Queue)
    health: Health = field(default_factory=Health)
    meters: Meters = field(default_factory=Meters)

    def __post_init__(self) -> None:
        self.persistence = Persistence(self.health, self.meters)
        path = Path(
            tuple(Step(id_, spy) for id_, spy in self.steps.items()),
            tuple(Outlet(id_, spy, self.raw, self.only.get(id_)) for id_, spy in self.outlets.items()),
        )
        paths = dict.fromkeys(("traces", "logs", "metrics"), path)
        queue: Any = self.queue
        self.lane = Lane("traces", queue, paths, HandClock(), self.health, self.meters, self.persistence, interval=3600.0)

    def __enter__(self) -> Bench:
        self.health.state = "running"
        self.lane.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.persistence.stop(5.0)
        self.lane.close()
        assert self.lane.join(10.0)

    def send(self, *groups: Group) -> Group:
        """Put groups in and wait until all of them have come to their end."""
        before = self.lane.rounds
        for group in groups:
            self.queue.put(group)
        assert self.lane.wait(lambda: self.lane.rounds >= before + len(groups), 10.0)
        return groups[-1]
