"""The way through a lane: which processors and exporters a signal passes, and what of a group has to be stored where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sojourn.component import FORGET, Batch, Export, Process, Raw

if TYPE_CHECKING:
    from sojourn import _native

_ORDER: Final = {"session_trace_rows": 1, "session_segment_rows": 2, "session_rows": 3, "session_event_rows": 4}
"""Spans before what is derived from them, events last: a reader never sees a session whose spans are missing."""
DERIVED: Final = len(_ORDER)
"""How many tables hold what is derived."""
LAST: Final = DERIVED + 1
"""The rank of what is to be removed: after everything is stored that says so."""


@dataclass(frozen=True, slots=True)
class Step:
    """A running processor and its id."""

    id: str
    process: Process
    looks: bool = True
    """Whether it sees rows; if not, it works on requests before they are decoded."""
    lifts: bool = False
    """Whether it reads facts, which have to follow what processors of others before it changed."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """A running exporter and its id."""

    id: str
    export: Export
    raw: bool
    tables: frozenset[str] | None = None
    """The tables whose rows it takes; None for all."""

    def takes(self, batch: Batch) -> bool:
        """Whoever sends requests on takes the rows of which they are made."""
        if self.raw:
            return batch.table.startswith("otel_")
        return self.tables is None or batch.table in self.tables


@dataclass(frozen=True, slots=True)
class Path:
    """What happens to one signal in a lane."""

    steps: tuple[Step, ...]
    outlets: tuple[Outlet, ...]

    @property
    def looks(self) -> bool:
        """Whether a processor sees rows, so that they may differ from the requests that they came in."""
        return any(step.looks for step in self.steps)

    @property
    def writes(self) -> bool:
        """Whether requests are written of what processors leave."""
        return self.looks and any(outlet.raw for outlet in self.outlets)

    @property
    def remembers(self) -> bool:
        """Whether the requests of a group are needed as long as it is in hand."""
        return self.writes or any(step.lifts for step in self.steps)


Parcel = tuple[Outlet, Batch | Raw]
"""A batch and where it goes."""


def rows(batches: Iterable[Batch]) -> int:
    return sum(batch.records.num_rows for batch in batches)


def rank(parcel: Parcel) -> int:
    """What was received first. Who takes certain tables only comes before who stores what is derived: these rows say what was told."""
    outlet, batch = parcel
    if isinstance(batch, Raw) or outlet.tables is not None:
        return 0
    return LAST if batch.table == FORGET else _ORDER.get(batch.table, 0)


def addressed(path: Path, batches: Iterable[Batch]) -> list[Parcel]:
    return [(outlet, batch) for batch in batches for outlet in path.outlets if outlet.takes(batch) and (path.looks or not outlet.raw)]


def told_apart(parcels: Iterable[Parcel], token: str | None, again: bool) -> list[Parcel]:
    """The same batches, each with a token of its own that is the same whenever the group is `token`; `again` as in Batch."""
    if token is None:
        return list(parcels)
    counts: Counter[tuple[str, str]] = Counter()
    return [(outlet, _told_apart(outlet, batch, token, again, counts)) for outlet, batch in parcels]


def _told_apart(outlet: Outlet, batch: Batch | Raw, token: str, again: bool, counts: Counter[tuple[str, str]]) -> Batch | Raw:
    if isinstance(batch, Raw):
        return batch
    number = counts[outlet.id, batch.table]
    counts[outlet.id, batch.table] += 1
    return replace(batch, token=f"{token}-{batch.table}" + (f".{number}" if number else ""), again=again)


def decoded(delivery: _native.Delivery, paths: Mapping[str, Path]) -> Iterator[tuple[Path, Batch]]:
    """The rows of a group for the paths that look inside: spans, then log records, then metric points."""
    for signal in ("traces", "logs", "metrics"):
        path = paths.get(signal)
        if path is not None and (path.steps or any(not outlet.raw for outlet in path.outlets)):
            for table, records in _tables(delivery, signal):
                import pyarrow  # only here: a lane that forwards must not pay 50 MB for it

                yield path, Batch(table, pyarrow.record_batch(records))


def _tables(delivery: _native.Delivery, signal: str) -> Iterator[tuple[str, object]]:
    if signal == "metrics":
        yield from sorted(delivery.metrics().items())
        return
    table, records = ("otel_traces", delivery.traces()) if signal == "traces" else ("otel_logs", delivery.logs())
    if records is not None:
        yield table, records


def raw(delivery: _native.Delivery, paths: Mapping[str, Path]) -> Iterator[Parcel]:
    """The requests of a group as they came, by signal, for the exporters that send them on, where nothing looks inside."""
    if not any(outlet.raw for path in paths.values() for outlet in path.outlets if not path.looks):
        return
    requests: dict[str, list[bytes]] = {}
    for signal, body in delivery.raw():
        requests.setdefault(signal, []).append(body)
    for signal, bodies in requests.items():
        for outlet in paths[signal].outlets:
            if outlet.raw and not paths[signal].looks:
                yield outlet, Raw(signal, tuple(bodies))
