"""Traces that name no session: in none, each its own, or by who and where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sojourn.processors.session import Session
from sojourn.schema import FACETS
from sojourn.sessions.missing import Missing, name_missing, shortened
from sojourn.sessions.packed import FACT, SPAN_FACET
from sojourn.testing import Collector, at, run, span
from tests.laws.packing import Texts
from tests.signals.telling import log, requests


def ids(collector: Collector, columns: str = "SessionId, Segments, Traces, Spans") -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in collector.query(f"SELECT {columns} FROM sessions ORDER BY SessionId")]


def bound(collector: Collector) -> dict[str, str]:
    """The session of each span by its name."""
    return {row["SpanName"]: row["SessionId"] for row in collector.query("SELECT SpanName, SessionId FROM spans")}


def test_without_a_rule_a_trace_is_stored_and_in_no_session() -> None:
    with run() as collector:
        collector.send(span("lonely"))
        assert ids(collector) == []
        assert bound(collector) == {"lonely": ""}


def test_each_trace_is_its_own_session() -> None:
    """Its id is the trace id, until a span names one: then the trace moves, and nothing of its old session stays."""
    with run(settings=["processors.session.missing_id=trace"]) as collector:
        root, other = span("root", trace="a" * 32, lasts="9s"), span("other", trace="b" * 32)
        collector.send(span("child", parent=root), other)
        assert ids(collector) == [("a" * 32, 1, 1, 1), ("b" * 32, 1, 1, 1)]
        collector.send(root.but(attributes={"session.id": "s"}))
        assert ids(collector) == [("b" * 32, 1, 1, 1), ("s", 1, 1, 2)]
        assert bound(collector) == {"root": "s", "child": "s", "other": "b" * 32}


GAP = ["processors.session.missing_id=gap"]


def test_sittings_are_the_segments_of_a_user_at_a_service() -> None:
    """The id is made of both, and silence cuts it."""
    with run(settings=GAP, now="18:00") as collector:
        collector.send(span("one", user="jane", start=at("09:00")), span("two", user="jane", start=at("09:10")))
        collector.send(
            span("three", user="jane", start=at("15:00")), span("bob's", user="bob", service="desk"), span("nobody's", service="")
        )
        assert ids(collector) == [("bob|desk", 1, 1, 1), ("jane|shop", 2, 3, 3)]
        assert bound(collector)["nobody's"] == ""


def test_the_top_most_span_decides_whenever_it_comes() -> None:
    """First a child alone is known, then the root, which knows better; a session that is named goes before all of it."""
    with run(settings=GAP) as collector:
        root = span("root", trace="t", user="jane", lasts="9s")
        child = span("child", parent=root, user="bot")
        collector.send(child)
        assert ids(collector) == [("bot|shop", 1, 1, 1)]
        collector.send(root)
        assert ids(collector) == [("jane|shop", 1, 1, 2)]
        collector.send(span("leaf", parent=child, session="s"))
        assert ids(collector) == [("s", 1, 1, 3)]


def test_any_attribute_may_make_the_id() -> None:
    """Of the top-most span, else of its resource; what neither says is empty between the bars."""
    settings = [*GAP, "processors.session.gap_attributes=[app.team, user, app.desk]"]
    with run(settings=settings) as collector:
        resource = {"app.team": "red", "enduser.id": "jane"}
        collector.send(span("both", resource=resource, attributes={"app.team": " blue ", "app.desk": 7}, user="bob"))
        collector.send(span("resource", resource=resource, attributes={"app.team": "unknown"}))
        collector.send(span("nothing", resource={"app.team": "null"}))
        assert bound(collector) == {"both": "blue|bob|7", "resource": "red|jane|", "nothing": ""}


def test_the_project_is_that_of_the_top_most_span() -> None:
    """So two applications of one user are two sessions."""
    with run(settings=GAP) as collector:
        for project in ("p", "q"):
            collector.send(span(project, user="jane", resource={"service.namespace": project}))
        assert ids(collector, "Project, SessionId") == [("p", "jane|shop"), ("q", "jane|shop")]


@pytest.mark.parametrize("rule", ["trace", "gap"])
def test_log_records_alone_make_no_session(rule: str) -> None:
    """A trace of which no span is known names none, whatever else is in the group; with its span it joins that one's."""
    with run(settings=[f"processors.session.missing_id={rule}"]) as collector:
        known = span("known", trace="a" * 32, user="jane")
        collector.send(known)
        for signal, body in requests([log("", "09:00", trace="b" * 32, body="said")]):
            collector.send(body, signal=signal)
        want = {"trace": "a" * 32, "gap": "jane|shop"}[rule]
        assert ids(collector, "SessionId, LogRecords") == [(want, 0)]
        collector.send(span("late", trace="b" * 32, user="jane"))
        want_logs = {"trace": [("a" * 32, 0), ("b" * 32, 1)], "gap": [("jane|shop", 1)]}[rule]
        assert ids(collector, "SessionId, LogRecords") == want_logs


def test_a_record_for_a_trace_of_an_earlier_life_moves_nothing() -> None:
    """After a restart the rule holds before any span has come."""
    settings = ["processors.session.missing_id=trace", "exporters.clickhouse.database=earlier_life_without_id"]
    with run(settings=settings) as collector:
        collector.send(span("known", trace="a" * 32))
        collector.settle()
    with run(settings=settings) as collector:
        for signal, body in requests([log("", "09:00", trace="a" * 32, body="said")]):
            collector.send(body, signal=signal)
        assert ids(collector, "SessionId, Spans, LogRecords") == [("a" * 32, 1, 1)]


def test_an_id_that_is_too_long_is_shortened_as_any_other() -> None:
    long = "x" * 300
    assert shortened(long[:256], 256) == long[:256]
    assert len(shortened(long, 256)) == 217
    assert shortened(long, 256).startswith("x" * 200 + "~")
    settings = [*GAP, "processors.session.gap_attributes=[user]"]
    with run(settings=settings) as collector:
        collector.send(span("named", session=long), span("by gap", user=long))
        assert bound(collector) == {"named": shortened(long, 256), "by gap": shortened(long, 256)}


def test_what_a_row_says_does_not_name_its_neighbour() -> None:
    """Facets are looked for by row: of three traces the first and the last have the attribute, and a fourth has a session."""
    texts = Texts()
    facts = np.zeros(4, FACT)
    facts["project"] = texts.code("tenant\0project")
    facets = np.zeros(3, SPAN_FACET)
    facets["what"], facets["key"] = FACETS["gap"], texts.code("team")
    facets["value"] = [texts.code("red"), texts.code("blue"), texts.code("green")]
    told_by = np.array([3, 1, 0])
    main = np.array([0, 0, 0, 5], np.uint64)
    keys = np.zeros((4, 3), ">u8")
    name_missing(main, facts, np.array([3, 2, 1, 0]), keys, facets, told_by, Missing("gap", ("team",)), texts)
    assert texts.lookup(main.tobytes()).to_pylist()[:3] == ["tenant\0project\0red", "", "tenant\0project\0blue"]
    assert main[3] == 5


def test_no_attribute_is_no_rule() -> None:
    with pytest.raises(ValueError, match="gap_attributes"):
        Session(missing_id="gap", gap_attributes=())
    assert Session(missing_id="trace").lift()["gap_attributes"] == ()
