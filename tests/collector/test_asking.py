"""Requests between groups: answered one after the other by the lane's thread, stored like a group, or refused in words."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sojourn import Batch, Rejected, Unavailable
from sojourn.collector.asking import MOST, Desk

from .fakes import Bench, Group, Spy, rows


@dataclass
class Wish:
    """A request that remembers on which threads it was heard."""

    heard: list[str] = field(default_factory=list)


@dataclass
class Fairy(Spy):
    """A processor that can be asked."""

    def asked(self, request: Any) -> Iterable[Batch]:
        request.heard.append(threading.current_thread().name)
        self._fail()
        return [Batch("session_rows", rows("granted"))]


def test_a_request_is_answered_on_the_lanes_thread_and_stored() -> None:
    """By all processors that can be asked, past the others; then the state is committed."""
    first, behind, sink = Fairy(), Spy(), Spy()
    with Bench({"a": first, "b": behind, "c": Fairy()}, {"sink": sink}) as bench:
        wish = Wish()
        assert bench.lane.answers()
        bench.lane.ask(wish, 10.0)
        assert wish.heard == ["lane traces"] * 2
        assert sink.told == [("session_rows", 1)] * 2
        assert first.told == behind.told == ["committed"]


def test_what_cannot_be_done_is_told_to_who_asked_and_leaves_nothing_behind() -> None:
    """The state is as before, and groups go on."""
    fairy = Fairy(failures=[Rejected("no wishes today")])
    with Bench({"a": fairy}, {"sink": Spy()}) as bench:
        with pytest.raises(Rejected, match="no wishes today"):
            bench.lane.ask(Wish(), 10.0)
        assert fairy.told == ["discard"]
        assert bench.send(Group("x")).outcome == ["committed"]


def test_a_database_that_is_away_holds_the_answer_back_not_the_result() -> None:
    """Who asked gives up waiting; what was begun is brought to its end."""
    sink = Spy(failures=[Unavailable("away", 0.0)] * 2)
    with Bench({"a": Fairy()}, {"sink": sink}) as bench:
        bench.lane.ask(Wish(), 10.0)
        assert sink.told == [("session_rows", 1)]


def test_requests_that_nobody_answers_end_in_words() -> None:
    """When it takes too long, when too many wait, and when the collector stops; what was given up is not done later."""
    desk = Desk(lambda: None)
    with pytest.raises(Unavailable, match="not done within"):
        desk.ask("too long", 0.01)
    assert desk.take() is None

    def wait() -> None:
        with pytest.raises(Unavailable, match="stopping"):
            desk.ask("waits", 60.0)

    threads = [threading.Thread(target=wait) for _ in range(MOST)]
    for thread in threads:
        thread.start()
    while desk._waiting.qsize() < MOST:
        threads[0].join(0.01)
    with pytest.raises(Unavailable, match="others ask already"):
        desk.ask("too many", 60.0)
    desk.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    with pytest.raises(Unavailable, match="stopping"):
        desk.ask("too late", 60.0)


def test_a_lane_without_anybody_to_ask_says_so() -> None:
    """Such as one that only forwards."""
    with Bench({"a": Spy()}, {"sink": Spy()}) as bench:
        assert not bench.lane.answers()
