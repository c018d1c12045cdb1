"""What is remembered of live sessions, and what may go when memory is short."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from sojourn.sessions.kept import Kept
from sojourn.sessions.lifecycle import ENDED, NEVER
from sojourn.sessions.live import Known, Live
from sojourn.sessions.names import keys_of, name_columns
from sojourn.sessions.stored import Stored


def known(*heard: int) -> Known:
    out = Known.nothing(len(heard))
    out.segments[:], out.heard[:], out.deadline[:] = 1, heard, np.array(heard) + 100
    return out


def keys(*numbers: int) -> npt.NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def kept(count: int, rows: bytes, facets: bytes) -> Kept:
    """The same rows for `count` sessions."""
    return Kept(np.full(count, len(rows)), rows * count, np.full(count, len(facets)), facets * count)


def fill(live: Live, numbers: list[int], heard: list[int], rows: bytes = b"", facets: bytes = b"") -> None:
    names = name_columns(["t"] * len(numbers), ["p"] * len(numbers), list(map(str, numbers)))
    live.put(keys(*numbers), names, known(*heard), kept(len(numbers), rows, facets))


def test_sessions_are_found_by_their_key() -> None:
    live = Live()
    fill(live, [7, 8], [1, 2], b"r", b"f")
    slots = live.find(keys(8, 9, 7))
    assert (slots >= 0).tolist() == [True, False, True]
    told = name_columns(["else", "u"], ["", "q"], ["", "nine"])
    assert keys_of(live.names(slots, told, np.array([0, 1, 0]))) == [("t", "p", "8"), ("u", "q", "nine"), ("t", "p", "7")]
    with pytest.raises(IndexError, match="there is no name in row 2"):
        live.names(slots, told, np.array([0, 2, 0]))
    assert live.known(slots).heard.tolist() == [2, 0, 1]
    assert live.known(slots).segments.tolist() == [1, 0, 1]
    found = live.kept(slots)
    assert (found.sizes.tolist(), found.rows, found.facet_sizes.tolist(), found.facets) == ([1, 0, 1], b"rr", [1, 0, 1], b"ff")


def test_it_grows_and_uses_places_again() -> None:
    live = Live()
    fill(live, list(range(1, 5001)), [0] * 5000)
    live.drop(keys(*range(1, 4001)))
    fill(live, list(range(10_001, 14_001)), [5] * 4000)
    assert len(live) == 5000
    assert max(live.find(keys(4500, 12_000)).tolist()) < 5000
    assert live.known(live.find(keys(4500, 12_000))).heard.tolist() == [0, 5]


def test_due_are_the_sessions_whose_deadline_has_come() -> None:
    live = Live()
    fill(live, [1, 2, 3, 4], [10, 20, 30, 40])
    assert sorted(live.keys(live.due(130, 10))) == [1, 2, 3]
    assert sorted(live.keys(live.due(130, 2))) == [1, 2], "the longest overdue first"
    live.drop(keys(1))
    assert sorted(live.keys(live.due(130, 10))) == [2, 3]
    assert live.due(0, 10).tolist() == []
    assert live.known(np.array([-1])).deadline.tolist() == [NEVER]


def test_rows_of_silent_sessions_go_first_and_the_longest_silent_next() -> None:
    live = Live()
    for key in range(1, 11):
        fill(live, [key], [key], b"x" * 100)
    assert live.bytes == 1000
    live.shrink(1000, 5)
    assert live.bytes == 1000, "within the budget nothing goes"
    live.shrink(700, 5)
    held = [key for key in range(1, 11) if live.kept(live.find(keys(key))).rows]
    assert held == [5, 6, 7, 8, 9, 10]
    live.shrink(400, 0)
    held = [key for key in range(1, 11) if live.kept(live.find(keys(key))).rows]
    assert held[-1] == 10
    assert live.bytes == 100 * len(held) <= 400
    assert len(live) == 10, "no session is forgotten"


def test_ended_sessions_go_when_their_rows_are_gone() -> None:
    live = Live()
    fill(live, [1, 2, 3], [1, 2, 3], b"x" * 100)
    ended, name = replace(known(1), state=np.array([ENDED], np.uint8)), name_columns(["t"], ["p"], ["1"])
    live.put(keys(1), name, replace(ended, deadline=np.array([NEVER])), kept(1, b"x" * 100, b""))
    live.drop_ended()
    assert len(live) == 3, "its rows are still here"
    assert live.shrink(100, 0)
    live.put(keys(1), name, ended, kept(1, b"", b""))
    live.drop_ended()
    assert len(live) == 3, "its silence may still be an alert"
    live.put(keys(1), name, replace(ended, deadline=np.array([NEVER])), kept(1, b"", b""))
    live.drop_ended()
    assert (live.find(keys(1, 2, 3)) >= 0).tolist() == [False, True, True]
    fill(live, [4], [4])
    assert live.find(keys(4)).tolist() != [-1]


def test_what_was_stored_may_have_been_stored() -> None:
    rng = np.random.default_rng(5)
    old, new, never = (rng.integers(0, 2**64, 70_000, np.uint64) for _ in range(3))
    stored = Stored()
    stored.include(old)
    stored.add(new[:10])
    assert stored.maybe(new[:10]).all()
    stored.add(new)
    assert stored.maybe(old).all()
    assert stored.maybe(new).all()
    assert stored.maybe(never).sum() < 50
    assert not Stored().maybe(never).any()


def test_sessions_that_were_stored_one_by_one_are_all_known() -> None:
    """From an empty database on: however many come, none is taken for new when it comes again."""
    stored = Stored()
    digests = np.random.default_rng(7).integers(0, 2**64, 150_000, np.uint64)
    for part in np.array_split(digests, 300):
        stored.add(part)
    assert stored.maybe(digests).all()
    for count in (65_536, 70_000):
        stored = Stored()
        stored.add(digests[:count])
        assert stored.maybe(digests[:count]).all()
