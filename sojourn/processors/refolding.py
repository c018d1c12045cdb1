"""Sessions folded again from what is stored of them, by the very code that folds them when their spans come, and compared with their rows.

What was told of a session once must be what its stored spans say for ever. This looks whether it is, and mends what is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from sojourn import _native
from sojourn.component import REPRICE, Batch, Host
from sojourn.processors.beside import meet, only
from sojourn.schema import FLAGS, MOST_TRACES, SESSION_ROWS, SESSION_SEGMENT_ROWS, SESSION_TRACE_ROWS
from sojourn.sessions.lifecycle import SECOND
from sojourn.sessions.names import NAME, Key, keys_of
from sojourn.sessions.packed import TRACE, column, copy, numbers, view
from sojourn.sessions.requests import Difference, Refold
from sojourn.sessions.telling import Telling, Trace

if TYPE_CHECKING:
    from sojourn.processors.remembering import Memory
    from sojourn.storage.history import History

TEXTS: Final = 64 << 20
PASSES: Final = 8
"""How often what records tell may change what of a trace counts; in truth once or twice."""
Row = dict[str, Any]
Id = tuple[Key, str]
"""A session, and the trace or the segment of it; '' for the session itself."""

_UNEQUAL: Final = frozenset({"Version", "Collector", "Revision", "LastSeen", "Deleted", "Arrival", "Alerts"})
"""Not compared: who wrote the row and when, and what follows from that (sessions.md 7)."""
_STATE: Final = frozenset({"State", "EndReason"})
_SKEW: Final = FLAGS["clock_skew"]
PARTS: Final = (SESSION_TRACE_ROWS.name, SESSION_SEGMENT_ROWS.name, SESSION_ROWS.name)


@dataclass(frozen=True, slots=True)
class Still:
    """A clock that stands."""

    time: int

    def now(self) -> int:
        return self.time


@dataclass(frozen=True, slots=True)
class Found:
    """What a table should hold of some sessions: batches, and which row of which of them each thing is."""

    batches: list[pa.RecordBatch]
    rows: dict[Id, tuple[int, int]]
    """(batch, row)"""

    def row(self, id_: Id) -> Row:
        batch, row = self.rows[id_]
        return next(plain(self.batches[batch].slice(row, 1)))[1]

    def of(self, wanted: Callable[[Id], bool]) -> Iterator[pa.RecordBatch]:
        """These rows."""
        for number, batch in enumerate(self.batches):
            mine = [row for id_, (at, row) in self.rows.items() if at == number and wanted(id_)]
            if mine:
                yield batch.take(pa.array(mine))


Tables = dict[str, pa.Table]
"""Stored rows of some sessions by table."""


def refold(host: Host, request: Refold, memory: Memory, keeping: Callable[[Host, list[Key]], Any]) -> list[Batch]:
    """Compare the rows of these sessions with what their stored spans say, and give rows that mend what differs.

    `keeping` makes a `lifecycle` that knows nothing but what people said of these sessions.
    """
    history, now = host.history, host.clock.now()
    if history is None or memory.telling.folding is None:
        request.later = list(request.keys)
        return []
    tables = _stored(history, request, memory, now)
    keys = [key for key in request.keys if key not in set(request.later)]
    if not keys:
        return []
    found, orders = _again(host, request, keys, tables[SESSION_TRACE_ROWS.name], now, lambda own: keeping(own, keys), memory.telling)
    asleep = memory.asleep(tables[SESSION_ROWS.name])
    request.differences = [each for name in PARTS for each in differences(name, tables[name], found[name], asleep)]
    if request.check:
        return []
    batches = _mended(request, tables, found, memory, now) if request.differences else []
    if orders is None:
        return batches
    memory.telling.folding.forget(list(dict.fromkeys(zip(*(orders.column(n).to_pylist() for n in ("Tenant", "TraceId")), strict=True))))
    return [Batch(REPRICE, orders), *batches]


def _stored(history: History, request: Refold, memory: Memory, now: int) -> Tables:
    """What is stored of the sessions; those of which something is yet to be told are left for later, and those that were told when the
    clock was ahead of what it says now: nobody can say again how silent they were then."""
    request.later = memory.unsettled(request.keys, now)
    keys = [key for key in request.keys if key not in set(request.later)]
    assert memory.telling.folding is not None
    sessions = history.sessions(keys)
    told = np.asarray(sessions.column("Version")).astype(np.int64) <= (now + SECOND) // 1000
    ahead = set(keys_of(sessions.filter(pa.array(~told)))) if not told.all() else set()
    request.later += sorted(ahead)
    keys = [key for key in keys if key not in ahead]
    traces, busy = history.trace_rows_of_sessions(keys), memory.telling.folding.unsettled()
    ids = list(zip(keys_of(traces), traces.column("TraceId").to_pylist(), strict=True))
    counts: dict[Key, int] = {}
    for key, _ in ids:
        counts[key] = counts.get(key, 0) + 1
    left = {key for key, trace in ids if (key[0], trace) in busy or counts[key] >= MOST_TRACES}
    request.later += sorted(left)
    kept = pa.array([key not in left for key, _ in ids], pa.bool_())
    keys = [key for key in keys if key not in left]
    wanted = set(keys)
    return {
        SESSION_TRACE_ROWS.name: traces.filter(kept) if left else traces,
        SESSION_SEGMENT_ROWS.name: history.segments(keys),
        SESSION_ROWS.name: sessions.filter(pa.array([key in wanted for key in keys_of(sessions)], pa.bool_())),
    }


def _again(
    host: Host, request: Refold, keys: list[Key], stored: pa.Table, now: int, keeping: Callable[[Host], Any], known: Telling
) -> tuple[dict[str, Found], pa.RecordBatch | None]:
    """Fold the sessions as they are `now`, by processors that know nothing but the stored spans: what each table should hold, and what
    costs something else now, if that is asked for.

    Who tells calls in records is found out on the way, as it is live: a trace is folded again when it was folded with something else in
    mind. Of other sessions, of which records stand in the same traces, the stored rows say it. `stored` are the sessions' trace rows.
    """
    assert host.history is not None
    assert known.folding is not None
    telling = Telling()
    telling.missing, telling.tenants, telling.graves = known.missing, known.tenants, known.graves
    own = replace(host, clock=Still(now), texts=_native.Texts(TEXTS), history=None, telling=telling)
    fold = known.folding.afresh(own)
    orders = fold.take_stored(host.history, _traces_of(host.history, request, keys, stored), request.reprice)
    arrived, traces, derived = _arrivals(stored), [], []
    wanted, batch = set(keys), fold.settle()
    for number in range(PASSES):
        if batch is None:
            break
        fold.committed()
        if not number:
            meet(own, host.history, batch, wanted)
        traces.append(only(as_arrived(batch, arrived), wanted))
        lifecycle = keeping(own)
        for told in traces:
            list(lifecycle.process(Batch(SESSION_TRACE_ROWS.name, told)))
        derived = list(lifecycle.settle())
        lifecycle.committed()
        batch = fold.due()
    parts = {name: [batch.records for batch in derived if batch.table == name] for name in PARTS}
    return {name: _found(batches, wanted) for name, batches in (parts | {SESSION_TRACE_ROWS.name: traces}).items()}, orders


def _traces_of(history: History, request: Refold, keys: list[Key], stored: pa.Table) -> list[Trace]:
    """The traces and log traces that may be in these sessions."""
    ids = dict.fromkeys(zip(stored.column("Tenant").to_pylist(), stored.column("TraceId").to_pylist(), strict=True))
    if request.thorough:
        ids |= dict.fromkeys(history.traces_naming(keys))
    return list(ids)


def _arrivals(stored: pa.Table) -> Mapping[Id, int]:
    times = np.asarray(stored.column("Arrival")).astype("datetime64[ns]").astype(np.int64).tolist()
    return dict(zip(_ids(stored), times, strict=True))


def as_arrived(batch: pa.RecordBatch, arrived: Mapping[Id, int]) -> pa.RecordBatch:
    """The trace rows with the arrival that was told, if it is earlier. Of equal copies that take a time from their arrival the first stays
    (docs/decisions/0015); of those with times of their own a merge keeps the one stored last, and with it only another arrival."""
    rows = copy(view(batch.column("_trace"), TRACE))
    told = np.array([arrived.get(id_, np.iinfo(np.int64).max) for id_ in _ids(batch)], np.int64)
    rows["arrival"] = np.minimum(rows["arrival"], told)
    times = pa.array(np.ascontiguousarray(rows["arrival"])).cast(batch.schema.field("Arrival").type)
    names = batch.schema.names
    columns = [{"Arrival": times, "_trace": column(rows)}.get(name, batch.column(name)) for name in names]
    return pa.RecordBatch.from_arrays(columns, names)


def _found(batches: list[pa.RecordBatch], wanted: set[Key]) -> Found:
    """Of several rows of one thing the last; deleted ones are not there."""
    rows: dict[Id, tuple[int, int]] = {}
    for number, batch in enumerate(batches):
        gone = np.asarray(batch.column("Deleted")).tolist()
        for at, (id_, deleted) in enumerate(zip(_ids(batch), gone, strict=True)):
            rows.pop(id_, None)
            if not deleted and id_[0] in wanted:
                rows[id_] = number, at
    return Found(batches, rows)


def _ids(batch: pa.RecordBatch | pa.Table) -> Iterator[Id]:
    part = next((name for name in ("TraceId", "Segment") if name in batch.schema.names), None)
    own = [""] * batch.num_rows if part is None else map(str, batch.column(part).to_pylist())
    return zip(keys_of(batch), own, strict=True)


def plain(batch: pa.RecordBatch | pa.Table) -> Iterator[tuple[Id, Row]]:
    """Rows as what is compared of them: times as numbers, lists sorted, without what may differ."""
    names = [name for name in batch.schema.names if not name.startswith("_") and name not in _UNEQUAL]
    columns = [batch.column(name) for name in names]
    columns = [each.cast("int64") if pa.types.is_timestamp(each.type) else each for each in columns]
    for id_, values in zip(_ids(batch), zip(*(each.to_pylist() for each in columns), strict=True), strict=True):
        yield id_, _comparable(dict(zip(names, values, strict=True)))


def _comparable(row: Row) -> Row:
    for nested in ("Metadata", "Notes", "Scores", "Measures"):
        parts = [name for name in row if name.startswith(f"{nested}.")]
        if parts:
            row[nested] = sorted(zip(*(row.pop(name) for name in parts), strict=True))
    if isinstance(row["Flags"], int):
        row["Flags"] &= ~_SKEW
    else:
        row["Flags"] = [flag for flag in row["Flags"] if flag != "clock_skew"]
    return {name: sorted(value) if isinstance(value, list) else value for name, value in row.items() if name not in NAME}


def differences(table: str, stored: pa.Table, found: Found, asleep: set[Key]) -> list[Difference]:
    """Where stored rows are not what was found. Of the sessions `asleep` nobody has told yet that they have become silent."""
    had = dict(plain(stored))
    out = []
    for id_ in had.keys() | found.rows.keys():
        key, row = id_
        if id_ not in found.rows or id_ not in had:
            there = "a row"
            out.append(Difference(key, table, row, "", there if id_ in had else None, None if id_ in had else there))
            continue
        old, new = had[id_], found.row(id_)
        names = [name for name in new if old[name] != new[name] and not (key in asleep and name in _STATE)]
        out += [Difference(key, table, row, name, old[name], new[name]) for name in names]
    return sorted(out, key=lambda each: (each.key, each.row, each.column))


def _mended(request: Refold, tables: Tables, found: dict[str, Found], memory: Memory, now: int) -> list[Batch]:
    """The rows that make the tables right, and what the memory becomes with them."""
    folding, wrong = memory.telling.folding, request.wrong
    assert folding is not None
    rows = tables[SESSION_ROWS.name]
    names = ("Revision", "Alerts")
    before = dict(zip(keys_of(rows), zip(*(rows.column(name).to_pylist() for name in names), strict=True), strict=True))
    traces = {(each.key, each.row) for each in request.differences if each.table == SESSION_TRACE_ROWS.name}
    versions = {name: memory.versions.next(now) for name in PARTS[1:]} | {PARTS[0]: folding.next_version()}
    batches = []
    for name in PARTS:
        chosen = traces.__contains__ if name == PARTS[0] else lambda id_: id_[0] in wrong
        told = [_stamped(batch, versions[name], before) for batch in found[name].of(chosen)]
        gone = [at for at, id_ in enumerate(_ids(tables[name])) if id_[0] in wrong and id_ not in found[name].rows]
        if gone:
            told.append(gone_rows(tables[name].take(pa.array(gone)), versions[name]))
        batches += [Batch(name, batch) for batch in told]
        if name == SESSION_ROWS.name:
            memory.retell(sorted(wrong), told)
    folding.forget(
        list({(key[0], trace) for key, trace in _ids(tables[PARTS[0]]) if key in wrong} | {(key[0], trace) for key, trace in traces})
    )
    return batches


def _stamped(batch: pa.RecordBatch, version: int, before: Mapping[Key, tuple[int, list[str]]]) -> pa.RecordBatch:
    """The rows with a newer version and revision, and the alerts that were told: those that fire only now have yet to be."""
    new = {"Version": numbers(np.full(len(batch), version, np.uint64))}
    told = [before.get(key, (0, [])) for key in keys_of(batch)] if "Revision" in batch.schema.names else []
    if "Revision" in batch.schema.names:
        new["Revision"] = pa.array([revision + 1 for revision, _ in told], pa.uint64())
    if "Alerts" in batch.schema.names:
        new["Alerts"] = pa.array([alerts for _, alerts in told], pa.list_(pa.string()))
    names = batch.schema.names
    return pa.RecordBatch.from_arrays([new.get(name, batch.column(name)) for name in names], names)


def gone_rows(stored: pa.Table, version: int) -> pa.RecordBatch:
    """Stored rows as ones that say that there is no such thing."""
    new = {"Version": numbers(np.full(len(stored), version, np.uint64)), "Deleted": numbers(np.ones(len(stored), np.uint8))}
    batch = stored.combine_chunks().to_batches()[0]
    names = [name for name in batch.schema.names if name != "Collector"]
    return pa.RecordBatch.from_arrays([new.get(name, batch.column(name)) for name in names], names)
