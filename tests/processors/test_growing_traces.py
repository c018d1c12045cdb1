"""A trace that grows by single spans costs its size now and then, not its square."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sojourn import _native
from sojourn.component import Batch, Host
from sojourn.processors import folding
from sojourn.processors.aggregate import Aggregate
from sojourn.processors.session import Session
from sojourn.sessions.lifting import lift_plan
from sojourn.sessions.shelf import Shelf
from sojourn.sessions.telling import Telling
from sojourn.testing import at, request, span

SPANS, LARGE, EVERY = 400, 40, 50


def test_a_large_trace_is_folded_once_per_tick_and_left_alone_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rows that are folded, and by those that are taken out of memory."""
    monkeypatch.setattr(folding, "LARGE", LARGE)
    folded: list[int] = []
    taken: list[int] = []
    fold, get = folding.fold, Shelf.get

    def counted(facts: Any, *rest: Any) -> Any:
        folded.append(len(facts))
        return fold(facts, *rest)

    def counting(self: Shelf, keys: Any) -> Any:
        known = get(self, keys)
        taken.append(len(known.facts))
        return known

    monkeypatch.setattr(folding, "fold", counted)
    monkeypatch.setattr(Shelf, "get", counting)
    last = None
    with ExitStack() as stack:
        texts = _native.Texts(1 << 20)
        host = Host(_native.Clock(at("09:00")), "here", Path("."), texts, None, Telling())
        session, aggregate = (stack.enter_context(component.open(host)) for component in (Session(), Aggregate()))
        lane = _native.Lane(
            texts=texts, lift=lift_plan(**Session().lift()), flush_interval=60.0, flush_rows=10, flush_bytes=1 << 20, queue_bytes=1 << 20
        )
        for number in range(SPANS):
            body = request(span("step", trace="t", id=str(number), session="s", start=at("09:00") + number)).SerializeToString()
            lane.push("traces", body, "application/x-protobuf", at("09:00") + number)
            lane.flush()
            delivery = lane.next(10.0)
            assert delivery is not None
            (spans,) = session.process(Batch("otel_traces", pa.record_batch(delivery.traces())))
            batches = [*aggregate.process(spans), *aggregate.settle()]
            aggregate.committed()
            delivery.commit()
            if number % EVERY == EVERY - 1:
                batches += aggregate.tick(at("09:00") + number)
                aggregate.committed()
            last = next((batch for batch in reversed(batches) if batch.table == "session_trace_rows"), last)
    assert last is not None
    assert last.records.column("Spans").to_pylist() == [SPANS]
    at_most = LARGE * LARGE + (SPANS // EVERY + 1) * SPANS
    assert sum(folded) < at_most < SPANS * SPANS // 8
    assert sum(taken) < 2 * at_most
