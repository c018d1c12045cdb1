"""What sessions take while they live: the memory of a million of them, the tick over them, a flood of invented ids, a trace that grows.

The processors run as in a lane, without sockets and without a database (whatever is asked of it, it has nothing), so that what is measured
is theirs. Time is a passed clock: half an hour of a million sessions takes a minute or two.

    python bench/memory.py [sessions] [flood] [waking] [growing] [--sessions 1000000]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pyarrow as pa

from sojourn import _native
from sojourn.collector import memory
from sojourn.component import Batch, Host
from sojourn.processors.aggregate import Aggregate
from sojourn.processors.lifecycle import Lifecycle
from sojourn.processors.session import Session
from sojourn.sessions.lifting import lift_plan
from sojourn.sessions.telling import Telling
from sojourn.storage.history import History
from sojourn.testing import request, span

BEGIN = 1_790_000_000_000_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HIGH, IDS, STARTS, ENDS = 0xA1A2_A3A4_A5A6_A7A8, 0xC1C2_C3C4_C500_0000, 0x1112_1314_1516_0000, 0x2122_2324_2526_0000
"""What stands in a template where ids and times will be: nothing else looks like it."""


class Nowhere:
    """A database that holds nothing."""

    name = "otel"

    def query_arrow(self, *_: object) -> None:
        return None


class Retold(History):
    """A database that holds the trace rows of all sessions: they are alike, so that it need only know which traces each has, and when."""

    def __init__(self, count: int) -> None:
        super().__init__(Nowhere())  # type: ignore[arg-type]
        self._traces = np.full((count, 3), -1, np.int64)
        self._ends = np.ones((count, 3), np.int64)
        self.row: pa.Table | None = None
        self.asked = 0

    def learn(self, sessions: np.ndarray, traces: np.ndarray, end: int) -> None:
        which, first = np.unique(sessions, return_index=True)
        place = (self._traces[which] >= 0).sum(axis=1)
        self._traces[which, place], self._ends[which, place] = traces[first], end

    def trace_rows_of_sessions(self, keys: Sequence[tuple[str, str, str]]) -> pa.Table:
        self.asked += len(keys)
        assert self.row is not None
        number = np.array([int(key[2].removeprefix("session-")) for key in keys])
        number = number[number < len(self._traces)]
        row, place = (self._traces[number] >= 0).nonzero()
        sessions, end = number[row], self._ends[number[row], place]
        out = self.row.take(np.zeros(len(row), np.int64))
        ids = [f"{HIGH:016x}{IDS + 2 * trace:016x}" for trace in self._traces[sessions, place].tolist()]
        said: dict[str, Any] = {"SessionId": [f"session-{each:028d}" for each in sessions.tolist()], "TraceId": ids}
        said |= {"Start": end - 2 * SECOND, "End": end, "Arrival": end}
        for name, values in said.items():
            at = out.schema.get_field_index(name)
            out = out.set_column(
                at,
                out.schema.field(at),
                pa.array(values, pa.int64() if at > 2 and name != "TraceId" else None).cast(out.schema.field(at).type),
            )
        return out


class Pipeline:
    """session, aggregate and lifecycle as a lane drives them."""

    def __init__(self, stack: ExitStack, history: History, **lifecycle: Any) -> None:
        self.clock, self._history = _native.Clock(BEGIN), history
        texts = _native.Texts(64 << 20)
        host = Host(self.clock, "bench", None, texts, history, Telling())
        components = [Session(), Aggregate(), Lifecycle(**lifecycle)]
        self._steps = [stack.enter_context(component.open(host)) for component in components]
        limits = {"flush_interval": 3600.0, "flush_rows": 10**9, "flush_bytes": 1 << 30, "queue_bytes": 2 << 30}
        self._lane = _native.Lane(texts=texts, lift=lift_plan(**components[0].lift()), **limits)
        self.rows: dict[str, int] = {}

    @property
    def lifecycle(self) -> Any:
        return self._steps[2]

    def group(self, *bodies: bytes) -> None:
        for body in bodies:
            self._lane.push("traces", body, "application/x-protobuf", self.clock.now())
        self._lane.flush()
        delivery = self._lane.next(10.0)
        self._through([Batch("otel_traces", pa.record_batch(delivery.traces()))])
        delivery.commit()

    def ticks(self, since: int, now: int) -> int:
        """One for each second that has passed; what is due is spread over them. Gives the time of the last one."""
        for moment in range(since + SECOND, now + 1, SECOND):
            self.clock.set(moment)
            self.tick()
            since = moment
        self.clock.set(now)
        return since

    def tick(self) -> None:
        batches: list[Batch] = []
        for step in self._steps:
            batches = [*self._step(step, batches), *step.tick(self.clock.now())]
        self._commit(batches)

    def _through(self, batches: list[Batch]) -> None:
        for step in self._steps:
            batches = self._step(step, batches)
        self._commit(batches)

    def _step(self, step: Any, batches: list[Batch]) -> list[Batch]:
        return [*(out for batch in batches for out in step.process(batch) if out.records.num_rows), *step.settle()]

    def _commit(self, batches: list[Batch]) -> None:
        for batch in batches:
            if batch.table == "session_trace_rows" and isinstance(self._history, Retold) and self._history.row is None:
                kept = [name for name in batch.records.schema.names if not name.startswith("_")]
                self._history.row = pa.Table.from_batches([batch.records.select(kept).slice(0, 1)])
            self.rows[batch.table] = self.rows.get(batch.table, 0) + batch.records.num_rows
        for step in self._steps:
            step.committed()


class Template:
    """One request of many traces of two spans, whose ids and times are exchanged in place: building it must not be what is measured."""

    def __init__(self, traces: int) -> None:
        spans = []
        for number in range(traces):
            trace = f"{HIGH:016x}{IDS + number:016x}"
            root = span("chat turn", trace=trace, id=f"{IDS + 2 * number:016x}", session=f"session-{number:028d}", user="user-1",
                        start=STARTS + number, end=ENDS + number, service="assistant")  # fmt: skip
            call = span("chat gpt-4o", trace=trace, id=f"{IDS + 2 * number + 1:016x}", parent=root, model="gpt-4o", tokens=(900, 90),
                        start=STARTS + number, end=ENDS + number, service="assistant")  # fmt: skip
            spans += [root, call]
        self.traces = traces
        self._body = np.frombuffer(bytearray(request(*spans).SerializeToString()), np.uint8)
        whole = self._body.tobytes()
        numbers = range(traces)
        self._trace = [self._places(whole, HIGH.to_bytes(8, "big") + (IDS + n).to_bytes(8, "big"), 8) for n in numbers]
        self._span = [self._places(whole, (IDS + n).to_bytes(8, "big"), 0) for n in range(2 * traces)]
        self._session = [self._places(whole, f"session-{n:028d}".encode(), 8) for n in numbers]
        self._start = [self._places(whole, (STARTS + n).to_bytes(8, "little"), 0) for n in numbers]
        self._end = [self._places(whole, (ENDS + n).to_bytes(8, "little"), 0) for n in numbers]
        inside = {at for places in self._trace for at in places}
        self._span = [[at for at in places if at not in inside] for places in self._span]

    @staticmethod
    def _places(whole: bytes, what: bytes, skip: int) -> list[int]:
        found, at = [], whole.find(what)
        while at >= 0:
            found.append(at + skip)
            at = whole.find(what, at + 1)
        return found

    def body(self, first_trace: int, sessions: np.ndarray, now: int) -> bytes:
        """Traces with numbers from `first_trace` on, each in the session of that number, that end now."""
        ids = (np.uint64(IDS) + np.uint64(2 * first_trace) + np.arange(2 * self.traces, dtype=np.uint64)).astype(">u8")
        self._write(self._trace, ids[::2])
        self._write(self._span, ids)
        digits = np.frombuffer("".join(f"{number:028d}" for number in sessions.tolist()).encode(), "S28")
        self._write(self._session, digits)
        self._write(self._start, np.full(self.traces, now - 2 * SECOND, "<i8"))
        self._write(self._end, np.full(self.traces, now, "<i8"))
        return self._body.tobytes()

    def _write(self, places: list[list[int]], values: np.ndarray) -> None:
        width = values.dtype.itemsize
        plain = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), width)
        flat = [(at, number) for number, some in enumerate(places) for at in some]
        at, number = (np.array(column) for column in zip(*flat, strict=True))
        self._body[at[:, None] + np.arange(width)] = plain[number]


def resident() -> float:
    """MiB, after giving back what is free."""
    memory.give_pages_back()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096 / 2**20


def peak() -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def spent(action: Callable[[], object]) -> float:
    """CPU seconds."""
    begin = time.process_time()
    action()
    return time.process_time() - begin


def touches(count: int, minutes: int, rng: np.random.Generator, size: int) -> Iterator[tuple[int, np.ndarray]]:
    """(offset in time, sessions) of groups: each of `count` sessions once, within so many minutes."""
    order = rng.permutation(count)
    groups = -(-count // size)
    for number in range(groups):
        mine = order[number * size : (number + 1) * size]
        yield minutes * MINUTE * number // groups, np.resize(mine, size)


def sessions(count: int) -> None:
    """Each session has two traces in twenty minutes, a fifth of them a third one in the last five."""
    rng, template = np.random.default_rng(1), Template(500)
    size = max(500, min(10_000, count // 20 // 500 * 500))
    with ExitStack() as stack:
        history = Retold(count)
        pipeline = Pipeline(stack, history)
        pipeline.group(template.body(0, np.arange(500) + 10**9, BEGIN))
        idle, trace, begin, ticked, now = resident(), 10_000, time.process_time(), BEGIN, BEGIN
        rounds = [(0, count, 10), (10, count, 10), (20, count // 5, 5)]
        for after, many, minutes in rounds:
            for offset, which in touches(many, minutes, rng, size):
                now = BEGIN + after * MINUTE + offset
                pipeline.clock.set(now)
                bodies = []
                for part in np.split(which, size // template.traces):
                    bodies.append(template.body(trace, part, now))
                    history.learn(part, trace + np.arange(template.traces), now)
                    trace += template.traces
                pipeline.group(*bodies)
                ticked = pipeline.ticks(ticked, now)
        pipeline.ticks(now - MINUTE, now)
        took = time.process_time() - begin
        live = len(pipeline.lifecycle._memory.live)
        print(
            f"sessions: {live} live, {pipeline.rows['session_trace_rows']} trace rows in {took:.0f} CPU-s, {history.asked} sessions reread"
        )
        print(
            f"  resident: idle {idle:.0f} MiB, with the sessions {resident():.0f} MiB: {resident() - idle:.0f} more; peak {peak():.0f} MiB"
        )
        print(f"  {pipeline.lifecycle.meters()}")
        told = pipeline.rows["session_rows"]
        ticks = [spent(pipeline.tick) for _ in range(20)]
        assert pipeline.rows["session_rows"] == told, "nothing is due in these"
        print(f"  tick: {1000 * min(ticks):.2f} / {1000 * float(np.median(ticks)):.2f} ms CPU (min / median)")


def flood(count: int) -> None:
    """Every span invents a session of its own, three times as many as may live."""
    template, trace = Template(500), 0
    most = count // 3
    with ExitStack() as stack:
        pipeline = Pipeline(stack, History(Nowhere()), max_sessions=most)  # type: ignore[arg-type]
        pipeline.group(template.body(0, np.arange(500) + 10**9, BEGIN))
        idle, begin = resident(), time.process_time()
        for first in range(0, count, 20 * template.traces):
            pipeline.clock.set(BEGIN + first * 60_000)
            bodies = []
            for part in range(first, first + 20 * template.traces, template.traces):
                trace += template.traces
                bodies.append(template.body(trace, np.arange(part, part + template.traces), pipeline.clock.now()))
            pipeline.group(*bodies)
            pipeline.tick()
        took = time.process_time() - begin
        told = pipeline.rows["session_rows"]
        print(f"flood: {told} sessions told in {took:.0f} CPU-s, {len(pipeline.lifecycle._memory.live)} of them watched (at most {most})")
        print(f"  resident: idle {idle:.0f} MiB, then {resident():.0f} MiB, peak {peak():.0f} MiB")


class Asleep(History):
    """A database in which so many sessions have not ended."""

    def __init__(self, count: int) -> None:
        super().__init__(Nowhere())  # type: ignore[arg-type]
        self._count = count

    def open_sessions(self, most: int) -> pa.Table:
        count = min(self._count, most)
        ids = pa.array([f"session-{number:028d}" for number in range(count)])
        nothing = pa.array([""] * count)
        ones = {name: pa.array(np.ones(count, kind)) for name, kind in (("Segments", "u4"), ("Revision", "u8"), ("Traces", "u8"))}
        times = {"End": pa.timestamp("ns"), "LastSeen": pa.timestamp("ms")}
        ends = {name: pa.array(np.full(count, BEGIN // (10**6 if name == "LastSeen" else 1))).cast(kind) for name, kind in times.items()}
        lists = {
            name: pa.array([["assistant"] if name == "Services" else []] * count, pa.list_(pa.string())) for name in ("Services", "Alerts")
        }
        texts = {"Tenant": nothing, "Project": nothing, "SessionId": ids, "State": pa.array(["idle"] * count)}
        return pa.table(texts | ones | ends | lists)


def waking(count: int) -> None:
    """A restart with so many sessions that have not ended."""
    with ExitStack() as stack:
        pipeline = Pipeline(stack, Asleep(count))
        idle = resident()
        pipeline.clock.set(BEGIN + SECOND)
        took = spent(pipeline.tick)
        print(f"waking: {len(pipeline.lifecycle._memory.live)} sessions in {took:.1f} CPU-s, what the database answers included")
        print(f"  resident: idle {idle:.0f} MiB, then {resident():.0f} MiB, peak {peak():.0f} MiB")


def growing(count: int) -> None:
    """One trace grows by single spans, a thousand groups a second; CPU per span, by how many there are already."""
    with ExitStack() as stack:
        pipeline = Pipeline(stack, History(Nowhere()))  # type: ignore[arg-type]
        begin, marks = time.process_time(), [(0, 0.0)]
        for number in range(count):
            pipeline.clock.set(BEGIN + number * SECOND // 1000)
            pipeline.group(
                request(span("step", trace="1" * 32, id=f"{number + 1:016x}", session="s", start=BEGIN + number)).SerializeToString()
            )
            if number % 1000 == 999:
                pipeline.tick()
            if (number + 1) in (5000, 10_000, 25_000, 50_000, 100_000):
                took, since = time.process_time() - begin, marks[-1]
                marks.append((number + 1, took))
                each = 1e6 * (took - since[1]) / (number + 1 - since[0])
                print(f"growing: {number + 1} spans after {took:.1f} CPU-s, the last ones {each:.0f} µs each", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="sessions, flood, waking, growing; all of them if nothing is said")
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--spans", type=int, default=100_000)
    given = parser.parse_args()
    memory.keep_allocator_pages()
    for name, run in (
        ("sessions", lambda: sessions(given.sessions)),
        ("flood", lambda: flood(given.sessions)),
        ("waking", lambda: waking(given.sessions)),
        ("growing", lambda: growing(given.spans)),
    ):
        if not given.what or name in given.what:
            run()


if __name__ == "__main__":
    main()
