"""What is asked of the database when a trace comes that this life has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

from sojourn import _native
from sojourn.component import Batch, Host
from sojourn.processors.aggregate import Aggregate
from sojourn.processors.session import Session
from sojourn.schema import OTEL_TRACES
from sojourn.sessions.lifting import lift_plan
from sojourn.sessions.telling import Telling
from sojourn.storage.database import Database
from sojourn.storage.history import History
from sojourn.testing import at, request, span
from tests.storage.test_views import insert


class Asked(History):
    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.traces: list[str] = []

    def spans(self, trace_ids: Sequence[str]) -> pa.Table:
        self.traces += trace_ids
        return super().spans(trace_ids)


class Life:
    """A lane's processors, from its start on."""

    def __init__(self, stack: ExitStack, history: History) -> None:
        host = Host(_native.Clock(at("09:00")), "here", Path("."), texts := _native.Texts(1 << 20), history, Telling())
        self.session, self.aggregate = (stack.enter_context(component.open(host)) for component in (Session(), Aggregate()))
        plan = lift_plan(**Session().lift())
        self.lane = _native.Lane(texts=texts, lift=plan, flush_interval=60.0, flush_rows=1000, flush_bytes=1 << 20, queue_bytes=1 << 20)

    def send(self, *spans: Any) -> tuple[pa.RecordBatch, dict[str, int]]:
        """The rows of the spans, and how many spans each trace has."""
        self.lane.push("traces", request(*spans).SerializeToString(), "application/x-protobuf", at("09:00"))
        self.lane.flush()
        delivery = self.lane.next(10.0)
        assert delivery is not None
        (came,) = self.session.process(Batch("otel_traces", pa.record_batch(delivery.traces())))
        batches = [*self.aggregate.process(came), *self.aggregate.settle()]
        self.aggregate.committed()
        delivery.commit()
        told = {
            row["TraceId"]: row["Spans"] for batch in batches if batch.table == "session_trace_rows" for row in batch.records.to_pylist()
        }
        stored = next(batch.records for batch in batches if batch.table == "otel_traces")
        return stored, told


def test_only_what_was_stored_is_read_back(database: Database) -> None:
    """A trace is new unless its id was stored, though no root says when it began; an earlier life's is read back, whatever its age."""
    with ExitStack() as stack:
        stored, _ = Life(stack, History(database)).send(span("old", trace="old", id="1", parent="9", session="s", start=at("08:00")))
        insert(database, OTEL_TRACES, *stored.to_pylist())
    with ExitStack() as stack:
        history = Asked(database)
        life = Life(stack, history)
        _, told = life.send(span("new", trace="new", id="1", parent="9", session="s"))
        assert list(told.values()) == [1]
        assert history.traces == []
        _, told = life.send(span("old", trace="old", id="2", parent="9", session="s"), span("newer", trace="newer", id="1", parent="9"))
        assert list(told.values()) == [2]
        assert len(history.traces) == 1
