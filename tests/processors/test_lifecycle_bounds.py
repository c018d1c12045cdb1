"""Law 9: memory depends on the sessions that live, not on those that ever were, and nobody can make it grow beyond its limits."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from sojourn.sessions.stored import Stored
from tests.oracle_lifecycle import MINUTE, Limits, rows
from tests.processors.lifecycle_world import NOW, World
from tests.processors.test_lifecycle import DAY, SECOND, same_as_the_oracle, trace

LIMITED = ["limited"]


def test_new_sessions_beyond_those_that_may_live_are_counted_flagged_and_found_again() -> None:
    world = World(max_sessions=3)
    told = [trace(number, f"s{number}", numbers={"Spans": number}) for number in range(1, 8)]
    world.clock.time = NOW + MINUTE
    world.feed(*told)
    assert len(world.process._memory.live) == 3
    assert sorted(row["Flags"] for row in world.sessions().values()) == [[]] * 3 + [LIMITED] * 4
    assert sum(row["Spans"] for row in world.sessions().values()) == sum(range(1, 8))
    for minute in range(1, 60):
        world.tick(NOW + minute * MINUTE)
        assert len(world.process._memory.live) <= 3
    assert {row["State"] for row in world.sessions().values()} == {"ended"}
    for row in world.sessions().values():
        row.pop("Flags")
    assert len(world.process._memory.live) == 0
    ends = [session for session, _, event, _ in world.events() if event == "session.end"]
    assert sorted(ends) == sorted(f"s{number}" for number in range(1, 8)), "each end is told once"
    world.database.asked.clear()
    world.tick(NOW + 2 * DAY)
    world.tick(NOW + 2 * DAY + MINUTE)
    assert world.database.asked == ["silent_sessions"], "then nobody asks any more"


def test_one_without_room_that_is_touched_again_is_told_in_full() -> None:
    world = World(max_sessions=1)
    one, two, three = trace(1, "a"), trace(2, "b"), trace(3, "b", at=1)
    world.clock.time = NOW + 2 * MINUTE
    world.feed(one)
    world.feed(two)
    world.feed(three)
    row = world.sessions()["", "", "b"]
    assert (row["Traces"], row["Flags"]) == (2, LIMITED)
    world.tick(NOW + DAY)
    world.tick(NOW + DAY + MINUTE)
    world.tick(NOW + DAY + 2 * MINUTE)
    same_as_the_oracle(world, one, two, three)


def test_a_restart_with_more_sessions_than_may_live_settles_them_all() -> None:
    told = [trace(number, f"s{number}") for number in range(1, 8)]
    world = World(max_sessions=2)
    world.clock.time = NOW + MINUTE
    world.feed(*told)
    world.restart()
    for minute in range(1, 50):
        world.tick(NOW + minute * MINUTE)
    same_as_the_oracle(world, *told)


@pytest.mark.parametrize("seed", range(5))
def test_of_one_session_the_first_traces_count_in_whatever_order_they_come(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("gather", "answer"):
        monkeypatch.setattr(f"sojourn.sessions.{module}.MOST_TRACES", 10)
    told = [trace(number, at=number // 2, length=SECOND, arrival=20) for number in range(25)]
    world = World()
    world.clock.time = NOW + 20 * MINUTE
    shuffled = random.Random(seed).sample(told, len(told))
    while shuffled:
        world.feed(*(shuffled.pop() for _ in range(min(len(shuffled), 4))))
    wanted, _ = rows(("", "", "s"), told[:10], world.clock.now(), Limits()) or ({}, [])
    assert world.sessions()["", "", "s"] == wanted | {"Flags": LIMITED}
    world.tick(NOW + DAY)
    assert world.sessions()["", "", "s"]["Flags"] == LIMITED, "it stays so"


def test_a_large_session_that_grows_by_single_traces_is_not_taken_out_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are gathered, in all: a small part of what folding it for each of them would take."""
    from sojourn.processors import keeping, waiting

    monkeypatch.setattr(waiting, "LARGE", 100)
    gathered: list[int] = []
    real = keeping.gather
    monkeypatch.setattr(keeping, "gather", lambda given, count: gathered.append(len(given.rows)) or real(given, count))
    world = World()
    told = []
    for number in range(1500):
        world.clock.time = NOW + number * SECOND // 100
        told.append(trace(number, at=0, length=number + 1, arrival=0))
        world.feed(told[-1])
        if number % 100 == 99:
            world.tick(world.clock.time)
    world.tick(world.clock.time + SECOND)
    same_as_the_oracle(world, *told)
    assert sum(gathered) < 60 * len(told), "each of 1500 traces for itself would be 1,125,000 rows"


def test_what_waits_is_folded_when_it_is_a_good_part_of_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    from sojourn.processors import waiting

    monkeypatch.setattr(waiting, "LARGE", 10)
    world = World()
    told = [trace(number, arrival=0) for number in range(20)]
    world.feed(*told)
    for number in range(100, 130):
        told.append(trace(number, arrival=0))
        world.feed(told[-1])
        assert len(world.process._memory._waiting) <= 10
    world.tick(NOW + SECOND)
    assert not world.process._memory._waiting
    world.tick(NOW + 10 * MINUTE)
    same_as_the_oracle(world, *told)


def test_what_was_set_aside_is_not_lost_when_the_session_is_folded_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as when somebody renames it just then."""
    from sojourn.processors import waiting
    from sojourn.sessions.names import name_columns

    monkeypatch.setattr(waiting, "LARGE", 10)
    world = World()
    told = [trace(number, arrival=0) for number in range(20)]
    world.feed(*told)
    told.append(trace(99, arrival=0))
    batches = world.told(told[-1])
    batches += world.process._settle(world.process._memory.sought(name_columns([""], [""], ["s"])), NOW)
    world.commit(batches)
    same_as_the_oracle(world, *told)
    told.append(trace(100, arrival=0))
    world.clock.time = NOW + 2 * SECOND
    world.feed(told[-1])
    same_as_the_oracle(world, *told)


def test_what_waits_is_told_at_the_last_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks while nobody collects sees all that was stored, also of a session that was folded a moment ago."""
    from sojourn.processors import waiting

    monkeypatch.setattr(waiting, "LARGE", 10)
    world = World()
    told = [trace(number, arrival=0) for number in range(20)]
    world.feed(*told)
    told.append(trace(99, arrival=0))
    world.feed(told[-1])
    assert world.process._memory._waiting
    world.process.ending()
    told.append(trace(100, arrival=0))
    world.feed(told[-1])
    assert not world.process._memory._waiting
    same_as_the_oracle(world, *told)


def test_what_waits_for_its_second_is_told_at_the_last_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    from sojourn.processors import waiting

    monkeypatch.setattr(waiting, "LARGE", 10)
    world = World()
    told = [trace(number, arrival=0) for number in range(21)]
    world.feed(*told[:20])
    world.feed(told[20])
    world.process.ending()
    world.tick(NOW)
    same_as_the_oracle(world, *told)


def test_a_group_that_came_to_nothing_leaves_nothing_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    from sojourn.processors import waiting

    monkeypatch.setattr(waiting, "LARGE", 10)
    world = World()
    told = [trace(number, arrival=0) for number in range(20)]
    world.feed(*told)
    world.feed(trace(99, arrival=0), commit=False)
    assert not world.process._memory._waiting
    world.tick(NOW + 2 * MINUTE)
    same_as_the_oracle(world, *told)


def test_which_sessions_were_stored_is_known_from_memory_of_a_fixed_size() -> None:
    rng = np.random.default_rng(7)
    stored = Stored(exact=1000, bits=16)
    stored.include(rng.integers(0, 2**64, 500, np.uint64))
    batches: list[Any] = [rng.integers(0, 2**64, 70_000, np.uint64) for _ in range(3)]
    for batch in batches:
        stored.add(batch)
        assert stored.maybe(batch).all(), "what was stored is never denied"
    assert stored._filter is not None
    assert stored._filter._places.nbytes == 1 << 13
    assert len(stored._prints) == 0
    assert len(stored) > 200_000
    sparse = Stored(exact=1000, bits=20)
    sparse.include(batches[0][:2000])
    assert sparse.maybe(batches[0][:2000]).all()
    assert sparse.maybe(batches[1]).mean() < 0.01
