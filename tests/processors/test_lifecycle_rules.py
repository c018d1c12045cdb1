"""`rules:`: other parameters for sessions of a project or a service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sojourn.processors.lifecycle import Lifecycle
from tests.oracle_lifecycle import MINUTE, Limits, Trace, live, rows
from tests.processors.lifecycle_world import NOW, World
from tests.processors.test_lifecycle import DAY, SECOND, trace
from tests.processors.test_lifecycle_laws import LAWS, Life, differences, groups, steps

RULES: list[dict[str, Any]] = [
    {"project": "p", "service": "s", "max_traces": 1},
    {"project": "p", "idle_timeout": "10m", "finalize_delay": 0, "active_window": "1m", "max_cost": "0.000000000003"},
    {"service": "t", "max_duration": "20m", "on_limit": "flag", "max_tokens": 2**20, "allowed_lateness": 0},
]
BASE = Limits(max_traces=3)
LIMITS = [
    replace(BASE, max_traces=1),
    replace(BASE, idle_timeout=10 * MINUTE, finalize_delay=0, active_window=MINUTE, max_cost=3),
    replace(BASE, max_duration=20 * MINUTE, on_limit="flag", max_tokens=2**20, allowed_lateness=0),
]


def limits(key: tuple[str, str, str], traces: list[Trace]) -> Limits:
    """Of the first rule that fits."""
    services = set().union(*(trace.services for trace in traces if not trace.only_marks))
    for rule, found in zip(RULES, LIMITS, strict=True):
        if rule.get("project", key[1]) == key[1] and (rule.get("service") is None or rule["service"] in services):
            return found
    return BASE


def is_true(life: Life) -> None:
    life.settle()
    sessions, segments = {}, {}
    for key, traces in live(life.told).items():
        found = rows(key, traces, life.world.clock.now(), limits(key, traces))
        if found is not None:
            sessions[key], segments[key] = found
    assert differences(life.world.sessions(), sessions) == []
    assert differences(life.world.segments(), segments) == []


@given(script=st.lists(steps, min_size=1, max_size=8), later=st.integers(0, 30))
@LAWS
def test_each_session_is_cut_by_its_own_rules(script: list[Any], later: int) -> None:
    """Whatever happens on the way: which rule holds follows from the session's own rows."""
    life = Life({"rules": RULES, "max_traces": 3})
    for step in script:
        life.step(*step)
    life.tick(later)
    is_true(life)


@given(group=groups)
@LAWS
def test_rules_that_fit_nobody_change_nothing(group: list[Trace]) -> None:
    with_rules, without = Life({"rules": [{"project": "nobody's", "idle_timeout": "1s"}]}), Life({})
    for life in (with_rules, without):
        life.feed([group])
        life.tick(5)
    assert with_rules.world.sessions() == without.world.sessions()


def test_a_service_that_is_told_late_changes_how_the_session_was_cut() -> None:
    world = World(rules=[{"service": "batch", "idle_timeout": "2h"}])
    one, two, late = trace(1), trace(2, at=45), trace(3, at=50, services=frozenset({"batch"}))
    world.clock.time = two.end
    world.feed(one, two)
    assert len(world.segments()["", "", "s"]) == 2
    world.clock.time = late.end
    world.feed(late)
    assert len(world.segments()["", "", "s"]) == 1
    assert world.events("Event", "Reason")[-1] == ("session.updated", "merged")
    world.tick(late.end + 90 * MINUTE)
    assert world.sessions()["", "", "s"]["State"] == "idle", "its timeout is two hours"
    world.tick(late.end + 120 * MINUTE + 30 * SECOND)
    assert world.sessions()["", "", "s"]["EndReason"] == "idle_timeout"


def test_after_a_restart_the_silence_of_a_session_is_measured_by_its_rules() -> None:
    world = World(rules=[{"service": "batch", "idle_timeout": "2h"}, {"project": "quick", "idle_timeout": "1m", "active_window": "30s"}])
    slow = trace(1, "slow", services=frozenset({"batch"}))
    quick = Trace(("", "quick", "q"), "1" * 32, NOW, NOW + MINUTE, NOW + MINUTE)
    world.clock.time = NOW + MINUTE
    world.feed(slow, quick)
    world.restart()
    world.tick(NOW + 3 * MINUTE)
    assert {key[2]: row["State"] for key, row in world.sessions().items()} == {"slow": "active", "q": "ended"}
    world.restart()
    world.tick(NOW + 100 * MINUTE)
    assert world.sessions()["", "", "slow"]["State"] == "idle"
    world.tick(NOW + DAY)
    assert world.sessions()["", "", "slow"]["State"] == "ended"


def test_a_rule_says_for_whom_it_is() -> None:
    with pytest.raises(ValidationError, match="give it a project or a service"):
        Lifecycle.model_validate({"rules": [{"idle_timeout": "1m"}]})
    with pytest.raises(ValidationError, match="idle_timout"):
        Lifecycle.model_validate({"rules": [{"project": "", "idle_timout": "1m"}]})


def test_what_a_rule_does_not_say_is_as_for_everybody() -> None:
    (own,) = Lifecycle.model_validate({"idle_timeout": "7m", "rules": [{"project": "", "max_duration": 0}]}).overrides()
    assert own.project == ""
    assert own.rules.idle_timeout == 7 * MINUTE
    assert own.rules.max_duration > 10**18
