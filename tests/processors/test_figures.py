"""Scores and measures from the wire to what people query, late, twice, cut into segments and after a restart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sojourn.sessions.lifting import lift_plan
from sojourn.testing import Collector, at, run, span
from tests.native.decoding import FACT, Decoder, request
from tests.signals.telling import log, requests
from tests.web.test_rebuild import rebuild

MEASURES = "processors.aggregate.measures={pages: {sum: app.pages}, retries: {max: app.retry}, room: {min: app.room}}"


def measured(name: str, **more: Any) -> Any:
    attributes = {f"app.{key}": more.pop(key) for key in ("pages", "retry", "room") if key in more}
    return span(name, session="s", attributes=attributes, **more)


def polite(count: int, total: str) -> dict[str, dict[str, Any]]:
    return {"polite": {"Count": count, "Sum": Decimal(total)}}


def one(collector: Collector, column: str, view: str = "sessions") -> Any:
    (row,) = collector.query(f"SELECT {column} AS told FROM {view}")
    return row["told"]


def test_integers_of_spans_are_added_up_and_compared() -> None:
    """Over all spans of a trace and all traces of a session; what is no integer is nobody's."""
    with run(settings=[MEASURES]) as collector:
        root = measured("root", pages=3, retry="2", room=-5)
        collector.send(root, measured("a", parent=root, pages=4.0, retry=1), measured("b", parent=root, pages="two", retry=True, room=1.5))
        collector.send(measured("next", start=at("09:10"), pages=-1))
        assert one(collector, "Measures") == {"pages": 6, "retries": 2, "room": -5}
        traces = collector.query("SELECT Name, Measures FROM session_traces ORDER BY Start")
        assert [tuple(row.values()) for row in traces] == [("root", {"pages": 7, "retries": 2, "room": -5}), ("next", {"pages": -1})]


def test_a_span_that_comes_again_with_other_values_replaces_the_first() -> None:
    with run(settings=[MEASURES]) as collector:
        first = measured("one", pages=3, retry=9)
        collector.send(first, first)
        collector.send(first)
        assert one(collector, "Measures") == {"pages": 3, "retries": 9}
        collector.send(first.but(end=first.end + 1, attributes={"session.id": "s", "app.pages": 5}))
        assert one(collector, "Measures") == {"pages": 5}


def test_segments_have_their_own() -> None:
    with run(settings=[MEASURES], now="18:00") as collector:
        collector.send(measured("early", pages=3, room=4), measured("late", start=at("15:00"), pages=2, room=9))
        assert one(collector, "Measures") == {"pages": 5, "room": 4}
        told = collector.query("SELECT Measures FROM session_segments ORDER BY Segment")
        assert [row["Measures"] for row in told] == [{"pages": 3, "room": 4}, {"pages": 2, "room": 9}]


def test_what_was_stored_is_counted_on_after_a_restart() -> None:
    """From stored spans of a trace, and from stored rows of other traces; the sum of what does not fit ends at 64 bits."""
    settings = [MEASURES, "exporters.clickhouse.database=earlier_life_with_figures"]
    with run(settings=settings) as collector:
        root = measured("root", pages=3, retry=1)
        collector.send(root, measured("other", start=at("09:10"), pages=2**62, retry=7), score("one", 0.5))
        collector.settle()
    with run(settings=settings) as collector:
        collector.send(measured("child", parent=root, pages=10, retry=4), measured("new", start=at("09:20"), pages=2**62))
        assert one(collector, "Measures") == {"pages": 2**63 - 1, "retries": 7}
        assert one(collector, "Scores") == polite(1, "0.5")


def test_folding_again_finds_the_same() -> None:
    """Of scores and measures, of spans and records, in segments, and of a trace whose session is made of attributes."""
    settings = [MEASURES, "processors.session.missing_id=gap", "processors.session.gap_attributes=[app.team]"]
    with run(settings=settings, now="18:00") as collector:
        collector.send(measured("early", pages=3, room=4), measured("late", start=at("15:00"), pages=2, room=9), score("one", 0.5, 0.5))
        collector.send(span("nobody's", attributes={"app.team": "red", "app.pages": 8}))
        for signal, body in requests([log("gen_ai.evaluation.result", "09:05", "s", attributes=RESULT)]):
            collector.send(body, signal=signal)
        told = collector.query("SELECT SessionId, Measures['pages'] AS Pages, Scores FROM sessions ORDER BY SessionId")
        assert [tuple(row.values()) for row in told] == [("red", 8, {}), ("s", 5, polite(3, "1.25"))]
        last, differences = rebuild(collector, check=True)
        assert (last["wrong"], differences) == (0, [])


def test_without_measures_there_are_none() -> None:
    with run() as collector:
        collector.send(measured("root", pages=3))
        assert (one(collector, "Measures"), one(collector, "Scores")) == ({}, {})


def score(name: str, *values: Any, **more: Any) -> Any:
    attributes: dict[str, Any] = {}
    for number, value in enumerate(values):
        attributes |= {f"annotations.{number}.annotation.name": "polite", f"annotations.{number}.annotation.score": value}
    return span(name, session="s", attributes=attributes, **more)


RESULT = {"gen_ai.evaluation.name": "polite", "gen_ai.evaluation.score.value": 0.25, "gen_ai.evaluation.score.label": "fair"}


def test_scores_are_counted_and_summed_to_the_last_digit() -> None:
    """From annotations of spans, and from log records that name the session, or its trace, each once."""
    with run() as collector:
        judged = score("judged", 0.1, 0.2, "0.3")
        told = requests([log("gen_ai.evaluation.result", "09:05", "s", attributes=RESULT)])
        told += requests([log("gen_ai.evaluation.result", "09:06", names=judged, attributes=RESULT)])
        for signal, body in [*told, *told]:
            collector.send(body, signal=signal)
        collector.send(judged)
        collector.send(judged)
        assert one(collector, "Scores") == polite(5, "1.1")
        (row,) = collector.query("SELECT sum(Scores['polite'].Sum) AS sum, any(Scores['polite'].Count) AS number FROM sessions")
        assert row == {"sum": Decimal("1.1"), "number": 5}


def test_a_score_moves_with_its_trace() -> None:
    """A record of a trace whose session is known later; and a trace that finds a better id."""
    with run() as collector:
        child = span("child", trace="t", parent="root", session=None)
        for signal, body in requests([log("gen_ai.evaluation.result", "09:05", names=child, attributes=RESULT)]):
            collector.send(body, signal=signal)
        assert collector.sessions() == []
        collector.send(child.but(attributes={"gen_ai.conversation.id": "c"}))
        assert collector.query("SELECT SessionId, Scores FROM sessions") == [{"SessionId": "c", "Scores": polite(1, "0.25")}]
        collector.send(span("root", trace="t", id="root", session="s"))
        assert collector.query("SELECT SessionId, Scores FROM sessions") == [{"SessionId": "s", "Scores": polite(1, "0.25")}]


def test_our_own_events_and_records_without_a_score_say_nothing() -> None:
    with run() as collector:
        label = {"gen_ai.evaluation.name": "polite", "gen_ai.evaluation.score.label": "fair"}
        told = [log("gen_ai.evaluation.result", "09:05", "s", attributes=label), log("other", "09:05", "s", attributes=RESULT)]
        told.append(log("gen_ai.evaluation.result", "09:06", "s", attributes=RESULT, scope="sojourn"))
        for signal, body in requests(told):
            collector.send(body, signal=signal)
        assert one(collector, "Scores") == {}


def facts_flags(decoder: Decoder) -> int:
    columns = decoder.columns()
    assert columns is not None
    import numpy as np

    return int(np.frombuffer(columns.column("_fact").buffers()[1], FACT)["flags"][0])


@pytest.mark.parametrize("value", [10**12, -1e300])
def test_a_score_beyond_a_thousand_million_is_limited(value: Any) -> None:
    from sojourn.schema import FLAGS

    decoder = Decoder()
    decoder.push(request(attributes={"annotations.0.annotation.name": "x", "annotations.0.annotation.score": value}))
    assert facts_flags(decoder) & FLAGS["limited"]


def test_the_plan_is_empty_where_nothing_is_asked_for() -> None:
    """No measure, no gap: nothing is looked for on any span or resource."""
    import json

    plan = json.loads(lift_plan())
    assert (plan["columns"]["kept"], plan["resource_gaps"]) == ([], {})
