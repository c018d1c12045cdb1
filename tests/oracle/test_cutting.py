"""Where marks cut a session, by hand: one line per situation.

A line reads: intervals of the traces (in brackets: of a log trace) · marks (`x` explicit, `c` continued) → segments and why they ended; `!`
is `activity_after_end`. Times are hours and minutes of one day.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.oracle.cutting import MINUTE, Rules, cut_segments, turns_of

LINES = [
    ("09:00-09:01", "", ["09:00-09:01"]),
    # a mark behind the last trace ends the session; one before or at the first start changes nothing
    ("09:00-09:01", "x09:02", ["09:00-09:01 explicit"]),
    ("09:00-09:01", "x09:00", ["09:00-09:01"]),
    ("09:00-09:01", "x08:59", ["09:00-09:01"]),
    # traces that start before the mark attach, however late they end; one that starts at it begins the next segment
    ("09:00-09:01 09:04-09:20", "x09:05", ["09:00-09:20 explicit"]),
    ("09:00-09:01 09:05-09:06", "x09:05", ["09:00-09:01 explicit", "09:05-09:06 !"]),
    ("09:00-09:10 09:05-09:06", "x09:05", ["09:00-09:10 explicit", "09:05-09:06 !"]),
    ("09:00-09:01 (09:05-09:06)", "x09:05", ["09:00-09:01 explicit", "09:05-09:06 !"]),
    # of two marks the first counts, at one time the explicit one
    ("09:00-09:01 09:10-09:11", "c09:05 x09:06", ["09:00-09:01 continued", "09:10-09:11 !"]),
    ("09:00-09:01 09:10-09:11", "c09:05 x09:05", ["09:00-09:01 explicit", "09:10-09:11 !"]),
    ("09:00-09:01 09:10-09:11", "x09:05 x09:12", ["09:00-09:01 explicit", "09:10-09:11 explicit !"]),
    # in a silence that had ended the segment a mark changes nothing; at its very end it still counts
    ("09:00-09:01", "x09:31", ["09:00-09:01 explicit"]),
    ("09:00-09:01", "x09:32", ["09:00-09:01"]),
    ("09:00-09:01 09:40-09:41", "x09:31", ["09:00-09:01 explicit", "09:40-09:41 !"]),
    ("09:00-09:01 09:40-09:41", "x09:32", ["09:00-09:01 idle_timeout", "09:40-09:41"]),
    ("09:00-09:01 09:40-09:41", "x09:10", ["09:00-09:01 explicit", "09:40-09:41 !"]),
    # a long call bridges the silence: the mark within it counts
    ("09:00-09:50 09:55-09:56", "x09:40", ["09:00-09:50 explicit", "09:55-09:56 !"]),
    # a mark goes before a limit at the same trace
    ("00:00-00:20 00:40-23:50 23:55-24:10", "", ["00:00-23:50 max_duration", "23:55-24:10"]),
    ("00:00-00:20 00:40-23:50 23:55-24:10", "x23:55", ["00:00-23:50 explicit", "23:55-24:10 !"]),
]


def at(clock: str) -> int:
    hours, minutes = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * MINUTE


def clock(time: int) -> str:
    return "{:02}:{:02}".format(*divmod(time // MINUTE, 60))


def rows(text: str) -> list[dict[str, Any]]:
    found = re.findall(r"(\()?(\d+:\d+)-(\d+:\d+)", text)
    return [
        {"Start": at(begin), "End": at(end), "Arrival": at(end), "TraceId": "" if log else begin, "Spans": 0 if log else 1, "Services": []}
        for log, begin, end in found
    ]


@pytest.mark.parametrize(("traces", "marks", "want"), LINES)
def test_where_marks_cut(traces: str, marks: str, want: list[str]) -> None:
    told = [(at(mark[1:]), "explicit" if mark[0] == "x" else "continued") for mark in marks.split()]
    got = []
    for segment in cut_segments(rows(traces), Rules(), told):
        begin, end = clock(segment.rows[0]["Start"]), clock(max(row["End"] for row in segment.rows))
        got.append(" ".join(filter(None, (f"{begin}-{end}", segment.reason, "!" if segment.flags else ""))))
    assert got == want


def test_log_traces_do_not_count_for_max_traces() -> None:
    cut = cut_segments(rows("09:00-09:01 (09:02-09:03) 09:04-09:05 (09:06-09:07) 09:08-09:09"), Rules(max_traces=2), [])
    assert [(len(segment.rows), segment.reason) for segment in cut] == [(4, "max_traces"), (1, "")]


TURNS = [
    # (segments as prompts and ends) → start and end of each turn
    ([("09:00 09:10", "09:04 09:12")], ["09:00-09:04", "09:10-09:12"]),
    ([("09:00", "08:00")], ["09:00-09:00"]),  # nothing ends behind the prompt
    ([("09:00 09:10", "09:10 09:15")], ["09:00-09:00", "09:10-09:15"]),  # what ends at the next prompt is not before it
    ([("09:00 09:00", "09:03")], ["09:00-09:00", "09:00-09:03"]),
    ([("09:00", "09:05"), ("11:30", "11:10 11:40")], ["09:00-09:05", "11:30-11:40"]),  # a turn does not reach into the next segment
]


@pytest.mark.parametrize(("told", "want"), TURNS)
def test_how_long_turns_last(told: list[tuple[str, str]], want: list[str]) -> None:
    segments = [
        [{"Prompts": [(at(time), "", "") for time in prompts.split()], "Ends": [at(time) for time in ends.split()], "Spans": 0}]
        for prompts, ends in told
    ]
    assert [f"{clock(turn.start)}-{clock(turn.end)}" for turn in turns_of(segments)] == want
