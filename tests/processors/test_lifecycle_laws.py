"""The laws of `sessions.md` §7 for trace rows and above: whatever happens on the way, in the end the rows are what a plain oracle says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.oracle_lifecycle import MINUTE, Limits, Trace
from tests.processors.lifecycle_world import NOW, World, truth

# Shrinking a whole life takes minutes; a failure prints what reproduces it.
LAWS = settings(phases=[Phase.explicit, Phase.reuse, Phase.generate], max_examples=max(10, settings().max_examples // 5))
SESSIONS = [("", "", "a"), ("", "", "b"), ("", "p", "a"), ("t", "p", "ä/İ")]
FINE = 5 * 60 * 10**9 // 2

times = st.integers(0, 40).map(lambda steps: NOW + steps * FINE)
moments = st.tuples(st.integers(0, 3).map(lambda at: NOW + at), st.integers(0, 2))


def told(texts: str) -> st.SearchStrategy[tuple[str, int, int] | None]:
    return st.none() | st.tuples(st.sampled_from(texts), moments).map(lambda pair: (pair[0], *pair[1]))


def some(texts: str) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(texts), max_size=3)


counts = st.dictionaries(st.sampled_from(["Errors", "LlmCalls", "LogRecords", "LogErrors"]), st.integers(0, 2**20), max_size=2)
tokens = st.dictionaries(st.sampled_from(["InputTokens", "ReasoningTokens"]), st.integers(0, 2**40), max_size=2)
spans = st.sampled_from([0, 1, 1, 5]).map(lambda count: {"Spans": count})
numbers = st.tuples(counts, tokens, spans).map(lambda some: some[0] | some[1] | some[2])
marked = st.lists(st.tuples(st.one_of(times, times.map(lambda at: at + 1)), st.sampled_from(["explicit", "continued"])), max_size=2)


@st.composite
def prompted(draw: st.DrawFn, trace: int) -> tuple[tuple[int, int, str, int], ...]:
    """Prompts with digests of their own: a record is in one row only."""
    found = draw(st.lists(st.tuples(times, st.sampled_from(["", "hi", "do"]), st.just(0) | times), min_size=1, max_size=3))
    return tuple((at, trace * 10 + number, text, before) for number, (at, text, before) in enumerate(found))


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    start, which = draw(times), draw(st.integers(0, 4))
    return Trace(
        session=draw(st.sampled_from(SESSIONS)),
        trace_id=f"{[1, 2, 3, 2**64 + 1, 2**127 + 5][which]:032x}",
        start=start,
        end=start + draw(st.sampled_from([0, 1, FINE, 5 * FINE, 14 * FINE, 40 * FINE])),
        arrival=NOW,
        name=draw(st.sampled_from("xyz")),
        prompt_name=draw(st.sampled_from(["", "p"])),
        session_name=draw(told("NMÜ")),
        user=draw(told("uvw")),
        numbers=draw(numbers),
        cost=draw(st.none() | st.integers(0, 10) | st.just(2**63 - 1)),
        cost_sources=draw(st.integers(0, 3)),
        error=draw(st.booleans()),
        turn=draw(st.integers(0, 9)) == 0,
        flags=draw(st.frozensets(st.sampled_from(["unpriced", "told_twice", "bad_time"]), max_size=2)),
        services=draw(some("st")),
        models=draw(some("mn")),
        tools=draw(some("abcde")),
        tags=draw(some("ÄBc")),
        metadata=draw(st.dictionaries(st.sampled_from(["k", "K", "é"]), told("12").map(lambda value: value or ("", NOW, 0)), max_size=3)),
        last_call=draw(st.none() | st.tuples(moments, st.sampled_from("io")).map(lambda told: (*told[0], told[1]))),
        prompts=draw(prompted(which)) if draw(st.integers(0, 6)) == 0 else (),
        marks=tuple(draw(marked)) if draw(st.integers(0, 4)) == 0 else (),
        only_marks=draw(st.integers(0, 6)) == 0,
        gone=draw(st.integers(0, 4)) == 0,
    )


groups = st.lists(traces(), min_size=1, max_size=6)
steps = st.one_of(
    st.tuples(st.just("feed"), st.lists(groups, min_size=1, max_size=2)),
    st.tuples(st.just("feed"), st.lists(groups, min_size=1, max_size=2)),
    st.tuples(st.just("fail"), groups),
    st.tuples(st.just("half"), groups, st.integers(0, 4), st.booleans()),
    st.tuples(st.just("tick"), st.integers(0, 20)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("forget")),
)
rules: dict[str, tuple[dict[str, Any], Limits]] = {
    "plain": ({}, Limits()),
    "small": ({"memory": "1KiB"}, Limits()),
    "limits": (
        {"max_traces": 2, "max_duration": "30m", "idle_timeout": "10m", "max_tokens": 2**32, "max_cost": "0.000000000005"},
        Limits(max_traces=2, max_duration=30 * MINUTE, idle_timeout=10 * MINUTE, max_tokens=2**32, max_cost=5),
    ),
    "flags": (
        {"max_traces": 2, "max_duration": "30m", "on_limit": "flag", "allowed_lateness": 0, "finalize_delay": 0},
        Limits(max_traces=2, max_duration=30 * MINUTE, on_limit="flag", allowed_lateness=0, finalize_delay=0),
    ),
}


def arrived(group: list[Trace], now: int) -> list[Trace]:
    """As it comes in: now, each trace once."""
    return list({(trace.session, trace.trace_id): replace(trace, arrival=now) for trace in group}.values())


def differences(found: dict[Any, Any], wanted: dict[Any, Any]) -> list[Any]:
    """(session, segment, column, found, wanted) where two worlds differ."""
    if found.keys() != wanted.keys():
        return [("sessions", sorted(found), sorted(wanted))]
    out: list[Any] = []
    for key, mine in found.items():
        rows, truths = ([each] if isinstance(each, dict) else each for each in (mine, wanted[key]))
        if len(rows) != len(truths):
            out.append((key, "segments", len(rows), len(truths)))
        pairs = zip(rows, truths, strict=False)
        out += [(key, at, name, row[name], true[name]) for at, (row, true) in enumerate(pairs) for name in true if row[name] != true[name]]
    return out


class Life:
    """A world and what was told to it and stored."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.world = World(**parameters)
        self.world.clock.time = NOW + 20 * FINE
        self.told: list[Trace] = []

    def step(self, what: str, *how: Any) -> None:
        getattr(self, what)(*how)

    def feed(self, batches: list[list[Trace]]) -> None:
        came = [arrived(group, self.world.clock.time) for group in batches]
        self.told += [trace for group in came for trace in group]
        self.world.commit(self.world.told_of(came))

    def fail(self, group: list[Trace]) -> None:
        self.world.feed(*arrived(group, self.world.clock.time), commit=False)

    def half(self, group: list[Trace], stored: int, crash: bool) -> None:
        """Some tables are written, then it fails; the group comes again."""
        group = arrived(group, self.world.clock.time)
        batches = self.world.told(*group)
        self.world.database.store(batches[:stored])
        if crash:
            self.world.restart()
        else:
            self.world.process.discard()
        self.told += group
        self.world.feed(*group)

    def tick(self, later: int) -> None:
        self.world.clock.time += later * FINE
        self.world.tick()

    def restart(self) -> None:
        self.world.restart()

    def forget(self) -> None:
        self.world.texts.forget()

    def settle(self) -> None:
        for _ in range(3):
            self.world.tick()

    def is_true(self, limits: Limits) -> None:
        self.settle()
        sessions, segments = truth(self.told, self.world.clock.time, limits)
        assert differences(self.world.sessions(), sessions) == []
        assert differences(self.world.segments(), segments) == []


@pytest.mark.parametrize("kind", rules)
@given(script=st.lists(steps, min_size=1, max_size=8), later=st.integers(0, 30))
@LAWS
def test_whatever_happens_the_rows_are_right(kind: str, script: list[Any], later: int) -> None:
    """Order, batching, corrections, moves, failures, restarts and forgetting leave the rows that the traces ask for."""
    parameters, limits = rules[kind]
    life = Life(parameters)
    for step in script:
        life.step(*step)
    life.tick(later)
    life.is_true(limits)


@given(script=st.lists(groups, min_size=1, max_size=6), order=st.randoms(use_true_random=False))
@LAWS
def test_order_and_batching_do_not_matter(script: list[list[Trace]], order: Any) -> None:
    final = arrived([trace for group in script for trace in group], NOW + 20 * FINE)
    straight, mixed = Life({}), Life({})
    straight.feed([final])
    order.shuffle(final)
    while final:
        size = order.randint(1, len(final))
        mixed.feed([final[:size]])
        final = final[size:]
    for life in (straight, mixed):
        life.tick(3)
    assert straight.world.sessions() == mixed.world.sessions()
    assert straight.world.segments() == mixed.world.segments()


@given(script=st.lists(groups, min_size=1, max_size=5), again=st.data())
@LAWS
def test_telling_anything_again_changes_nothing(script: list[list[Trace]], again: st.DataObject) -> None:
    life = Life({})
    for group in script:
        life.feed([group])
    life.settle()
    before = life.world.sessions(), life.world.segments()
    newest = list({(trace.session, trace.trace_id): trace for trace in life.told}.values())
    life.feed([again.draw(st.lists(st.sampled_from(newest), min_size=1, unique_by=id))])
    life.settle()
    assert (life.world.sessions(), life.world.segments()) == before


@given(
    script=st.lists(
        st.one_of(st.tuples(st.just("feed"), st.lists(groups, min_size=1, max_size=1)), st.tuples(st.just("tick"), st.integers(0, 20)))
    )
)
@LAWS
def test_every_event_has_a_key_of_its_own_and_tells_a_change_of_state(script: list[Any]) -> None:
    life = Life({})
    for step in script:
        life.step(*step)
    life.tick(100)
    keys = life.world.events("Tenant", "Project", "SessionId", "SegmentStart", "Revision", "Event")
    assert len(set(keys)) == len(keys)
    state = {key: row["State"] for key, row in life.world.sessions().items()}
    assert set(state.values()) <= {"ended"}, "in the end silence ends them all"
    last = {}
    for tenant, project, session, event in life.world.events("Tenant", "Project", "SessionId", "Event"):
        if event != "session.updated":  # what a mark has ended stays so, whatever is told of it later
            last[tenant, project, session] = event
    assert all(last[key] == "session.end" for key in state)
