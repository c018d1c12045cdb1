"""A lifecycle processor with a hand-set clock and a database that is a dictionary, to be asked what it stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sojourn import _native
from sojourn.component import Batch, Host
from sojourn.exporters.clickhouse import Clickhouse, Inserting
from sojourn.processors.lifecycle import Lifecycle
from sojourn.schema import FACETS, FLAGS, SESSION_ROWS, SESSION_SEGMENT_ROWS, SESSION_TRACE_ROWS
from sojourn.sessions.graves import Grave
from sojourn.sessions.packed import column, lists
from sojourn.sessions.rows import pack
from sojourn.storage.database import Database
from sojourn.storage.history import History as RealHistory
from tests.oracle_lifecycle import COUNTS, Limits, Trace, live, rows

NOW = 1_790_000_000_000_000_000
TIME = pa.timestamp("ns", "UTC")
KEYS = {
    "session_trace_rows": ("Tenant", "Project", "SessionId", "TraceId"),
    "session_segment_rows": ("Tenant", "Project", "SessionId", "Segment"),
    "session_rows": ("Tenant", "Project", "SessionId"),
}


class Clock:
    def __init__(self, now: int = NOW) -> None:
        self.time = now

    def now(self) -> int:
        return self.time


class Texts:
    """Like `_native.Texts`: hashes differ from process to process, and what is forgotten comes back as null."""

    def __init__(self, salt: int = 0) -> None:
        self._salt = salt.to_bytes(8, "little")
        self._texts: dict[int, str] = {}

    def intern(self, array: Any) -> bytes:
        array = pa.array(array)
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        return np.array([self._hash(text) for text in array.to_pylist()], "<u8").tobytes()

    def _hash(self, text: str | None) -> int:
        if not text:
            return 0
        found = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=self._salt).digest(), "little")
        self._texts[found] = text
        return found

    def lookup(self, hashes: Any) -> pa.Array:
        return pa.array([self._texts.get(each) if each else "" for each in np.frombuffer(hashes, "<u8").tolist()], pa.string())

    def forget(self) -> None:
        self._texts.clear()


class History:
    """What was stored: of the rows of one key the one with the greatest version. Reads are counted."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {name: {} for name in KEYS}
        self.schemas: dict[str, pa.Schema] = {}
        self.events: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def store(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            records = batch.records.select([name for name in batch.records.schema.names if not name.startswith("_")])
            if batch.table == "session_event_rows":
                self.events += records.to_pylist()
                continue
            self.schemas[batch.table] = records.schema
            table = self.tables[batch.table]
            for row in pa.Table.from_batches([_comparable(records)]).to_pylist():
                key = tuple(row[name] for name in KEYS[batch.table])
                assert key not in table or row["Version"] > table[key]["Version"], "versions grow"
                table[key] = row

    def live(self, table: str) -> list[dict[str, Any]]:
        return [row for row in self.tables[table].values() if not row["Deleted"]]

    def _table(self, name: str, keys: Sequence[tuple[str, str, str]] | None) -> pa.Table:
        self.asked.append(name)
        wanted = None if keys is None else set(keys)
        found = [row for row in self.live(name) if wanted is None or (row["Tenant"], row["Project"], row["SessionId"]) in wanted]
        return _as_table(name, found)

    def last_version(self) -> int:
        return max((row["Version"] for table in self.tables.values() for row in table.values()), default=0)

    def trace_rows_of_sessions(self, keys: Sequence[tuple[str, str, str]]) -> pa.Table:
        return self._table("session_trace_rows", keys)

    def sessions(self, keys: Sequence[tuple[str, str, str]]) -> pa.Table:
        return self._table("session_rows", keys)

    def open_sessions(self, most: int) -> pa.Table:
        self.asked.append("open_sessions")
        found = sorted((row for row in self.live("session_rows") if row["State"] != "ended"), key=lambda row: -row["LastSeen"])
        return _as_table("session_rows", found[:most])

    def ended_sessions(self, since: int, most: int) -> pa.Table:
        self.asked.append("ended_sessions")
        ended = [row for row in self.live("session_rows") if row["State"] == "ended" and max(row["End"], row["LastSeen"] * 10**6) >= since]
        return _as_table("session_rows", sorted(ended, key=lambda row: -row["LastSeen"])[:most])

    def untold_sessions(self, collector: str) -> pa.Table:
        rows = self.live("session_rows")
        newest = max((row["Version"] for row in self.tables["session_rows"].values()), default=0)
        told = any(event["Version"] == newest for event in self.events)
        return _as_table("session_rows", [] if told else [row for row in rows if row["Version"] == newest])

    def last_events(self, keys: Sequence[tuple[str, str, str]]) -> pa.Table:
        found = []
        for key in keys:
            mine = [event for event in self.events if _key(event) == key]
            if mine:
                begun = [event["Segment"] for event in mine if event["Event"] in ("session.start", "session.rotated")]
                states = ("session.start", "session.rotated", "session.reopened", "session.idle", "session.end")
                last = max((event["Segment"], event["Version"], event["Event"]) for event in mine if event["Event"] in states)
                fired = sorted({event["Reason"] for event in mine if event["Event"] == "session.alert"})
                found.append((*key, max(begun, default=-1) + 1, last[2], fired))
        columns = list(zip(*found, strict=True)) or [[]] * 6
        kinds = [pa.string()] * 3 + [pa.uint32(), pa.string(), pa.list_(pa.string())]
        names = ["Tenant", "Project", "SessionId", "Segments", "Last", "Fired"]
        return pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, kinds, strict=True)})

    def silent_sessions(self, since: int, most: int) -> pa.Table:
        self.asked.append("silent_sessions")
        heard = {id(row): max(row["End"], row["LastSeen"] * 10**6) for row in self.live("session_rows") if row["State"] != "ended"}
        found = sorted((row for row in self.live("session_rows") if heard.get(id(row), since + 1) <= since), key=lambda row: heard[id(row)])
        return _as_table("session_rows", found[:most])

    def marked_digests(self) -> np.ndarray:
        return np.zeros(0, np.uint64)

    retention = 0

    def graves(self, undone: bool = False) -> list[Grave]:
        return []

    def marks(self, keys: Sequence[tuple[str, str, str]]) -> pa.Table:
        raise AssertionError("nobody said anything of any session")

    def session_digests(self) -> Iterable[np.ndarray]:
        rows = self.tables["session_rows"].values()
        yield np.array([_native.digest("\0".join(_key(row)).encode()) for row in rows], np.uint64)


def _comparable(records: pa.RecordBatch) -> pa.RecordBatch:
    """Times as whole numbers, words as plain text."""
    arrays = []
    for array in records.columns:
        if pa.types.is_timestamp(array.type):
            array = array.cast(pa.int64())
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, records.schema.names)


def _as_table(name: str, found: list[dict[str, Any]]) -> pa.Table:
    """Rows as the database would answer."""
    schema = {"session_trace_rows": SESSION_TRACE_ROWS, "session_rows": SESSION_ROWS, "session_segment_rows": SESSION_SEGMENT_ROWS}[name]
    columns = {}
    for each in schema.columns:
        if each.name != "Collector":
            columns[each.name] = pa.array([row[each.name] for row in found], _arrow(each.type))
    return pa.table(columns)


def _arrow(kind: str) -> pa.DataType:
    if kind.startswith("LowCardinality") or kind == "String":
        return pa.string()
    if kind.startswith("Array"):
        return pa.list_(_arrow(kind[6:-1]))
    if kind.startswith("Map"):
        return pa.map_(pa.string(), pa.string())
    if kind.startswith("DateTime64"):
        return pa.timestamp("ms" if "3" in kind else "ns", "UTC")
    return getattr(pa, kind.lower())()


def trace_rows(traces: Sequence[Trace], texts: Any, version: int) -> pa.RecordBatch:
    """Traces as `aggregate` hands them over."""
    columns: dict[str, pa.Array] = {}
    for name, at in (("Tenant", 0), ("Project", 1), ("SessionId", 2)):
        columns[name] = pa.array([trace.session[at] for trace in traces], pa.string())

    def add(name: str, values: Iterable[Any], kind: pa.DataType) -> None:
        columns[name] = pa.array(list(values), kind)

    add("TraceId", (trace.trace_id for trace in traces), pa.string())
    add("Name", (trace.name for trace in traces), pa.string())
    add("PromptName", (trace.prompt_name for trace in traces), pa.string())
    for name, field in (("SessionName", "session_name"), ("UserId", "user")):
        told = [getattr(trace, field) or ("", 0, 0) for trace in traces]
        prefix = "User" if name == "UserId" else name
        add(name, (each[0] for each in told), pa.string())
        add(f"{prefix}At", (each[1] for each in told), pa.int64())
        add(f"{prefix}Span", (each[2] for each in told), pa.uint64())
    for name in ("Start", "End", "Arrival"):
        add(name, (getattr(trace, name.lower()) for trace in traces), TIME)
    add("Turn", (int(trace.turn) for trace in traces), pa.uint8())
    add("Status", ("error" if trace.error else "ok" for trace in traces), pa.string())
    for name in COUNTS:
        add(name, (trace.spans if name == "Spans" else trace.numbers.get(name, 0) for trace in traces), pa.uint64())
    add("CostPico", (-1 if trace.cost is None else trace.cost for trace in traces), pa.int64())
    add("CostSources", (trace.cost_sources for trace in traces), pa.uint8())
    for name in ("Services", "Models", "Providers", "Tools", "Tags"):
        add(name, (sorted(getattr(trace, name.lower())) for trace in traces), pa.list_(pa.string()))
    add("OtherIds", ([] for _ in traces), pa.list_(pa.string()))
    metadata = [sorted(trace.metadata.items()) for trace in traces]
    add("Metadata.Key", ([key for key, _ in each] for each in metadata), pa.list_(pa.string()))
    for at, (name, kind) in enumerate((("Value", pa.string()), ("At", pa.int64()), ("Span", pa.uint64()))):
        add(f"Metadata.{name}", ([value[at] for _, value in each] for each in metadata), pa.list_(kind))
    add("Flags", (sum(FLAGS[flag] for flag in trace.flags) + trace.only_marks * FLAGS["only_marks"] for trace in traces), pa.uint32())
    add("Input", ("" for _ in traces), pa.string())
    add("Output", ("" for _ in traces), pa.string())
    for at, (name, kind) in enumerate((("At", pa.int64()), ("Span", pa.uint64()), ("Output", pa.string()))):
        add(f"LastCall{name}", ((trace.last_call or (0, 0, ""))[at] for trace in traces), kind)
    notes = [_notes(trace) for trace in traces]
    kinds = (("What", pa.uint8()), ("Key", pa.uint64()), ("Text", pa.string()), ("At", pa.int64()), ("Span", pa.uint64()))
    for at, (name, kind) in enumerate(kinds):
        add(f"Notes.{name}", ([note[at] for note in each] for each in notes), pa.list_(kind))
    sums = (("Scores.Name", pa.string()), ("Scores.Count", pa.uint64()), ("Scores.Sum", pa.int64()))
    for name, kind in (*sums, ("Measures.Name", pa.string()), ("Measures.Value", pa.int64()), ("Measures.How", pa.uint8())):
        add(name, ([] for _ in traces), pa.list_(kind))
    add("Version", (version for _ in traces), pa.uint64())
    add("Deleted", (int(trace.gone) for trace in traces), pa.uint8())
    packed, facets, counts = pack(pa.table(columns), texts)
    columns["_trace"], columns["_facets"] = column(packed), lists(facets, counts)
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _notes(trace: Trace) -> list[tuple[int, int, str, int, int]]:
    """What, Key, Text, At and Span of each note; one that lifecycle has nothing to do with among them."""
    marks = [(FACETS[f"{why.replace('explicit', 'end')}_mark"], 0, "", at, 0) for at, why in trace.marks]
    prompts = [(FACETS["prompt"], before, text, at, span) for at, span, text, before in trace.prompts]
    if trace.previous is not None:
        marks.append((FACETS["previous_id"], 0, *trace.previous, 0))
    return [*prompts, (FACETS["telling"], 1, "agent", 0, 0), *marks] if prompts or marks else []


class Tables:
    """The same on a real database: what the exporter stores and the history reads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._exporter = Inserting(Clickhouse(), database, "here")
        self.history = RealHistory(database)

    def store(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            self._exporter.export(batch)

    def live(self, table: str) -> list[dict[str, Any]]:
        rows = self._database.query_arrow(f"SELECT * FROM {self._database.name}.{table} FINAL WHERE Deleted = 0")
        return [] if rows is None else _from_database(rows)

    @property
    def events(self) -> list[dict[str, Any]]:
        sql = f"SELECT * FROM {self._database.name}.session_event_rows FINAL ORDER BY Version, SessionId, Segment, Revision, Event"
        rows = self._database.query_arrow(sql)
        return [] if rows is None else _from_database(rows)


def _from_database(table: pa.Table) -> list[dict[str, Any]]:
    table = table.combine_chunks()
    rows = [row for batch in table.to_batches() for row in pa.Table.from_batches([_comparable(batch)]).to_pylist()]
    for row in rows:
        row.pop("Collector")
    return rows


class World:
    """One collector after another on one database."""

    def __init__(self, history: bool = True, database: Any = None, native: bool = False, **parameters: Any) -> None:
        self.clock, self.database = Clock(), database or History()
        self._history = getattr(self.database, "history", self.database) if history else None
        self._parameters, self._native = parameters, native
        self._lives, self._version = 0, 0
        self._stack = ExitStack()
        self.texts: Any = None
        self.restart()

    def restart(self) -> None:
        """Everything in memory is gone, without a chance to say goodbye."""
        self._lives += 1
        self.texts = _native.Texts(1 << 20) if self._native else Texts(self._lives)
        host = Host(self.clock, "here", Path("."), self.texts, self._history)
        self.process: Any = self._stack.enter_context(Lifecycle(**self._parameters).open(host))

    def feed(self, *traces: Trace, commit: bool = True) -> list[Batch]:
        """One group."""
        batches = self.told(*traces)
        if commit:
            self.commit(batches)
        else:
            self.process.discard()
        return batches

    def told(self, *traces: Trace) -> list[Batch]:
        """What is told of one group, before anything is stored."""
        return self.told_of([list(traces)])

    def told_of(self, batches: list[list[Trace]]) -> list[Batch]:
        """The same of a group that comes in several batches."""
        out = []
        for traces in batches:
            self._version += 1
            batch = Batch("session_trace_rows", trace_rows(traces, self.texts, self.clock.now() // 1000 + self._version))
            out += self.process.process(batch)
        return [*out, *self.process.settle()]

    def commit(self, batches: list[Batch]) -> None:
        self.database.store(batches)
        self.process.committed()

    def tick(self, now: int | None = None) -> list[Batch]:
        self.clock.time = self.clock.time if now is None else now
        batches = list(self.process.tick(self.clock.time))
        self.commit(batches)
        return batches

    def sessions(self) -> dict[Any, dict[str, Any]]:
        return {_key(row): _plain(row) for row in self.database.live("session_rows")}

    def segments(self) -> dict[Any, list[dict[str, Any]]]:
        out: dict[Any, list[dict[str, Any]]] = {}
        only = [row | {"Segment": 0} for row in self.database.live("session_rows") if row["Segments"] == 1]
        for row in sorted([*only, *self.database.live("session_segment_rows")], key=lambda row: row["Segment"]):
            out.setdefault(_key(row), []).append(_plain(row))
        return out

    def events(self, *columns: str) -> list[tuple[Any, ...]]:
        return [tuple(event[name] for name in columns or ("SessionId", "Segment", "Event", "Reason")) for event in self.database.events]


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["Tenant"], row["Project"], row["SessionId"]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what may differ between two ways to the same answer."""
    unequal = ("Revision", "LastSeen", "Version", "Deleted", "Alerts")
    row = {name: value for name, value in row.items() if name not in unequal and not name.startswith(("Scores.", "Measures."))}
    row["Metadata"] = dict(row["Metadata"])
    return row


def truth(told: Iterable[Trace], now: int, limits: Limits) -> tuple[dict[Any, dict[str, Any]], dict[Any, list[dict[str, Any]]]]:
    """What the oracle says the world must hold."""
    sessions, segments = {}, {}
    for key, traces in live(told).items():
        found = rows(key, traces, now, limits)
        if found is not None:
            sessions[key], segments[key] = found
    return sessions, segments
