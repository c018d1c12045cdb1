"""The stories, told to the oracle (at once) and to a whole collector (as soon as it reads log records)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from sojourn.testing import Collector, at, run
from tests.oracle import Fact, Record, read_logs, read_request, sessions_of, world
from tests.oracle.test_oracle import digest
from tests.recordings import tape
from tests.signals import telling
from tests.signals.stories import NOW, STORIES, Step
from tests.signals.telling import Told

Sessions = dict[str, dict[str, Any]]


@pytest.mark.parametrize("story", STORIES)
def test_the_oracle_tells_the_story(story: str) -> None:
    told: list[Told] = []
    for number, step in enumerate(STORIES[story]):
        told += step.told
        sessions, segments = _oracle(told)
        check(step, sessions, segments, f"step {number + 1}")


def _oracle(told: list[Told]) -> tuple[Sessions, dict[str, list[dict[str, Any]]]]:
    facts: list[Fact] = []
    records: list[Record] = []
    for signal, body in telling.requests(told):
        if signal == "traces":
            facts += read_request(tape.parsed(tape.Request(body, tape.PROTOBUF)), at(NOW), digest)
        elif signal == "logs":
            records += read_logs(tape.parsed(tape.Request(body, tape.PROTOBUF, "logs")), at(NOW), digest)
    made = world(facts, records)
    sessions, segments = sessions_of(made.rows, at(NOW), marks=made.marks)
    parts: dict[str, list[dict[str, Any]]] = {}
    for segment in segments:
        parts.setdefault(segment["SessionId"], []).append(segment)
    return {row["SessionId"]: row for row in sessions}, parts


def check(step: Step, sessions: Sessions, segments: Mapping[str, list[dict[str, Any]]], where: str) -> None:
    for session, want in step.sessions.items():
        row = sessions.get(session)
        got = None if row is None or want is None else {name: row[name] for name in want}
        assert (session, got if want is not None else row) == (session, want), where
    for session, wanted in (step.segments or {}).items():
        rows = segments[session]
        got_rows = [{name: row[name] for name in want} for row, want in zip(rows, wanted, strict=True)]
        assert (session, got_rows) == (session, list(wanted)), where


def shuffled(told: list[Told]) -> list[Told]:
    return random.Random(11).sample(told, len(told))


WAYS: dict[str, Callable[[list[Told]], list[Told]]] = {
    "as told": lambda told: told,
    "backwards": lambda told: told[::-1],
    "twice, shuffled": lambda told: shuffled(told * 2),
}


@pytest.fixture(scope="module", params=WAYS)
def teller(request: pytest.FixtureRequest) -> Iterator[tuple[str, Collector]]:
    """A way of telling, and one collector for it: every story has sessions and traces of its own."""
    with run(now=NOW) as collector:
        yield request.param, collector


_SHOWN = "SELECT *, toUnixTimestamp64Nano(Start) AS StartNs, toUnixTimestamp64Nano(End) AS EndNs FROM"
_OF_THESE = "WHERE SessionId IN {ids:Array(String)} ORDER BY SessionId"


@pytest.mark.parametrize("story", STORIES)
def test_a_whole_collector_tells_the_story(teller: tuple[str, Collector], story: str) -> None:
    way, collector = teller
    for number, step in enumerate(STORIES[story]):
        for signal, body in telling.requests(WAYS[way](list(step.told))):
            collector.send(body, signal=signal)
        ids = {"ids": list(step.sessions)}
        rows = collector.query(f"{_SHOWN} sessions {_OF_THESE}", ids)
        segments: dict[str, list[dict[str, Any]]] = {}
        for part in collector.query(f"{_SHOWN} session_segments {_OF_THESE}, Segment", ids):
            segments.setdefault(part["SessionId"], []).append(_plain(part))
        check(step, {row["SessionId"]: _plain(row) for row in rows}, segments, f"{way}, step {number + 1}")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a view in the words of the stories: times in ns, money in picodollars."""
    cost = None if row["Cost"] is None else int(row["Cost"].scaleb(12))
    return {**row, "Start": row["StartNs"], "End": row["EndNs"], "CostPico": cost}
