"""Groups of spans through processors, one group after the other, as a lane does it: process, store, committed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import pyarrow as pa
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sojourn import _native
from sojourn.collector.paths import Path, Step, decoded
from sojourn.component import Batch, Host, Process, Processor
from sojourn.schema import FACETS
from sojourn.sessions.lifting import lift_plan
from sojourn.sessions.telling import Telling
from tests.laws import comparing, configured, log_worlds, worlds
from tests.laws.configured import USUAL
from tests.laws.log_worlds import Anything, Logged
from tests.laws.packing import Texts, packed
from tests.laws.worlds import Sent
from tests.oracle import Fact, Record, Rules, read_logs, read_request, sessions_of, world
from tests.oracle.forgetting import Memory

Rows = dict[comparing.Key, comparing.Row]


@dataclass
class Clock:
    time: int = worlds.NOW

    def now(self) -> int:
        return self.time


@dataclass
class Stored:
    """What reached the tables, as batches."""

    tables: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)

    def take(self, batches: list[Batch]) -> None:
        for batch in batches:
            self.tables.setdefault(batch.table, []).append(batch.records)

    def traces(self) -> Rows:
        """Without log traces, which are no traces; as the view shows them, which knows no turns where a session has prompts."""
        rows = self._live("session_trace_rows")
        prompted = {key[:3] for key, row in rows.items() if FACETS["prompt"] in row["Notes.What"]}
        return {key: comparing.of_product(row) | ({"Turn": 0} if key[:3] in prompted else {}) for key, row in rows.items() if row["Spans"]}

    def sessions(self) -> Rows:
        traces = self._live("session_trace_rows")
        return {key: comparing.session_of_product(row, traces) for key, row in self._live("session_rows").items()}

    def segments(self) -> Rows:
        only = {(*key[:3], "0"): row for key, row in self._live("session_rows").items() if row["Segments"] == 1}
        for row in only.values():
            del row["Alerts"]  # are about the session
        traces = self._live("session_trace_rows")
        return {key: comparing.session_of_product(row, traces) for key, row in (only | self._live("session_segment_rows")).items()}

    def all(self) -> Rows:
        parts = (("trace", self.traces()), ("segment", self.segments()), ("session", self.sessions()))
        return {(name, *key): row for name, rows in parts for key, row in rows.items()}  # type: ignore[misc]

    def _live(self, table: str) -> Rows:
        return comparing.live(self.tables.get(table, []))


def digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())


def facts(sent: list[Sent], digest: Callable[[bytes], int] = digest, arrival: int = worlds.NOW) -> list[Fact]:
    return read_request(ExportTraceServiceRequest.FromString(worlds.request(sent)), arrival, digest)


def records(logged: list[Logged], digest: Callable[[bytes], int] = digest, arrival: int = worlds.NOW) -> list[Record]:
    return read_logs(ExportLogsServiceRequest.FromString(log_worlds.request(logged)), arrival, digest)


def play(deliveries: list[list[Sent]], later: int = 0, fail_first: bool = False, rules: Rules = USUAL) -> Stored:
    """Facts of these groups through `aggregate` and `lifecycle`, then a tick `later` ns after; the oracle reads the spans.

    With `fail_first` every group comes to nothing once before it is committed.
    """
    texts, clock, stored = Texts(), Clock(), Stored()
    host = Host(clock=clock, collector="here", data_dir=None, texts=texts, telling=Telling())  # type: ignore[arg-type]
    descriptions: list[Processor] = configured.processors(rules)[1:]
    with ExitStack() as stack:
        chain = [stack.enter_context(description.open(host)) for description in descriptions]
        for group in deliveries:
            batch = Batch("otel_traces", packed(facts(group), texts, rules.measures))
            if fail_first:
                through(chain, [batch])
                for process in chain:
                    process.discard()
            commit(chain, stored, through(chain, [batch]))
        clock.time += later
        settled(chain, stored, clock.now())
    return stored


Bodies = list[tuple[str, bytes, str]]
"""Requests of one group: signal, body and content type."""


def decode_and_play(
    groups: list[Bodies],
    arrival: int = worlds.NOW,
    later: int = 0,
    fail_first: bool = False,
    rules: Rules = USUAL,
    pauses: Sequence[int] = (),
) -> Stored:
    """The same with the native core in front: requests of any signal in, through all three processors.

    `pauses` are ns that pass before each group, with a tick at their end.
    """
    texts, clock, stored = _native.Texts(1 << 24), Clock(arrival), Stored()
    descriptions = configured.processors(rules)
    plan = lift_plan(**descriptions[0].lift(), **descriptions[1].lift())  # type: ignore[attr-defined]
    lane = _native.Lane(texts=texts, lift=plan, flush_interval=3600, flush_rows=1 << 30, flush_bytes=1 << 40, queue_bytes=1 << 30)
    host = Host(clock=clock, collector="here", data_dir=None, texts=texts, telling=Telling())
    with ExitStack() as stack:
        chain = [stack.enter_context(processor.open(host)) for processor in descriptions]
        path = Path(tuple(Step("", process) for process in chain), ())
        for group, pause in itertools.zip_longest(groups, pauses, fillvalue=0):
            if pause:
                clock.time += pause
                tick(chain, stored, clock.now())
            for signal, body, content_type in group:
                lane.push(signal, body, content_type, clock.now())
            lane.flush()
            delivery = lane.next(10)
            assert delivery is not None
            batches = [batch for _, batch in decoded(delivery, dict.fromkeys(("traces", "logs", "metrics"), path))]
            if fail_first:
                through(chain, batches)
                for process in chain:
                    process.discard()
            commit(chain, stored, through(chain, batches))
            delivery.commit()
        clock.time += later
        settled(chain, stored, clock.now())
    return stored


def tick(chain: list[Process], stored: Stored, now: int) -> None:
    for at, process in enumerate(chain):
        commit(chain, stored, through(chain[at + 1 :], list(process.tick(now))))


def settled(chain: list[Process], stored: Stored, now: int) -> None:
    """2.3: settled within two seconds more. What the first tick corrects may tell of something else to correct."""
    for _ in range(2):
        tick(chain, stored, now)


def through(chain: list[Process], batches: list[Batch]) -> list[Batch]:
    for process in chain:
        batches = [*(out for batch in batches for out in process.process(batch)), *process.settle()]
    return batches


def commit(chain: list[Process], stored: Stored, batches: list[Batch]) -> None:
    stored.take(batches)
    for process in chain:
        process.committed()


def wanted(sent: Sequence[Anything], later: int = 0, digest: Callable[[bytes], int] = digest, rules: Rules = USUAL) -> Rows:
    """What the oracle says of the same spans and log records: rows of traces, segments and sessions."""
    return wanted_of([(worlds.NOW, sent)], worlds.NOW + later, digest, rules=rules)


@dataclass(frozen=True)
class Said:
    """What a person did with a session: ended it, gave it a name, or deleted it."""

    project: str
    session: str
    time: int
    what: str
    """end, name or delete."""
    name: str = ""
    after: int = 0
    """How many groups had come by then."""

    @property
    def key(self) -> tuple[str, str, str]:
        return ("", self.project, self.session)


def _forget(memory: Memory, said: Sequence[Said], groups: int) -> None:
    """What was deleted when so many groups had come."""
    for each in said:
        if each.what == "delete" and each.after == groups:
            memory.delete(each.key, each.time)


def wanted_of(
    groups: Sequence[tuple[int, Sequence[Anything]]],
    now: int,
    digest: Callable[[bytes], int] = digest,
    said: Sequence[Said] = (),
    rules: Rules = USUAL,
) -> Rows:
    """The same of groups that arrived at these times, and of what people said, in this order."""
    memory = Memory(rules)
    for number, (arrival, group) in enumerate(groups):
        _forget(memory, said, number)
        spans, logs = [each for each in group if isinstance(each, Sent)], [each for each in group if isinstance(each, Logged)]
        memory.take(facts(spans, digest, arrival), records(logs, digest, arrival))
    _forget(memory, said, len(groups))
    told = world(memory.facts, memory.living(), rules)
    gone = {each.key: at for at, each in enumerate(said) if each.what == "delete"}
    stays = [each for at, each in enumerate(said) if at > gone.get(each.key, -1)]
    marks = [*told.marks, *((each.key, each.time, "explicit") for each in stays if each.what == "end")]
    names = {each.key: each.name for each in stays if each.what == "name"}
    sessions, segments = sessions_of(told.rows, now, rules, marks, names)
    rows: Rows = {("trace", *comparing.key_of(row)): comparing.of_oracle(row) for row in told.rows if row["Spans"]}  # type: ignore[misc]
    for key in rows:
        if key[1:4] in told.in_records:
            rows[key] = {name: value for name, value in rows[key].items() if name not in comparing.OF_CALLS}
    rows |= {("segment", *comparing.key_of(row)): comparing.session_of_oracle(row) for row in segments}  # type: ignore[misc]
    return rows | {("session", *comparing.key_of(row)): comparing.session_of_oracle(row) for row in sessions}  # type: ignore[return-value]
