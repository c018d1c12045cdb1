"""Where sessions are cut and what state they are in: one line per situation.

A line reads: intervals of the traces · when the last of them arrived (else when it ended) · now → segments, with why they ended.
Times are hours and minutes of one day; 25:10 is ten past one on the next.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from sojourn.sessions.lifecycle import ENDED, MINUTE, NEVER, REASONS, SECOND, STATES, Marks, Rules, covered, cut, deadlines, late, states
from tests.oracle import test_cutting as by_hand

PLAIN = Rules()
HOUR = 60 * MINUTE


def at(clock: str) -> int:
    hours, minutes, *seconds = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * MINUTE + int(seconds[0] if seconds else 0) * SECOND


def clock(time: int) -> str:
    minutes, left = divmod(time, MINUTE)
    seconds = f":{left // SECOND:02}" if left else ""
    return f"{minutes // 60:02}:{minutes % 60:02}{seconds}"


def intervals(text: str) -> tuple[np.ndarray, np.ndarray]:
    pairs = sorted((at(begin), at(end)) for begin, end in re.findall(r"(\S+)-(\S+)", text))
    start, end = np.array(pairs, np.int64).T
    return start, end


def segments(traces: str, now: str, heard: str = "", rules: Rules = PLAIN) -> list[str]:
    start, end = intervals(traces)
    cuts = cut(np.array([0]), start, end, rules)
    arrival = np.array([at(heard) if heard else end.max()])
    last = states(arrival, np.array([end.max()]), at(now), rules)[0]
    out = []
    for number, (first, until) in enumerate(zip(cuts.first, [*cuts.first[1:], len(start)], strict=True)):
        state = ENDED if number < len(cuts.first) - 1 else last
        reason = cuts.reason[number] or (1 if state == ENDED else 0)
        out.append(f"{clock(start[first])}-{clock(end[first:until].max())} {STATES[state]} {REASONS[reason]}".strip())
    return out


SEGMENTS = [
    # a session with nothing remarkable
    ("09:00-09:01", "09:02", ["09:00-09:01 active"]),
    ("09:00-09:01 09:10-09:11 09:30-09:31", "09:32", ["09:00-09:31 active"]),
    # silence: active before 5 minutes, idle before 30 minutes and the 30 seconds of grace, then ended
    ("09:00-09:01", "09:05:59", ["09:00-09:01 active"]),
    ("09:00-09:01", "09:06", ["09:00-09:01 idle"]),
    ("09:00-09:01", "09:31:29", ["09:00-09:01 idle"]),
    ("09:00-09:01", "09:31:30", ["09:00-09:01 ended idle_timeout"]),
    # a gap cuts from 30 minutes on, measured from the last end to the next start
    ("09:00-09:01 09:30-09:35", "09:36", ["09:00-09:35 active"]),
    ("09:00-09:01 09:31-09:35", "09:36", ["09:00-09:01 ended idle_timeout", "09:31-09:35 active"]),
    (
        "09:00-09:01 09:40-09:41 10:20-10:21",
        "12:00",
        ["09:00-09:01 ended idle_timeout", "09:40-09:41 ended idle_timeout", "10:20-10:21 ended idle_timeout"],
    ),
    # a 40-minute tool call that is told at its end bridges the timeout
    ("09:00-09:01 09:00-09:42 09:45-09:46", "09:47", ["09:00-09:46 active"]),
    # a long trace in front covers later gaps of shorter ones
    ("09:00-11:00 09:10-09:11 11:05-11:06", "11:07", ["09:00-11:06 active"]),
    # traces at one moment, traces without length
    ("09:00-09:00 09:00-09:00 09:00-09:00", "09:00", ["09:00-09:00 active"]),
    # a day and an hour: the trace that would end later than 24 hours after the segment's start begins the next one
    ("00:00-00:20 00:40-23:50 23:55-24:10", "24:11", ["00:00-23:50 ended max_duration", "23:55-24:10 active"]),
    ("00:00-00:20 00:40-23:50 23:55-24:00", "24:11", ["00:00-24:00 idle"]),
    # a single trace is never split, however long it is
    ("00:00-30:00", "30:01", ["00:00-30:00 active"]),
    ("00:00-30:00 30:01-30:02", "30:03", ["00:00-30:00 ended max_duration", "30:01-30:02 active"]),
    # a silence comes first, then the limit
    ("00:00-23:00 24:00-24:10", "24:11", ["00:00-23:00 ended idle_timeout", "24:00-24:10 active"]),
]


@pytest.mark.parametrize(("traces", "now", "expected"), SEGMENTS, ids=[f"{traces} at {now}" for traces, now, _ in SEGMENTS])
def test_segments(traces: str, now: str, expected: list[str]) -> None:
    assert segments(traces, now) == expected


HEARD = [
    # an end long ago that arrives now is activity now
    ("09:00-09:01", "12:00", "12:01", ["09:00-09:01 active"]),
    ("09:00-09:01", "12:00", "12:06", ["09:00-09:01 idle"]),
    # but it does not glue segments together: boundaries depend on event times only
    ("09:00-09:01 10:00-10:01", "12:00", "12:01", ["09:00-09:01 ended idle_timeout", "10:00-10:01 active"]),
    # a clock two hours ahead: not silent until that time has come, then silent like any other
    ("11:00-11:01", "09:00", "09:00", ["11:00-11:01 active"]),
    ("11:00-11:01", "09:00", "11:00", ["11:00-11:01 active"]),
    ("11:00-11:01", "09:00", "11:06", ["11:00-11:01 idle"]),
    ("11:00-11:01", "09:00", "11:31:30", ["11:00-11:01 ended idle_timeout"]),
    # our own clock went back
    ("09:00-09:01", "09:01", "08:00", ["09:00-09:01 active"]),
]


@pytest.mark.parametrize(("traces", "heard", "now", "expected"), HEARD)
def test_what_was_heard_last_decides_the_state(traces: str, heard: str, now: str, expected: list[str]) -> None:
    assert segments(traces, now, heard) == expected


LIMITS = [
    ("09:00-09:01 09:02-09:03 09:04-09:05", Rules(max_traces=2), ["09:00-09:03 ended max_traces", "09:04-09:05 active"]),
    (
        "09:00-09:01 09:02-09:03 09:04-09:05",
        Rules(max_traces=1),
        ["09:00-09:01 ended max_traces", "09:02-09:03 ended max_traces", "09:04-09:05 active"],
    ),
    ("09:00-09:01 09:02-09:03", Rules(max_traces=2), ["09:00-09:03 active"]),
    # counted anew behind every cut, whatever made it
    (
        "09:00-09:01 09:02-09:03 09:40-09:41 09:42-09:43 09:44-09:45",
        Rules(max_traces=2),
        ["09:00-09:03 ended idle_timeout", "09:40-09:43 ended max_traces", "09:44-09:45 active"],
    ),
    # both at once: the duration is named
    ("09:00-09:01 09:02-09:05", Rules(max_traces=1, max_duration=3 * MINUTE), ["09:00-09:01 ended max_duration", "09:02-09:05 active"]),
    # flagged only
    ("09:00-09:01 09:02-09:03 09:04-09:05", Rules(max_traces=2, cut_on_limit=False), ["09:00-09:05 active"]),
    # no limit
    ("09:00-09:01 09:02-09:03 09:04-09:05", Rules(max_traces=NEVER, max_duration=NEVER), ["09:00-09:05 active"]),
    # every silence ends a segment
    (
        "09:00-09:01 09:01-09:02 09:03-09:04",
        Rules(idle_timeout=0),
        ["09:00-09:01 ended idle_timeout", "09:01-09:02 ended idle_timeout", "09:03-09:04 active"],
    ),
]


@pytest.mark.parametrize(("traces", "rules", "expected"), LIMITS)
def test_limits(traces: str, rules: Rules, expected: list[str]) -> None:
    assert segments(traces, "09:46" if "09:45" in traces else "09:05", rules=rules) == expected


def test_a_late_span_bridges_two_segments_that_stay_cut_at_a_limit() -> None:
    """The gap is closed by a trace that lies in it; the cut that a limit made moves, but stays a cut."""
    rules = Rules(max_traces=3)
    apart = "09:00-09:01 09:40-09:41 09:42-09:43"
    assert segments(apart, "09:44", rules=rules) == ["09:00-09:01 ended idle_timeout", "09:40-09:43 active"]
    bridged = apart + " 09:20-09:21"
    assert segments(bridged, "09:44", rules=rules) == ["09:00-09:41 ended max_traces", "09:42-09:43 active"]


def test_a_session_with_twenty_thousand_traces_is_cut_every_ten_thousand() -> None:
    start = np.arange(20_001) * SECOND
    cuts = cut(np.array([0]), start, start + SECOND, PLAIN)
    assert cuts.first.tolist() == [0, 10_000, 20_000]
    assert [REASONS[code] for code in cuts.reason] == ["max_traces", "max_traces", ""]


def test_sessions_are_cut_each_for_itself() -> None:
    start = np.array([0, 60, 0, 10, 5, 6, 7]) * MINUTE
    cuts = cut(np.array([0, 2, 4]), start, start + MINUTE, PLAIN)
    assert cuts.session.tolist() == [0, 0, 1, 2]
    assert cuts.number.tolist() == [0, 1, 0, 0]
    assert cuts.first.tolist() == [0, 1, 2, 4]


RULES = [PLAIN, Rules(idle_timeout=10 * MINUTE), Rules(max_traces=2), Rules(max_traces=2, cut_on_limit=False), Rules(idle_timeout=2 * HOUR)]
OWN = [
    # what one session would be by each of RULES; they are cut together
    (
        "09:00-09:01 09:20-09:21 09:40-09:41 10:15-10:16",
        [
            ["09:00-09:41 idle_timeout", "10:15-10:16"],
            ["09:00-09:01 idle_timeout", "09:20-09:21 idle_timeout", "09:40-09:41 idle_timeout", "10:15-10:16"],
            ["09:00-09:21 max_traces", "09:40-09:41 idle_timeout", "10:15-10:16"],
            ["09:00-09:41 idle_timeout", "10:15-10:16"],
            ["09:00-10:16"],
        ],
    ),
]


@pytest.mark.parametrize(("traces", "expected"), OWN)
def test_sessions_are_cut_each_by_its_own_rules(traces: str, expected: list[list[str]]) -> None:
    start, end = (np.tile(each, len(RULES)) for each in intervals(traces))
    size = len(start) // len(RULES)
    cuts = cut(np.arange(len(RULES)) * size, start, end, Rules.each(RULES, np.arange(len(RULES))))
    found: list[list[str]] = [[] for _ in RULES]
    for first, until, session, code in zip(cuts.first, [*cuts.first[1:], len(start)], cuts.session, cuts.reason, strict=True):
        found[session].append(f"{clock(start[first])}-{clock(end[first:until].max())} {REASONS[code]}".strip())
    assert found == expected


def test_states_deadlines_and_lateness_follow_each_session_s_own_rules() -> None:
    own = Rules.each(
        [PLAIN, Rules(active_window=MINUTE, idle_timeout=2 * MINUTE, finalize_delay=0, allowed_lateness=0)], np.array([0, 1, 1])
    )
    arrival, end = np.full(3, at("09:00")), np.array([at("09:00"), at("09:00"), at("10:00")])
    state = states(arrival, end, at("09:01"), own)
    assert [STATES[code] for code in state] == ["active", "idle", "active"]
    assert [clock(time) for time in deadlines(arrival, end, state, own)] == ["09:05", "09:02", "10:01"]
    came = np.array([at("09:01"), at("09:05")] * 2)
    two = Rules.each([PLAIN, Rules(idle_timeout=2 * MINUTE, finalize_delay=0, allowed_lateness=0)], np.array([0, 1]))
    assert late(np.array([0, 2]), np.full(4, at("09:01")), came, two).tolist() == [False, True]


def test_a_mark_falls_into_a_silence_by_the_rules_of_its_session() -> None:
    start = np.array([at("09:00")] * 2)
    said = marks_of("x09:20")
    both = Marks(np.array([0, 1]), np.repeat(said.time, 2), np.repeat(said.reason, 2), np.repeat(said.new, 2))
    own = Rules.each([PLAIN, Rules(idle_timeout=10 * MINUTE)], np.array([0, 1]))
    assert [REASONS[code] for code in cut(np.array([0, 1]), start, start + MINUTE, own, None, both).reason] == ["explicit", ""]


def marks_of(text: str, session: int = 0) -> Marks:
    """`x09:05` an explicit end, `c09:05` a continuation."""
    told = text.split()
    reasons = [REASONS.index("explicit" if mark[0] == "x" else "continued") for mark in told]
    times = np.array([at(mark[1:]) for mark in told], np.int64)
    return Marks(np.full(len(told), session), times, np.array(reasons, np.uint8), np.ones(len(told), bool))


@pytest.mark.parametrize(("traces", "marks", "want"), by_hand.LINES)
def test_marks_cut_as_they_do_by_hand(traces: str, marks: str, want: list[str]) -> None:
    """The lines of tests/oracle/test_cutting.py; `!` is activity_after_end, which follows from the reason in front."""
    rows = sorted(by_hand.rows(traces), key=lambda row: row["Start"])
    start, end = (np.array([row[name] for row in rows], np.int64) for name in ("Start", "End"))
    cuts = cut(np.array([0]), start, end, PLAIN, np.array([row["Spans"] > 0 for row in rows]), marks_of(marks))
    got, before = [], ""
    for first, until, code in zip(cuts.first, [*cuts.first[1:], len(rows)], cuts.reason, strict=True):
        behind = "!" if before in ("explicit", "continued") else ""
        before = REASONS[code]
        got.append(" ".join(filter(None, (f"{clock(start[first])}-{clock(end[first:until].max())}", before, behind))))
    assert got == want


def test_marks_are_those_of_their_session() -> None:
    """What ends one session is no end of its neighbours, and a segment knows whether what ended it is new."""
    start = np.array([0, 10, 0, 10, 0]) * MINUTE
    old, new = marks_of("x00:05", 1), marks_of("x00:12", 2)
    both = Marks(*(np.concatenate(pair) for pair in zip(*([m.session, m.time, m.reason, m.new] for m in (old, new)), strict=True)))
    both.new[0] = False
    cuts = cut(np.array([0, 2, 4]), start, start + MINUTE, PLAIN, None, both)
    assert cuts.session.tolist() == [0, 1, 1, 2]
    assert [REASONS[code] for code in cuts.reason] == ["", "explicit", "", "explicit"]
    assert cuts.anew is not None
    assert cuts.anew.tolist() == [False, False, False, True]


def test_the_union_of_intervals_counts_every_moment_once() -> None:
    start, end = intervals("09:00-09:30 09:05-09:10 09:20-09:40 10:00-10:01")
    new, before = covered(np.array([0]), start, end)
    assert [clock(part) for part in new] == ["00:30", "00:00", "00:10", "00:01"]
    assert [clock(time) for time in before[1:]] == ["09:30", "09:30", "09:40"]


@pytest.mark.parametrize("end", ["09:01", "11:00"])
def test_nothing_changes_before_the_deadline_and_the_state_does_at_it(end: str) -> None:
    arrival, last = np.array([at("09:02")]), np.array([at(end)])
    now = at("09:02")
    for expected in ("active", "idle", "ended"):
        state = states(arrival, last, now, PLAIN)
        assert STATES[state[0]] == expected
        due = int(deadlines(arrival, last, state, PLAIN)[0])
        if expected == "ended":
            assert due == NEVER
        else:
            assert states(arrival, last, due - 1, PLAIN)[0] == state[0]
            assert states(arrival, last, due, PLAIN)[0] == state[0] + 1
            now = due


LATE = [
    ("09:00-09:01 09:02-09:03", "09:01 09:03", False),
    # beyond: 30 m idle_timeout, 30 s finalize_delay and 24 h after what was heard last
    ("09:00-09:01 09:02-09:03", "09:01 33:31:29", False),
    ("09:00-09:01 09:02-09:03", "09:01 33:31:30", True),
    # one that ends in between keeps it open
    ("09:00-09:01 09:02-09:03 09:04-20:00", "09:01 33:31:30 09:10", False),
    # all of it came late: it was never told before
    ("09:00-09:01 09:02-09:03", "99:00 99:01", False),
]


@pytest.mark.parametrize(("traces", "arrivals", "expected"), LATE)
def test_late_data_is_what_arrives_long_after_the_end(traces: str, arrivals: str, expected: bool) -> None:
    _, end = intervals(traces)
    arrival = np.array([at(each) for each in arrivals.split()])
    assert late(np.array([0]), end, arrival, PLAIN).tolist() == [expected]
