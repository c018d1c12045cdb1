"""The laws with log records beside spans, from bytes to rows: requests of both signals in any order through all three processors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn import _native
from tests.laws import comparing, log_worlds, worlds
from tests.laws.log_worlds import Anything, Logged
from tests.laws.playing import Bodies, Rows, decode_and_play, facts, wanted
from tests.laws.test_fold import LATER, _summed, _totals
from tests.laws.worlds import Sent

pytestmark = pytest.mark.laws


def played(deliveries: list[list[Anything]], **how: Any) -> Rows:
    groups: list[Bodies] = [[(*each, "application/x-protobuf") for each in log_worlds.requests(group)] for group in deliveries]
    return decode_and_play(groups, **how).all()


@given(data=st.data())
def test_law_1_order_of_signals_and_batches_change_nothing(data: st.DataObject) -> None:
    world, later = data.draw(log_worlds.everything()), data.draw(LATER)
    got = played(data.draw(worlds.deliveries(world)), later=later)
    assert comparing.differences(got, wanted(world, later, _native.digest)) == {}


@given(data=st.data())
def test_law_1_each_signal_may_come_first(data: st.DataObject) -> None:
    world = data.draw(log_worlds.everything())
    spans: list[Anything] = [each for each in world if isinstance(each, Sent)]
    records: list[Anything] = [each for each in world if isinstance(each, Logged)]
    want = wanted(world, 0, _native.digest)
    for order in ((spans, records), (records, spans)):
        assert comparing.differences(played([group for group in order if group]), want) == {}


@given(data=st.data())
def test_law_1_log_records_alone_make_sessions(data: st.DataObject) -> None:
    records, later = data.draw(st.lists(st.builds(log_worlds.one_record, *_ids(), worlds.SEEDS), min_size=1, max_size=8)), data.draw(LATER)
    got = played(data.draw(worlds.deliveries(records)), later=later)
    assert comparing.differences(got, wanted(records, later, _native.digest)) == {}


@given(data=st.data())
def test_law_1_marks_end_and_continue_sessions_in_any_order(data: st.DataObject) -> None:
    world, later = data.draw(log_worlds.marked_worlds()), data.draw(LATER)
    got = played(data.draw(worlds.deliveries(world)), later=later)
    assert comparing.differences(got, wanted(world, later, _native.digest)) == {}


@given(data=st.data())
def test_law_1_copies_move_parts_of_traces_in_any_order(data: st.DataObject) -> None:
    world, later = data.draw(log_worlds.crossing_worlds()), data.draw(LATER)
    got = played(data.draw(worlds.deliveries(world)), later=later)
    assert comparing.differences(got, wanted(world, later, _native.digest)) == {}


def _ids() -> tuple[st.SearchStrategy[int], st.SearchStrategy[int]]:
    return st.integers(0, 2), st.integers(0, 3)


@given(data=st.data())
def test_law_2_sending_anything_again_changes_nothing(data: st.DataObject) -> None:
    world = data.draw(log_worlds.everything())
    deliveries = data.draw(worlds.deliveries(world))
    again = data.draw(worlds.deliveries(data.draw(st.lists(st.sampled_from(world), min_size=1, max_size=8))))
    assert comparing.differences(played(deliveries + again), played(deliveries)) == {}


@given(data=st.data())
def test_law_3_log_records_follow_their_trace(data: st.DataObject) -> None:
    """An id on any one span of a trace is an id on all, and on the log records of the trace."""
    spans = [worlds.without_ids(sent) for sent in worlds.one_copy_each(data.draw(worlds.spans()))]
    records: list[Anything] = [log_worlds.without_ids(logged) for logged in data.draw(log_worlds.records())]
    somewhere, everywhere = worlds.ids_on_some_and_all(spans, lambda members: data.draw(st.sampled_from(members)))
    got = played(data.draw(worlds.deliveries([*somewhere, *records])))
    assert comparing.differences(_totals(got), some_totals(wanted([*everywhere, *records], 0, _native.digest))) == {}


@given(data=st.data())
def test_law_4_summary_figures_above_the_calls_change_nothing(data: st.DataObject) -> None:
    spans = worlds.one_copy_each(data.draw(worlds.spans()))
    records: list[Anything] = list(data.draw(log_worlds.records()))
    read = [facts([sent])[0] for sent in spans]
    with_calls = {fact.trace_id for fact in read if fact.is_model and fact.has_usage}
    outer = [fact.trace_id in with_calls and fact.kind in ("agent", "chain") for fact in read]
    adorned = [_summed(sent) if above else sent for sent, above in zip(spans, outer, strict=True)]
    got = played(data.draw(worlds.deliveries([*adorned, *records])))
    assert comparing.differences(_totals(got), some_totals(wanted([*spans, *records], 0, _native.digest))) == {}


@given(data=st.data())
def test_law_6_a_group_that_came_to_nothing_leaves_no_trace(data: st.DataObject) -> None:
    world = data.draw(log_worlds.everything())
    got = played(data.draw(worlds.deliveries(world)), fail_first=True)
    assert comparing.differences(got, wanted(world, 0, _native.digest)) == {}


def some_totals(rows: Rows) -> Rows:
    """Of what the oracle says: sums and counts, where it says them."""
    names = {*comparing.NUMBERS, "CostPico", "CostSources", "Start", "End"}
    return {key: {name: value for name, value in row.items() if name in names} for key, row in rows.items()}
