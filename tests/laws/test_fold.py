"""The folds alone, without wire and database: packed facts of random spans through `aggregate` and `lifecycle`."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws import comparing, configured, log_worlds, side_by_side, worlds
from tests.laws.playing import Rows, decode_and_play, facts, play, wanted
from tests.laws.side_by_side import Side
from tests.laws.worlds import MINUTE, Sent

pytestmark = pytest.mark.laws

LATER = st.sampled_from((0, 4 * MINUTE, 6 * MINUTE, 29 * MINUTE, 31 * MINUTE, 3000 * MINUTE))


@given(data=st.data())
def test_law_1_order_and_batches_change_nothing(data: st.DataObject) -> None:
    world, later = data.draw(worlds.spans()), data.draw(LATER)
    deliveries = data.draw(worlds.deliveries(world))
    assert comparing.differences(play(deliveries, later).all(), wanted(world, later)) == {}


@settings(max_examples=side_by_side.plays())
@given(some=side_by_side.sides(side_by_side.ANY), later=LATER, seed=worlds.SEEDS)
def test_law_1_many_worlds_do_not_disturb_each_other(some: list[Side], later: int, seed: int) -> None:
    """From bytes to rows, a group of each world at a time, while time passes, by any rules: this is where most examples are tried."""
    random, rules = Random(seed), configured.random_rules(seed, [side.project for side in some])
    rounds = [[each for side in some for each in side.groups[at : at + 1]] for at in range(side_by_side.rounds(some))]
    groups = [[(*each, "application/x-protobuf") for each in log_worlds.requests([*itertools.chain(*together)])] for together in rounds]
    pauses = [random.choice((0, 0, 0, 2, 61, 400, 1900, 7300)) * worlds.SECOND for _ in groups]
    times = list(itertools.accumulate(pauses, initial=worlds.NOW))[1:]
    want: Rows = {}
    for side in some:
        side.arrived = list(zip(times, side.groups, strict=False))
        want |= side.wanted(times[-1] + later, rules)
    got = decode_and_play(groups, later=later, rules=rules, pauses=pauses).all()
    side_by_side.assert_same(comparing.differences(got, want), some)


@given(data=st.data())
def test_law_2_sending_anything_again_changes_nothing(data: st.DataObject) -> None:
    world = data.draw(worlds.spans())
    deliveries = data.draw(worlds.deliveries(world))
    again = data.draw(worlds.deliveries(data.draw(st.lists(st.sampled_from(world), min_size=1, max_size=8))))
    assert comparing.differences(play(deliveries + again).all(), play(deliveries).all()) == {}


@given(data=st.data())
def test_law_3_an_id_on_any_one_span_is_an_id_on_all(data: st.DataObject) -> None:
    world = [worlds.without_ids(sent) for sent in worlds.one_copy_each(data.draw(worlds.spans()))]
    somewhere, everywhere = worlds.ids_on_some_and_all(world, lambda members: data.draw(st.sampled_from(members)))
    got = play(data.draw(worlds.deliveries(somewhere))).all()
    assert comparing.differences(_totals(got), _totals(wanted(everywhere))) == {}


@given(data=st.data())
def test_law_4_summary_figures_above_the_calls_change_nothing(data: st.DataObject) -> None:
    world = worlds.one_copy_each(data.draw(worlds.spans()))
    read = [facts([sent])[0] for sent in world]
    with_calls = {fact.trace_id for fact in read if fact.is_model and fact.has_usage}
    outer = [fact.trace_id in with_calls and fact.kind in ("agent", "chain") for fact in read]
    adorned = [_summed(sent) if above else sent for sent, above in zip(world, outer, strict=True)]
    got = play(data.draw(worlds.deliveries(adorned))).all()
    assert comparing.differences(_totals(got), _totals(wanted(world))) == {}


@given(data=st.data())
def test_law_6_a_group_that_came_to_nothing_leaves_no_trace(data: st.DataObject) -> None:
    world = data.draw(worlds.spans())
    deliveries = data.draw(worlds.deliveries(world))
    assert comparing.differences(play(deliveries, fail_first=True).all(), wanted(world)) == {}


def _summed(sent: Sent) -> Sent:
    """The same span with figures as if it had added up what is below it."""

    def add(span: Any) -> None:
        for key, value in (("gen_ai.usage.input_tokens", 123_456), ("gen_ai.usage.output_tokens", 654), ("gen_ai.usage.cost", 7.5)):
            worlds.put(span, key, value)

    return sent.changed(add)


def _totals(rows: Rows) -> Rows:
    """Sums and counts only: which span named the session may differ, and with it the project it came from."""
    names = (*comparing.NUMBERS, "CostPico", "CostSources", "Start", "End")
    return {key: {name: row[name] for name in names} for key, row in rows.items()}
