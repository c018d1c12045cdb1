"""What `lifecycle` stores of sessions, and when."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle_lifecycle import MINUTE, Limits, Trace
from tests.processors.lifecycle_world import NOW, World, truth

SECOND = 10**9
DAY = 24 * 60 * MINUTE


def trace(number: int, session: str = "s", at: int = 0, length: int = MINUTE, arrival: int | None = None, **more: Any) -> Trace:
    """A trace that begins `at` minutes after NOW."""
    start = NOW + at * MINUTE
    came = start + length if arrival is None else NOW + arrival * MINUTE
    return Trace(("", "", session), f"{number:032x}", start, start + length, came, **{"name": f"trace {number}", **more})


def same_as_the_oracle(world: World, *told: Trace, limits: Limits | None = None) -> None:
    sessions, segments = truth(told, world.clock.now(), limits or Limits())
    assert world.sessions() == sessions
    assert world.segments() == segments


def test_a_session_is_told_with_everything_that_its_traces_say() -> None:
    world = World()
    first = trace(
        1, numbers={"Spans": 3, "InputTokens": 10, "OutputTokens": 5, "LlmCalls": 1}, cost=70, cost_sources=1, turn=True,
        services=frozenset({"shop"}), models=frozenset({"gpt"}), tools=frozenset({"find", "buy"}), tags=frozenset({"b", "a"}),
        metadata={"city": ("Rome", NOW, 1), "plan": ("free", NOW, 1)}, user=("ann", NOW, 1), prompt_name="greet",
    )  # fmt: skip
    second = trace(
        2, at=2, numbers={"Spans": 1}, metadata={"city": ("Oslo", NOW + 2 * MINUTE, 9)}, user=("bob", NOW + 2 * MINUTE, 9), error=True
    )
    world.clock.time = second.end
    world.feed(first, second)
    same_as_the_oracle(world, first, second)
    row = world.sessions()["", "", "s"]
    assert (row["Name"], row["NameSource"], row["UserId"]) == ("greet", "derived", "bob")
    assert (row["Traces"], row["Turns"], row["Status"], row["CostPico"]) == (2, 1, "ok", 70)
    assert row["Metadata"] == {"city": "Oslo", "plan": "free"}
    assert row["Search"] == "s\ngreet\nbob\ncity=oslo\nplan=free"
    assert row["Tools"] == ["buy", "find"]


def test_other_batches_pass_untouched() -> None:
    import pyarrow as pa

    from sojourn.component import Batch

    spans = Batch("otel_traces", pa.RecordBatch.from_pydict({"TraceId": ["x"]}))
    assert list(World().process.process(spans)) == [spans]


def test_trace_rows_go_on_in_front_of_what_follows_from_them() -> None:
    told = World().told(trace(1))
    assert [batch.table for batch in told] == ["session_trace_rows", "session_rows", "session_event_rows"]


def test_silence_makes_a_session_idle_and_then_ends_it() -> None:
    world = World()
    one = trace(1)
    world.clock.time = one.end
    world.feed(one)
    assert world.tick(one.end + 5 * MINUTE - 1) == []
    world.tick(one.end + 5 * MINUTE)
    assert world.sessions()["", "", "s"]["State"] == "idle"
    assert world.tick(one.end + 30 * MINUTE + 30 * SECOND - 1) == []
    world.tick(one.end + 30 * MINUTE + 30 * SECOND)
    same_as_the_oracle(world, one)
    assert world.events() == [
        ("s", 0, "session.start", ""),
        ("s", 0, "session.idle", ""),
        ("s", 0, "session.end", "idle_timeout"),
    ]
    assert world.tick(one.end + 10 * DAY) == [], "an ended session is not thought of any more"


def test_a_tick_that_comes_late_ends_a_session_at_once() -> None:
    world = World()
    one = trace(1)
    world.clock.time = one.end
    world.feed(one)
    world.tick(one.end + DAY)
    assert world.events("Event") == [("session.start",), ("session.end",)]


def test_a_gap_begins_another_segment() -> None:
    world = World()
    one, two = trace(1), trace(2, at=40)
    world.clock.time = one.end
    world.feed(one)
    world.clock.time = two.end
    world.feed(two)
    same_as_the_oracle(world, one, two)
    assert world.events() == [
        ("s", 0, "session.start", ""),
        ("s", 0, "session.end", "idle_timeout"),
        ("s", 1, "session.rotated", "idle_timeout"),
    ]


def test_a_trace_after_the_end_begins_another_segment_of_the_session_in_the_database() -> None:
    world = World()
    one, two = trace(1, numbers={"Spans": 5}), trace(2, at=90, numbers={"Spans": 7})
    world.clock.time = one.end
    world.feed(one)
    world.tick(one.end + 60 * MINUTE)
    world.clock.time = two.end
    world.feed(two)
    same_as_the_oracle(world, one, two)
    assert [event for event, *_ in world.events("Event", "Revision")] == ["session.start", "session.end", "session.rotated"]


def test_a_late_trace_within_the_session_reopens_it() -> None:
    world = World()
    one, late = trace(1), trace(2, at=3, arrival=60)
    world.clock.time = one.end
    world.feed(one)
    world.tick(one.end + 50 * MINUTE)
    world.clock.time = late.arrival
    world.feed(late)
    same_as_the_oracle(world, one, late)
    assert world.sessions()["", "", "s"]["State"] == "active"
    world.tick(late.arrival + DAY)
    assert world.events("Event", "Reason")[1:] == [
        ("session.end", "idle_timeout"),
        ("session.reopened", ""),
        ("session.end", "idle_timeout"),
    ]
    revisions = [revision for (revision,) in world.events("Revision")]
    assert len(set(revisions)) == len(revisions), "an event that is told again has another idempotency key"


def test_beyond_the_allowed_lateness_a_change_is_told_quietly_and_flagged() -> None:
    world = World()
    one, late = trace(1), trace(2, at=3, arrival=60 * 48)
    world.clock.time = one.end
    world.feed(one)
    world.tick(one.end + DAY)
    world.clock.time = late.arrival
    world.feed(late)
    same_as_the_oracle(world, one, late)
    assert world.sessions()["", "", "s"]["Flags"] == ["late_data"]
    assert world.events("Event", "Reason")[2:] == [("session.updated", "late_data")]


def test_a_late_trace_bridges_two_segments_and_the_second_one_vanishes() -> None:
    world = World()
    one, two, bridge = trace(1), trace(2, at=40), trace(3, at=20, arrival=42)
    world.clock.time = two.end
    world.feed(one, two)
    assert len(world.segments()["", "", "s"]) == 2
    world.clock.time = bridge.arrival
    world.feed(bridge)
    same_as_the_oracle(world, one, two, bridge)
    gone = [row for row in world.database.tables["session_segment_rows"].values() if row["Deleted"]]
    assert [(row["SessionId"], row["Segment"]) for row in gone] == [("s", 0), ("s", 1)]  # the only one that is left has the session's row
    assert world.events("Event", "Reason")[-1] == ("session.updated", "merged")


def test_a_trace_that_moves_takes_its_totals_along() -> None:
    world = World()
    one, two = trace(1, "a", numbers={"Spans": 2}), trace(2, "a", at=1, numbers={"Spans": 3})
    world.feed(one, two)
    left = trace(2, "a", gone=True)
    moved = trace(2, "b", at=1, numbers={"Spans": 4})
    world.feed(left, moved)
    same_as_the_oracle(world, one, two, left, moved)


def test_a_session_that_all_traces_have_left_vanishes_with_its_segments() -> None:
    world = World()
    one, two = trace(1, "a"), trace(2, "a", at=60)
    world.feed(one, two)
    told = [trace(1, "a", gone=True), trace(2, "a", gone=True), trace(1, "b"), trace(2, "b", at=60)]
    world.feed(*told)
    same_as_the_oracle(world, one, two, *told)
    assert list(world.sessions()) == [("", "", "b")]
    assert world.tick(NOW + DAY) != []
    assert list(world.sessions()) == [("", "", "b")], "a vanished session is not told of again"


def test_what_was_not_committed_leaves_no_trace() -> None:
    world, plain = World(), World()
    one, other = trace(1, numbers={"Spans": 1}), trace(2, at=40, numbers={"Spans": 100})
    for each in (world, plain):
        each.clock.time = one.end
        each.feed(one)
    world.feed(other, trace(1, gone=True), commit=False)
    list(world.process.tick(one.end + DAY))
    world.process.discard()
    for each in (world, plain):
        each.tick(one.end + MINUTE)
        each.feed(trace(3, at=2))
    assert world.sessions() == plain.sessions()
    assert world.segments() == plain.segments()
    assert world.events("Event", "Revision") == plain.events("Event", "Revision")


def test_a_group_may_come_in_several_batches_and_a_tick_may_follow_before_the_commit() -> None:
    """Spans and log records both touch traces; aggregate's tick tells large ones, and our own tick follows."""
    world = World()
    one, two, three = trace(1), trace(2, at=1), trace(2, at=1, numbers={"Spans": 9})
    world.clock.time = two.end
    batches = world.told_of([[one], [two], [three]])
    batches += list(world.process.tick(world.clock.time))
    world.commit(batches)
    same_as_the_oracle(world, one, two, three)
    assert world.events("Event") == [("session.start",)]


def test_a_restart_goes_on_where_the_database_ends() -> None:
    world = World()
    one, two = trace(1, numbers={"Spans": 5}, metadata={"k": ("v", NOW, 1)}, tags=frozenset({"x"})), trace(2, at=4)
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
    assert world.events("Event") == [("session.start",), ("session.idle",), ("session.end",)]


def test_a_session_never_stored_costs_no_question() -> None:
    world = World()
    world.feed(trace(1, "a"))
    world.database.asked.clear()
    world.restart()
    world.feed(trace(2, "b"))
    world.feed(trace(3, "c"), trace(4, "b", at=1))
    assert world.database.asked == ["open_sessions"]


def test_one_question_per_kind_brings_back_what_was_forgotten() -> None:
    world = World()
    told = [trace(n, f"s{n}") for n in range(1, 6)]
    world.feed(*told)
    world.tick(NOW + DAY)
    world.database.asked.clear()
    more = [trace(10 + n, f"s{n}", at=24 * 60) for n in range(1, 8)]
    world.feed(*more)
    same_as_the_oracle(world, *told, *more)
    assert sorted(world.database.asked) == ["session_rows", "session_trace_rows"]


def test_trace_rows_over_the_memory_bound_go_and_come_back() -> None:
    world = World(memory="3KiB")
    told = []
    for n in range(1, 30):
        world.clock.time = NOW + n * MINUTE
        told.append(trace(n, f"s{n % 7}", at=n, length=SECOND, tags=frozenset({f"t{n}"})))
        world.feed(told[-1])
        assert world.process.meters()["sojourn_lifecycle_trace_row_bytes"] <= 3 * 1024
    for row in world.sessions().values():
        row.pop("State")
    world.tick(NOW + DAY)
    same_as_the_oracle(world, *told)


def test_texts_that_were_forgotten_come_back_from_the_database() -> None:
    world = World()
    one = trace(1, user=("ann", NOW, 1), metadata={"k": ("v", NOW, 1)}, tags=frozenset({"b", "a"}), services=frozenset({"shop"}))
    world.clock.time = one.end
    world.feed(one)
    world.texts.forget()
    two = trace(2, at=2)
    world.clock.time = two.end
    world.feed(two)
    same_as_the_oracle(world, one, two)
    world.texts.forget()
    world.tick(two.end + DAY)
    same_as_the_oracle(world, one, two)


def test_a_large_session_is_folded_once_per_second() -> None:
    world = World()
    told = [trace(n, at=0, length=n + 1) for n in range(1100)]
    world.clock.time = NOW + MINUTE
    world.feed(*told)
    more = []
    for n in range(5):
        world.clock.time += SECOND // 10
        more += [trace(2000 + n, at=1), trace(n, at=0, length=n + 2)]
        batches = world.feed(*more[-2:], trace(3000 + n, "small", at=1))
        assert [batch.records.num_rows for batch in batches if batch.table == "session_rows"] == [1], "only the small one"
    small = [trace(3000 + n, "small", at=1) for n in range(5)]
    world.tick(world.clock.time + SECOND)
    same_as_the_oracle(world, *told, *more, *small)


def test_a_collector_without_a_database_keeps_sessions_in_memory() -> None:
    world = World(history=False)
    one, two = trace(1), trace(2, at=2)
    world.feed(one)
    world.clock.time = two.end
    world.feed(two)
    same_as_the_oracle(world, one, two)


@pytest.mark.parametrize(
    ("key", "value", "limits"),
    [
        ("max_traces", 2, Limits(max_traces=2)),
        ("max_duration", "90s", Limits(max_duration=90 * SECOND)),
        ("idle_timeout", "30s", Limits(idle_timeout=30 * SECOND)),
        ("max_tokens", 10, Limits(max_tokens=10)),
        ("max_cost", "0.00000000001", Limits(max_cost=10)),
    ],
)
def test_parameters(key: str, value: object, limits: Limits) -> None:
    world = World(**{key: value})
    told = [trace(n, at=2 * n, numbers={"InputTokens": n, "OutputTokens": 3}, cost=n + 2) for n in range(5)]
    told.append(trace(9, "long", length=10 * MINUTE, numbers={"InputTokens": 11}))
    world.clock.time = told[-1].end
    world.feed(*told)
    same_as_the_oracle(world, *told, limits=limits)


@pytest.mark.parametrize("key", ["max_traces", "max_duration"])
def test_limits_may_only_flag(key: str) -> None:
    value: Any = {"max_traces": 2, "max_duration": "90s"}[key]
    world = World(**{key: value, "on_limit": "flag"})
    told = [trace(n, at=2 * n) for n in range(5)]
    world.clock.time = told[-1].end
    world.feed(*told)
    limits = Limits(max_traces=2, on_limit="flag") if key == "max_traces" else Limits(max_duration=90 * SECOND, on_limit="flag")
    same_as_the_oracle(world, *told, limits=limits)
    assert world.sessions()["", "", "s"]["Flags"] == [{"max_traces": "over_traces", "max_duration": "over_duration"}[key]]


def test_a_clock_that_runs_ahead_is_flagged() -> None:
    world = World()
    one = trace(1, at=120, arrival=0)
    world.feed(one)
    same_as_the_oracle(world, one)
    assert world.sessions()["", "", "s"]["Flags"] == ["clock_skew"]


def test_of_too_many_metadata_keys_the_least_stay() -> None:
    world = World()
    told = [trace(n, metadata={f"key {k:03}": (f"v{k}", NOW + n, 1) for k in range(n * 30, n * 30 + 50)}) for n in range(4)]
    world.clock.time = told[-1].end
    world.feed(*told)
    same_as_the_oracle(world, *told)
    assert list(world.sessions()["", "", "s"]["Metadata"])[-1] == "key 063"


def test_costs_beyond_64_bits_are_capped() -> None:
    world = World()
    told = [trace(n, cost=2**62 + n) for n in range(5)]
    world.clock.time = told[-1].end
    world.feed(*told)
    same_as_the_oracle(world, *told)


def test_the_same_tenant_project_and_session_are_one_and_others_are_not() -> None:
    world = World()
    keys = [("", "", "s"), ("", "shop", "s"), ("acme", "shop", "s"), ("acme", "", "s")]
    told = [Trace(key, f"{n:032x}", NOW, NOW + MINUTE, NOW + MINUTE) for n, key in enumerate(keys)]
    world.clock.time = NOW + MINUTE
    world.feed(*told)
    same_as_the_oracle(world, *told)
    assert len(world.sessions()) == 4
