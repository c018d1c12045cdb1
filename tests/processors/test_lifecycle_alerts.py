"""Alerts: when they fire, and that they do so once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sojourn.processors.lifecycle import Lifecycle
from tests.oracle_lifecycle import MINUTE, Limits, Trace, live, rows
from tests.processors.lifecycle_world import NOW, World
from tests.processors.test_lifecycle import DAY, SECOND, trace
from tests.processors.test_lifecycle_laws import LAWS, Life, groups, steps

EXPENSIVE = {"name": "expensive", "condition": "cost > 5", "severity": "critical", "receivers": ["webhook/slack"]}


def world_with(*alerts: dict[str, Any], **parameters: Any) -> World:
    return World(alerts=list(alerts), **parameters)


def fired(world: World) -> list[tuple[str, int, str]]:
    return [(session, segment, why) for session, segment, event, why in world.events() if event == "session.alert"]


def firing(world: World, session: str = "s") -> list[str]:
    return next(row["Alerts"] for row in world.database.live("session_rows") if row["SessionId"] == session)


def paid(number: int, dollars: float, **more: Any) -> Trace:
    return trace(number, cost=round(dollars * 10**12), cost_sources=1, **more)


def test_an_alert_fires_once_and_says_why() -> None:
    world = world_with(EXPENSIVE)
    world.feed(paid(1, 4))
    assert (fired(world), firing(world)) == ([], [])
    world.feed(paid(2, 1.5, at=1))
    world.feed(paid(3, 2, at=2))
    assert fired(world) == [("s", 0, "expensive")]
    assert firing(world) == ["expensive"]
    event = next(event for event in world.database.events if event["Event"] == "session.alert")
    assert dict(event["Attributes"]) == {"alert.severity": "critical", "alert.condition": "cost > 5", "alert.values": "cost=5.5"}
    assert (event["SegmentStart"].value, event["Revision"]) == (NOW, 2)


def test_who_is_to_be_told_travels_with_the_event_and_is_not_stored() -> None:
    world = world_with(EXPENSIVE, {"name": "any", "condition": "spans > 0"})
    (events,) = (batch.records for batch in world.feed(paid(1, 6)) if batch.table == "session_event_rows")
    said = dict(zip(events["Reason"].to_pylist(), events["_receivers"].to_pylist(), strict=True))
    assert said == {"": [], "expensive": ["webhook/slack"], "any": []}
    (events,) = (batch.records for batch in World().feed(paid(1, 6)) if batch.table == "session_event_rows")
    assert "_receivers" not in events.schema.names


def test_it_fires_again_only_after_it_had_cleared() -> None:
    world = world_with({"name": "failing", "condition": "errors > 1"})
    bad, good = trace(1, numbers={"Errors": 2}), trace(1, numbers={"Errors": 0})
    for row in (bad, bad, good, good, bad):
        world.feed(row)
    assert fired(world) == [("s", 0, "failing")] * 2
    assert firing(world) == ["failing"]
    world.feed(good)
    assert firing(world) == []


def test_a_restart_and_an_end_in_between_do_not_make_it_fire_again() -> None:
    world = world_with(EXPENSIVE)
    world.clock.time = NOW + MINUTE
    world.feed(paid(1, 6))
    world.restart()
    world.clock.time += MINUTE
    world.feed(paid(2, 1, at=1))
    world.restart()
    world.tick(NOW + DAY)
    assert world.sessions()["", "", "s"]["State"] == "ended"
    world.clock.time = NOW + 2 * DAY
    world.feed(paid(3, 1, at=48 * 60))
    assert fired(world) == [("s", 0, "expensive")]
    assert firing(world) == ["expensive"]


def test_an_alert_belongs_to_the_last_segment() -> None:
    world = world_with(EXPENSIVE)
    world.clock.time = NOW + 62 * MINUTE
    world.feed(paid(1, 3), paid(2, 3, at=60), paid(3, 3, session="other"))
    assert fired(world) == [("s", 1, "expensive")]


def test_several_alerts_at_once_are_several_events() -> None:
    world = world_with(EXPENSIVE, {"name": "long", "condition": "wall > 30s"}, {"name": "never", "condition": "errors > 5"})
    world.feed(paid(1, 6), paid(2, 7, session="b"))
    assert sorted(fired(world)) == [(session, 0, name) for session in "bs" for name in ("expensive", "long")]
    assert firing(world) == ["expensive", "long"]


def test_silence_makes_an_alert_due_when_nothing_else_is() -> None:
    world = world_with({"name": "stuck", "condition": 'state == "idle" and silent > 20m'})
    one = trace(1)
    world.clock.time = one.end
    world.feed(one)
    world.tick(one.end + 5 * MINUTE)
    assert world.sessions()["", "", "s"]["State"] == "idle"
    assert world.tick(one.end + 20 * MINUTE) == []
    world.tick(one.end + 20 * MINUTE + 1)
    assert fired(world) == [("s", 0, "stuck")]
    assert world.tick(one.end + 25 * MINUTE) == [], "nothing is due"
    world.tick(one.end + DAY)
    assert firing(world) == [], "it has ended, so it is not idle any more"
    assert fired(world) == [("s", 0, "stuck")]


def test_silence_during_a_restart_counts() -> None:
    world = world_with({"name": "stuck", "condition": "silent > 20m"}, idle_timeout="2h")
    one = trace(1)
    world.clock.time = one.end
    world.feed(one)
    world.restart()
    world.tick(one.end + 21 * MINUTE)
    assert fired(world) == [("s", 0, "stuck")]


@pytest.mark.parametrize("restarts", [False, True])
def test_silence_counts_beyond_the_end(restarts: bool) -> None:
    """A session that has ended is remembered for as long as its silence may become an alert, and no longer; once is enough."""
    world = world_with({"name": "gone", "condition": "silent > 2h"}, {"name": "stuck", "condition": "silent > 20m"})
    one = trace(1)
    world.clock.time = one.end
    world.feed(one)
    for minutes, told in ((21, ["stuck"]), (31, ["stuck"]), (119, ["stuck"]), (121, ["stuck", "gone"]), (600, ["stuck", "gone"])):
        if restarts:
            world.restart()
        world.tick(one.end + minutes * MINUTE)
        assert [why for _, _, why in fired(world)] == told
    assert firing(world) == ["gone", "stuck"]
    assert world.tick(one.end + 601 * MINUTE) == [], "nothing is due any more"
    if not restarts:
        assert "session_trace_rows" not in world.database.asked, "it was remembered"


def test_a_session_whose_silence_is_no_alert_is_forgotten_when_it_ends() -> None:
    """Ended sessions cost nothing."""
    for condition, held in (("silent > 20m", 0), ("silent > 2h", 1)):
        world = world_with({"name": "gone", "condition": condition})
        one = trace(1)
        world.clock.time = one.end
        world.feed(one)
        world.tick(one.end + 21 * MINUTE)
        world.tick(one.end + 31 * MINUTE)
        assert world.sessions()["", "", "s"]["State"] == "ended"
        assert (world.process.meters()["sojourn_lifecycle_trace_row_bytes"] > 0) == held


def test_a_new_trace_clears_a_silence() -> None:
    world = world_with({"name": "stuck", "condition": "silent > 1m"})
    one, two = trace(1), trace(2, at=4)
    world.clock.time = one.end
    world.feed(one)
    world.tick(one.end + 2 * MINUTE)
    world.clock.time = two.end
    world.feed(two)
    assert (fired(world), firing(world)) == ([("s", 0, "stuck")], [])
    world.tick(two.end + 2 * MINUTE)
    assert fired(world) == [("s", 0, "stuck")] * 2


def test_limits_of_tokens_and_cost_tell_by_themselves() -> None:
    world = World(max_tokens=10, rules=[{"project": "p", "max_cost": 1}])
    world.feed(trace(1, numbers={"InputTokens": 11}), Trace(("", "p", "q"), "2" * 32, NOW, NOW, NOW, cost=2 * 10**12))
    assert sorted(fired(world)) == [("q", 0, "over_cost"), ("s", 0, "over_tokens")]


def test_what_was_not_committed_has_not_fired() -> None:
    world = world_with(EXPENSIVE)
    world.feed(paid(1, 6), commit=False)
    world.feed(paid(1, 6))
    assert fired(world) == [("s", 0, "expensive")]


def test_mistakes_are_told_with_their_place() -> None:
    with pytest.raises(ValidationError, match="is not a condition: character 1: there is no column csot: did you mean cost"):
        Lifecycle.model_validate({"alerts": [{"name": "a", "condition": "csot > 1"}]})
    with pytest.raises(ValidationError, match="an alert is known by its name"):
        Lifecycle.model_validate({"alerts": [{"name": "a", "condition": "cost > 1"}] * 2})


@given(script=st.lists(steps, min_size=1, max_size=8), later=st.integers(0, 30))
@LAWS
def test_what_fires_in_the_end_is_what_is_true(script: list[Any], later: int) -> None:
    """And between two events of one alert it must have been false: so there is never one more than there are changes."""
    parameters = {"alerts": [{"name": "many", "condition": "traces > 1"}, {"name": "idle", "condition": 'state == "idle"'}]}
    life = Life(parameters)
    for step in script:
        life.step(*step)
    life.tick(later)
    life.settle()
    wanted = {}
    for key, traces in live(life.told).items():
        found = rows(key, traces, life.world.clock.now(), Limits())
        if found is not None:
            row = found[0]
            wanted[key] = [name for name, holds in (("many", row["Traces"] > 1), ("idle", row["State"] == "idle")) if holds]
    live_rows = life.world.database.live("session_rows")
    assert {(row["Tenant"], row["Project"], row["SessionId"]): row["Alerts"] for row in live_rows} == wanted


@given(group=groups)
@LAWS
def test_alerts_change_nothing_else(group: list[Trace]) -> None:
    watched, plain = Life({"alerts": [{"name": "a", "condition": "traces > 0 and silent > 1s"}]}), Life({})
    for life in (watched, plain):
        life.feed([group])
        life.tick(1)
    assert watched.world.sessions() == plain.world.sessions()
    assert watched.world.segments() == plain.world.segments()


def test_seconds_are_not_lost() -> None:
    world = world_with({"name": "short", "condition": "wall == 1.5s"})
    world.feed(trace(1, length=3 * SECOND // 2))
    assert fired(world) == [("s", 0, "short")]


@pytest.mark.parametrize("stored", [1, 2, 3])
def test_events_that_a_death_swallowed_are_told_after_the_restart(stored: int) -> None:
    """The process dies after so many of: trace rows, session rows, events. Nothing is ever lost, and what was told is not told again."""
    world = world_with(EXPENSIVE)
    one = paid(1, 6)
    world.clock.time = one.end
    batches = [batch for batch in world.told(one) if batch.table != "session_segment_rows"]
    assert [batch.table for batch in batches] == ["session_trace_rows", "session_rows", "session_event_rows"]
    world.database.store(batches[:stored])
    world.restart()
    world.tick(one.end + MINUTE)
    if stored == 1:
        world.feed(one)
    wanted = [("s", 0, "session.start", ""), ("s", 0, "session.alert", "expensive")]
    assert world.events() == wanted
    world.restart()
    world.tick(one.end + 2 * MINUTE)
    world.tick(one.end + DAY)
    assert world.events() == [*wanted, ("s", 0, "session.end", "idle_timeout")]
    batches = world.told(paid(2, 1, at=90))
    world.database.store([batch for batch in batches if batch.table != "session_event_rows"])
    world.restart()
    world.tick(one.end + 2 * DAY)
    assert world.events()[3:] == [("s", 1, "session.rotated", "idle_timeout"), ("s", 1, "session.end", "idle_timeout")]
