"""What log records tell a session beside its traces: activity, ends at their own time, and the prompts that make its turns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests import oracle_lifecycle
from tests.oracle import cutting
from tests.oracle_lifecycle import MINUTE, Limits, Trace
from tests.processors.lifecycle_world import NOW, World
from tests.processors.test_lifecycle import DAY, SECOND, same_as_the_oracle, trace
from tests.processors.test_lifecycle_laws import LAWS, traces

S = ("", "", "s")


def records(number: int, at: int = 0, length: int = MINUTE, **more: Any) -> Trace:
    """Log records that belong to no trace of the session."""
    return trace(number, at=at, length=length, **{"name": "", "numbers": {"Spans": 0, "LogRecords": 2}, **more})


def mark(number: int, at: float, reason: str = "explicit", session: str = "s") -> Trace:
    """A record that is only a mark."""
    time = NOW + round(at * MINUTE)
    return Trace(("", "", session), f"{number:032x}", time, time, time, marks=((time, reason),), only_marks=True, numbers={"Spans": 0})


def prompt(at: float, text: str = "go on", before: float | None = None) -> tuple[int, int, str, int]:
    """A prompt, and when the last record in front of it was."""
    return NOW + round(at * MINUTE), round(at * 10), text, 0 if before is None else NOW + round(before * MINUTE)


def told(*rows: Trace, then: float = 0, **parameters: Any) -> World:
    """A world that heard of these one after the other, `then` minutes after NOW."""
    world = World(**parameters)
    world.clock.time = NOW + round(then * MINUTE)
    for row in rows:
        world.feed(row)
    return world


def segments(world: World) -> list[tuple[int, str, str, list[str]]]:
    return [(row["Traces"], row["State"], row["EndReason"], row["Flags"]) for row in world.segments()[S]]


def test_a_session_of_log_records_alone_has_a_row_like_any_other() -> None:
    one = records(1, services=frozenset({"gemini-cli"}), models=frozenset({"gemini"}), user=("ann", NOW, 1), cost=5, cost_sources=1)
    two = records(2, at=1, numbers={"Spans": 0, "LogRecords": 3, "LogErrors": 1, "LlmCalls": 1, "InputTokens": 7})
    world = told(one, two, then=2)
    same_as_the_oracle(world, one, two)
    row = world.sessions()[S]
    assert (row["Name"], row["NameSource"], row["State"], row["Status"]) == ("", "derived", "active", "ok")
    assert (row["Traces"], row["Turns"], row["FirstTrace"], row["LastTrace"]) == (0, 0, "", "")
    assert (row["LogRecords"], row["LogErrors"], row["InputTokens"], row["UserId"], row["CostPico"]) == (5, 1, 7, "ann", 5)
    assert row["WallNs"] == row["ActiveNs"] == 2 * MINUTE
    world.tick(NOW + DAY)
    assert world.events("Event") == [("session.start",), ("session.end",)]


def test_log_records_bridge_a_silence_but_are_no_trace_no_turn_and_name_nothing() -> None:
    one, talk, two = trace(1), records(2, at=20, name="x", session_name=("x", NOW + DAY, 1), turn=True, error=True), trace(3, at=45)
    world = told(one, talk, two, then=46)
    same_as_the_oracle(world, one, talk, two)
    row = world.sessions()[S]
    assert (row["Segments"], row["Traces"], row["Turns"], row["Name"], row["Status"]) == (1, 2, 2, "trace 1", "ok")


def test_log_records_never_count_for_max_traces() -> None:
    rows = [trace(1), records(2, at=1), records(3, at=2), trace(4, at=3), records(5, at=4), trace(6, at=5)]
    world = told(*rows, then=6, max_traces=2)
    same_as_the_oracle(world, *rows, limits=Limits(max_traces=2))
    assert [(traces, why) for traces, _, why, _ in segments(world)] == [(2, "max_traces"), (1, "")]


def test_an_explicit_end_ends_at_once_and_a_trace_behind_it_begins_another_segment() -> None:
    one, end, two = trace(1), mark(2, 2), trace(3, at=3)
    world = told(one, then=1)
    world.feed(end)
    same_as_the_oracle(world, one, end)
    assert segments(world) == [(1, "ended", "explicit", [])]
    assert world.tick(NOW + DAY) == [], "nothing is due any more"
    world.clock.time = NOW + 4 * MINUTE
    world.feed(two)
    same_as_the_oracle(world, one, end, two)
    assert segments(world) == [(1, "ended", "explicit", []), (1, "active", "", ["activity_after_end"])]
    assert world.sessions()[S]["Flags"] == ["activity_after_end"]
    assert world.events() == [
        ("s", 0, "session.start", ""),
        ("s", 0, "session.end", "explicit"),
        ("s", 1, "session.rotated", "explicit"),
    ]


def test_what_began_before_the_end_belongs_to_it_in_whatever_order_it_arrives() -> None:
    one, end, late = trace(1), mark(2, 3), trace(3, at=2, arrival=6)
    world = told(end, one, then=3)
    assert segments(world) == [(1, "ended", "explicit", [])]
    world.feed(late)
    same_as_the_oracle(world, one, end, late)
    assert segments(world) == [(2, "ended", "explicit", [])]
    assert world.events() == [
        ("s", 0, "session.start", ""),
        ("s", 0, "session.end", "explicit"),
        ("s", 0, "session.updated", ""),
    ]


def test_a_mark_in_the_middle_of_a_trace_ends_the_segment_which_ends_later() -> None:
    one, end, two = trace(1, length=10 * MINUTE), mark(2, 4), trace(3, at=5)
    world = told(one, end, two, then=11)
    same_as_the_oracle(world, one, end, two)
    assert segments(world) == [(1, "ended", "explicit", []), (1, "active", "", ["activity_after_end"])]
    assert world.segments()[S][0]["End"] == one.end


def test_a_span_may_carry_the_mark() -> None:
    one = trace(1, marks=((NOW + MINUTE, "explicit"),))
    world = told(one, then=1)
    same_as_the_oracle(world, one)
    assert segments(world) == [(1, "ended", "explicit", [])]


@pytest.mark.parametrize("at", [-5, 0])
def test_a_mark_before_everything_changes_nothing(at: int) -> None:
    end, one = mark(1, at), trace(2)
    world = told(end, one, then=1)
    same_as_the_oracle(world, end, one)
    assert segments(world) == [(1, "active", "", [])]


def test_a_mark_in_a_silence_that_had_ended_the_segment_changes_nothing() -> None:
    one, within, two = trace(1), mark(2, 31), trace(3, at=60)
    world = told(one, within, two, then=61)
    assert [why for _, _, why, _ in segments(world)] == ["explicit", ""], "the very end of the silence still counts"
    beyond = mark(2, 31.01)
    world.feed(beyond)
    same_as_the_oracle(world, one, within, two, beyond)
    assert segments(world) == [(1, "ended", "idle_timeout", []), (1, "active", "", [])]
    alone = told(one, mark(2, 40), then=2)
    assert segments(alone) == [(1, "active", "", [])], "nor does one behind it, though its time is yet to come"


def test_of_two_marks_the_earlier_counts_and_at_one_time_the_explicit_one() -> None:
    one = trace(1)
    for marks, why in (
        ((mark(2, 3), mark(3, 2, "continued")), "continued"),
        ((mark(2, 2, "continued"), mark(3, 2)), "explicit"),
        ((mark(2, 2, "continued"), mark(3, 3)), "continued"),
    ):
        world = told(one, *marks, then=1)
        same_as_the_oracle(world, one, *marks)
        assert segments(world) == [(1, "ended", why, [])]


def test_a_mark_alone_is_no_session_but_is_remembered_across_a_restart() -> None:
    end, one = mark(1, 2), trace(2)
    world = told(end, then=1)
    assert world.sessions() == {}
    world.tick(NOW + DAY)
    world.restart()
    assert world.events() == []
    world.clock.time = NOW + 2 * MINUTE
    world.feed(one)
    same_as_the_oracle(world, end, one)
    assert segments(world) == [(1, "ended", "explicit", [])]


def test_a_session_that_all_traces_have_left_vanishes_though_its_mark_stays() -> None:
    one, end, gone, back = trace(1), mark(2, 2), trace(1, gone=True), trace(3)
    world = told(one, end, gone, then=1)
    assert (world.sessions(), world.segments()) == ({}, {})
    world.restart()
    world.feed(back)
    same_as_the_oracle(world, one, end, gone, back)
    assert segments(world) == [(1, "ended", "explicit", [])]


def test_a_late_mark_cuts_what_was_one_segment() -> None:
    one, two, end = trace(1), trace(2, at=5), mark(3, 3)
    world = told(one, two, then=6)
    world.tick(NOW + 60 * MINUTE)
    world.feed(end)
    same_as_the_oracle(world, one, two, end)
    assert segments(world) == [(1, "ended", "explicit", []), (1, "ended", "idle_timeout", ["activity_after_end"])]
    assert world.events()[-3:] == [
        ("s", 0, "session.updated", ""),
        ("s", 1, "session.rotated", "explicit"),
        ("s", 1, "session.end", "idle_timeout"),
    ]


def test_a_mark_that_moves_away_opens_the_session_again() -> None:
    one, end, left = trace(1), mark(2, 2), trace(2, gone=True)
    world = told(one, end, left, then=1)
    same_as_the_oracle(world, one, end, left)
    assert segments(world) == [(1, "active", "", [])]
    assert world.events("Event", "Reason")[1:] == [("session.end", "explicit"), ("session.reopened", "")]


def test_the_start_of_a_session_says_which_one_it_continues() -> None:
    """Told by a record before the first trace or by that trace; of several the earliest counts."""
    said = trace(9, at=1, previous=("earlier", NOW), only_marks=True, numbers={"Spans": 0})
    world = told(said, trace(1, at=2, previous=("later", NOW + 2 * MINUTE)), trace(2, "else", at=2), then=3)
    world.feed(trace(3, at=3, previous=("first", NOW - 1)))
    starts = {event["SessionId"]: dict(event["Attributes"]) for event in world.database.events}
    assert starts == {"s": {"session.previous_id": "earlier"}, "else": {}}


def test_prompts_are_the_turns() -> None:
    """Each lasts to the last end before the next one; then no trace is a turn, and any trace's status counts."""
    one = trace(1, turn=True, error=True, last_call=(NOW + 30 * SECOND, 1, "first"))
    two = trace(2, at=3, turn=True, last_call=(NOW + 3 * MINUTE, 1, "last"))
    talk = records(3, at=0, length=5 * MINUTE, prompts=(prompt(0.5, "hello"), prompt(2, "go on", before=1.5), prompt(4.5, "", before=4.2)))
    world = told(one, two, talk, then=6)
    same_as_the_oracle(world, one, two, talk)
    row = world.sessions()[S]
    assert (row["Turns"], row["Traces"], row["Status"]) == (3, 2, "error")
    assert (row["FirstPrompt"], row["LastAnswer"], row["FirstTrace"], row["LastTrace"]) == ("hello", "last", "", "")
    # 0:30 to the record at 1:30; 2:00 to that at 4:12; 4:30 to the last record at 5:00
    assert (row["TurnP50Ns"], row["TurnP95Ns"]) == (MINUTE, round(2.2 * MINUTE))


def test_prompts_across_two_segments() -> None:
    early = records(1, prompts=(prompt(0, "first"),))
    late = records(2, at=60, length=2 * MINUTE, prompts=(prompt(60, "second"), prompt(61, "third", before=60.5)))
    world = told(early, late, then=62)
    same_as_the_oracle(world, early, late)
    assert [(row["Turns"], row["FirstPrompt"], row["TurnP95Ns"]) for row in world.segments()[S]] == [
        (1, "first", MINUTE),
        (2, "second", MINUTE),
    ]
    row = world.sessions()[S]
    assert (row["Turns"], row["FirstPrompt"], row["TurnP50Ns"]) == (3, "first", MINUTE)


def test_a_segment_without_prompts_has_no_turns_where_the_session_has_some() -> None:
    talk, quiet = records(1, prompts=(prompt(0),)), trace(2, at=60, turn=True)
    world = told(talk, quiet, then=61)
    same_as_the_oracle(world, talk, quiet)
    assert [row["Turns"] for row in world.segments()[S]] == [1, 0]


def test_prompts_that_were_forgotten_come_back_from_the_database() -> None:
    talk, one = records(1, prompts=(prompt(0, "hello"),), last_call=(NOW, 1, "hi")), trace(2, at=1)
    world = told(talk, then=1)
    world.texts.forget()
    world.feed(one)
    same_as_the_oracle(world, talk, one)
    assert (world.sessions()[S]["FirstPrompt"], world.sessions()[S]["LastAnswer"]) == ("hello", "hi")


def test_the_length_of_the_whole_session_is_no_limit_only_that_of_its_segments() -> None:
    rows = [trace(number, at=40 * number) for number in range(5)]
    world = told(*rows, then=170, max_duration="60m")
    same_as_the_oracle(world, *rows, limits=Limits(max_duration=60 * MINUTE))
    row = world.sessions()[S]
    assert (row["Segments"], row["WallNs"] > 60 * MINUTE, row["Flags"]) == (5, True, [])


def told_whole(row: Trace) -> dict[str, Any]:
    """The same row in the words of the oracle of all signals."""
    before = [at for *_, at in row.prompts if at]
    prompts = [(at, f"{span:016x}", text) for at, span, text, _ in row.prompts]
    times = {"Start": row.start, "End": row.end, "Arrival": row.arrival, "Ends": [row.end, *before]}
    names = {"TraceId": row.trace_id, "Services": []} if row.spans else {"TraceId": "", "Services": [row.trace_id]}
    return {**times, **names, "Spans": row.spans, "Prompts": prompts, "Turn": 0, "told": row}


@pytest.mark.parametrize("limits", [Limits(), Limits(max_traces=2, max_duration=30 * MINUTE, idle_timeout=10 * MINUTE)])
@given(group=st.lists(traces(), min_size=1, max_size=6))
@LAWS
def test_both_oracles_cut_alike(limits: Limits, group: list[Trace]) -> None:
    """That of session rows, and that of all signals, in which it is decided what the specification leaves open."""
    rows = sorted({row.trace_id: row for row in group if not row.only_marks}.values(), key=oracle_lifecycle.in_order)
    assume(rows)
    marks = [each for row in group for each in row.marks]
    mine = oracle_lifecycle.segments(rows, marks, limits)
    rules = cutting.Rules(limits.idle_timeout, max_duration=limits.max_duration, max_traces=limits.max_traces)
    theirs = cutting.cut_segments([told_whole(row) for row in rows], rules, marks)
    assert mine == [([row["told"] for row in segment.rows], segment.reason) for segment in theirs]
    if any(row.prompts for row in rows):
        turns = cutting.turns_of([segment.rows for segment in theirs])
        assert oracle_lifecycle.prompted_turns(mine) == [(turn.segment, turn.text, turn.start, turn.end) for turn in turns]
