"""Requests that go to several lanes, each with a log of its own: the answer says that all of them have it, or that none has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from sojourn import _native
from tests.native.test_log import SIZE, crashed, numbers, opened
from tests.native.test_server import post
from tests.native.wire import serving, spans

Both = list[tuple[_native.Log, _native.Lane]]


@contextmanager
def two_lanes(tmp_path: Path, first: int = 1 << 26) -> Iterator[tuple[_native.Server, Both]]:
    """A server that answers when a request is safe in both; `first` bounds the memory of the first lane."""
    with ExitStack() as stack:
        both = [opened(tmp_path / name, flush_bytes=8_000, queue_bytes=size) for name, size in (("a", first), ("b", 1 << 26))]
        for log, _ in both:
            stack.enter_context(closing(log))
        yield stack.enter_context(serving({"traces": [lane for _, lane in both]}, acknowledge="durable")), both


def requests(log: _native.Log) -> float:
    return log.stats()["sojourn_log_requests"]


def after_a_crash(folder: Path) -> list[bytes]:
    log, lane = opened(crashed(folder), flush_interval=0.001)
    with closing(log):
        lane.close()
        found = []
        while (group := lane.next(10)) is not None:
            found += numbers(group)
            group.commit()
        return found


def test_what_was_answered_is_in_every_log(tmp_path: Path) -> None:
    """Each lane brings it to its own database after a crash."""
    sent = [spans(1, f"span {number}") for number in range(20)]
    with two_lanes(tmp_path) as (server, both):
        assert [post(server, body).status_code for body in sent] == [200] * 20
        assert [requests(log) for log, _ in both] == [20, 20]
        assert [after_a_crash(tmp_path / name) for name in ("a", "b")] == [sent, sent]


def test_one_lane_lets_go_without_the_other(tmp_path: Path) -> None:
    """A slow exporter holds only its own log."""
    with two_lanes(tmp_path) as (server, both):
        assert post(server, spans(1)).status_code == 200
        both[1][1].flush()
        group = both[1][1].next(10)
        assert group is not None
        group.commit()
        assert [requests(log) for log, _ in both] == [1, 0]


def test_a_full_log_of_one_lane_refuses_for_all(tmp_path: Path) -> None:
    """Else the sender comes again with what the other lane has already: it would be stored there twice."""
    with two_lanes(tmp_path, first=20_000) as (server, both):
        answers = []
        while not answers or answers[-1] == 200:
            answers.append(post(server, spans(1, padding=SIZE // 20)).status_code)
        assert answers[-1] == 503
        taken = len(answers) - 1
        assert taken > 2
        assert [requests(log) for log, _ in both] == [taken, taken]


@pytest.mark.parametrize("broken", ["a", "b"])
def test_a_log_that_cannot_be_written_is_later(tmp_path: Path, broken: str) -> None:
    """Whichever it is: a sender is not told that a request is safe while one log does not have it."""
    with two_lanes(tmp_path) as (server, both):
        assert post(server, spans(1)).status_code == 200
        in_the_way = tmp_path / broken / "0000000000000001.log"
        in_the_way.mkdir()
        assert post(server, spans(1, padding=SIZE // 6)).status_code == 503
        in_the_way.rmdir()
        while post(server, spans(1, "again")).status_code != 200:
            pass
        assert all(log.failing() is None for log, _ in both)
        assert all(spans(1, "again") in after_a_crash(tmp_path / name) for name in ("a", "b"))
