"""The lane: a bounded queue between the sockets and one thread that stores groups."""

from __future__ import annotations

import threading

import pytest

from sojourn import _native
from tests.native.wire import AT, PROTOBUF, raw_lane, records, spans


def push(lane: _native.Lane, body: bytes, signal: str = "traces", at: int = AT) -> None:
    lane.push(signal, body, PROTOBUF, at)


def cut(lane: _native.Lane, timeout: float = 0) -> _native.Delivery:
    """The next group, which must be there."""
    group = lane.next(timeout)
    assert group is not None
    return group


def test_requests_come_out_as_they_came_in_order() -> None:
    """A raw lane gives back the bytes of every request of a group, with its signal."""
    lane = raw_lane(flush_rows=4)
    push(lane, spans(2), at=AT + 5)
    push(lane, records(2), "logs", at=AT + 3)
    group = cut(lane, 10)
    assert group.raw() == [("traces", spans(2)), ("logs", records(2))]
    assert (group.rows, group.bytes, group.oldest) == (4, len(spans(2)) + len(records(2)), AT + 3)
    assert group.traces() is None
    group.commit()


def test_nothing_comes_out_of_an_empty_lane() -> None:
    """next() gives None when the time is over."""
    lane = raw_lane()
    assert lane.next(0) is None
    assert lane.next(0.01) is None


def test_a_request_without_items_makes_no_group() -> None:
    """An empty request is a success and nothing to store."""
    lane = raw_lane()
    push(lane, b"")
    assert lane.next(0) is None
    assert lane.stats()["queued_bytes"] == 0


def test_a_group_is_cut_by_rows() -> None:
    """A group is due when it has flush_rows rows."""
    lane = raw_lane(flush_rows=3)
    push(lane, spans(2))
    assert lane.next(0) is None
    push(lane, spans(1))
    assert cut(lane).rows == 3


def test_a_group_is_cut_by_time() -> None:
    """A group is due when flush_interval has passed since its first row, and who waits gets it then."""
    lane = raw_lane(flush_rows=100, flush_interval=0.02)
    push(lane, spans(1))
    assert cut(lane, 30).rows == 1


def test_a_waiter_learns_when_a_group_begins() -> None:
    """A thread that waits on an empty lane is woken in time for a group that begins while it waits."""
    lane = raw_lane(flush_rows=100, flush_interval=0.02)
    rows: list[int] = []
    waiter = threading.Thread(target=lambda: rows.append(group.rows if (group := lane.next(30)) else 0))
    waiter.start()
    push(lane, spans(3))
    waiter.join(20)
    assert rows == [3]


def test_a_group_is_cut_by_bytes() -> None:
    """A full group waits in the queue while the next one is gathered."""
    lane = raw_lane(flush_rows=1_000_000, flush_bytes=3000)
    for _ in range(8):
        push(lane, spans(1, padding=1000))
    groups = [group.rows if (group := lane.next(0)) else 0 for _ in range(3)]
    assert groups == [3, 3, 0]
    lane.flush()
    assert cut(lane).rows == 2


def test_a_group_grows_while_nobody_asks_for_it() -> None:
    """While a group is being stored, the next one grows beyond flush_rows, so that load makes groups larger, not more."""
    lane = raw_lane(flush_rows=2)
    for _ in range(50):
        push(lane, spans(1))
    assert cut(lane).rows == 50


def test_flush_makes_a_group_due() -> None:
    """flush() cuts what there is; with nothing there it does nothing."""
    lane = raw_lane(flush_rows=100)
    lane.flush()
    assert lane.next(0) is None
    push(lane, spans(1))
    lane.flush()
    assert lane.next(0) is not None
    push(lane, spans(1))
    assert lane.next(0) is None


def test_a_closed_lane_gives_what_is_left() -> None:
    """close() takes nothing more; what is left comes out, then None at once."""
    lane = raw_lane(flush_rows=100)
    push(lane, spans(5))
    lane.close()
    with pytest.raises(BlockingIOError, match="stopping"):
        push(lane, spans(1))
    assert cut(lane, 60).rows == 5
    assert lane.next(60) is None


def test_close_wakes_who_waits() -> None:
    """A thread that waits for a group returns when the lane is closed."""
    lane = raw_lane()
    waiter = threading.Thread(target=lane.next, args=(60,))
    waiter.start()
    lane.close()
    waiter.join(20)
    assert not waiter.is_alive()


def test_wake_lets_a_waiter_go_once() -> None:
    """Now or the next time; groups are not lost by it."""
    lane = raw_lane(flush_rows=100)
    waiter = threading.Thread(target=lane.next, args=(60,))
    waiter.start()
    lane.wake()
    waiter.join(20)
    assert not waiter.is_alive()
    lane.wake()
    assert lane.next(60) is None
    push(lane, spans(1))
    lane.wake()
    lane.flush()
    assert cut(lane, 60).rows == 1


@pytest.mark.parametrize("end", ["commit", "refuse", "drop"])
def test_room_comes_back_when_a_group_is_settled(end: str) -> None:
    """queue_bytes bounds what is gathered, cut and delivered together; a settled (or dropped) delivery gives its room back."""
    body = spans(1, padding=1000)
    lane = raw_lane(queue_bytes=2500)
    push(lane, body)
    push(lane, body)
    with pytest.raises(BlockingIOError, match="full"):
        push(lane, body)
    group = cut(lane)
    with pytest.raises(BlockingIOError):
        push(lane, body)
    if end == "commit":
        group.commit()
    elif end == "refuse":
        group.refuse("no", 1.0)
    else:
        del group
    assert lane.stats() == {"queued_bytes": 0, "queued_rows": 0, "capacity_bytes": 2500, "behind": 0}
    push(lane, body)


def test_an_empty_queue_takes_a_request_of_any_size() -> None:
    """A request larger than the queue is taken when there is nothing else, else it would never be."""
    lane = raw_lane(queue_bytes=100)
    push(lane, spans(1, padding=1000))
    with pytest.raises(BlockingIOError):
        push(lane, spans(1))


def test_a_delivery_is_settled_once() -> None:
    """commit() or refuse(), once; a second word is an error."""
    lane = raw_lane()
    push(lane, spans(1))
    group = cut(lane)
    group.commit()
    with pytest.raises(RuntimeError, match="before"):
        group.refuse("no", None)
    with pytest.raises(RuntimeError, match="before"):
        group.commit()


def test_a_broken_request_leaves_no_trace() -> None:
    """A request that cannot be read is refused alone; its neighbours in the group stay."""
    lane = raw_lane(flush_rows=100)
    push(lane, spans(1))
    with pytest.raises(ValueError, match="protobuf"):
        push(lane, spans(3)[:-1])
    push(lane, spans(2))
    lane.flush()
    group = cut(lane)
    assert [body for _, body in group.raw()] == [spans(1), spans(2)]


def test_wrong_words_are_told() -> None:
    """An unknown signal or content type is a ValueError that names the right ones."""
    lane = raw_lane()
    with pytest.raises(ValueError, match="traces, logs or metrics"):
        lane.push("profiles", b"", PROTOBUF, AT)
    with pytest.raises(ValueError, match="application/json"):
        lane.push("traces", b"", "text/plain", AT)
    with pytest.raises(ValueError, match="seconds"):
        lane.next(-1)


def test_other_threads_run_while_one_waits() -> None:
    """next() does not hold the interpreter."""
    lane = raw_lane()
    started = threading.Event()

    def wait() -> None:
        started.set()
        lane.next(30)

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert started.wait(10)
    push(lane, spans(1))  # would have to wait for the waiter if that held the interpreter
    waiter.join(10)
    assert not waiter.is_alive()
