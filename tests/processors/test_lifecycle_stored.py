"""The lifecycle on a real database, with the core's own texts: what is stored comes back as if it had never been forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sojourn.storage.database import Database
from tests.oracle_lifecycle import MINUTE, Limits
from tests.processors.lifecycle_world import NOW, Tables, World
from tests.processors.test_lifecycle import DAY, same_as_the_oracle, trace
from tests.processors.test_lifecycle_laws import Life, groups, steps

FULL: dict[str, Any] = {
    "numbers": {"Spans": 3, "InputTokens": 10, "OutputTokens": 5},
    "cost": 70,
    "cost_sources": 1,
    "services": frozenset({"shop"}),
    "models": frozenset({"gpt"}),
    "tools": frozenset({"find", "buy"}),
    "tags": frozenset({"b", "ä"}),
    "metadata": {"city": ("Rome", NOW, 1), "Plan": ("FREE", NOW, 1)},
    "user": ("ann", NOW, 2**63 + 1),
    "session_name": ("A Name", NOW, 7),
    "flags": frozenset({"unpriced", "bad_time"}),
}


@pytest.fixture
def world(database: Database) -> World:
    return World(database=Tables(database), native=True)


def test_what_is_stored_is_what_the_oracle_says(world: World) -> None:
    one, two = trace(1, **FULL), trace(2, at=40, turn=True, error=True)
    world.clock.time = two.end
    world.feed(one, two)
    same_as_the_oracle(world, one, two)
    assert sorted(world.events("Segment", "Event", "Reason")) == [
        (0, "session.end", "idle_timeout"),
        (0, "session.start", ""),
        (1, "session.rotated", "idle_timeout"),
    ]


def test_a_restarted_collector_goes_on(world: World) -> None:
    one, two = trace(1, **FULL), trace(2, at=4, tags=frozenset({"c"}))
    world.clock.time = one.end
    world.feed(one)
    world.restart()
    world.clock.time = two.end
    world.feed(two)
    same_as_the_oracle(world, one, two)
    world.restart()
    world.tick(two.end + 10 * MINUTE)
    same_as_the_oracle(world, one, two)
    world.restart()
    world.tick(two.end + DAY)
    same_as_the_oracle(world, one, two)
    world.restart()
    three = trace(3, at=60 * 48)
    world.clock.time = three.end
    world.feed(three)
    same_as_the_oracle(world, one, two, three)
    assert world.events("Event").count(("session.start",)) == 1


def test_rows_that_vanish_do_not_come_back(world: World) -> None:
    one, two = trace(1, "a"), trace(2, "a", at=60)
    world.feed(one, two)
    world.restart()
    told = [trace(1, "a", gone=True), trace(2, "a", gone=True), trace(1, "b"), trace(2, "b", at=60)]
    world.feed(*told)
    same_as_the_oracle(world, one, two, *told)
    world.restart()
    world.tick(NOW + DAY)
    same_as_the_oracle(world, one, two, *told)


@given(script=st.lists(steps.filter(lambda step: step[0] != "forget"), min_size=1, max_size=5), more=groups)
@settings(max_examples=8, suppress_health_check=[*HealthCheck], deadline=None)
def test_whatever_happens_the_stored_rows_are_right(database: Database, script: list[Any], more: list[Any]) -> None:
    for table in ("session_trace_rows", "session_segment_rows", "session_rows", "session_event_rows"):
        database.command(f"TRUNCATE TABLE {database.name}.{table}")
    life = Life({"database": Tables(database), "native": True, "memory": "1KiB"})
    for step in script:
        life.step(*step)
    life.restart()
    life.feed([more])
    life.tick(3)
    life.is_true(Limits())
