"""The oracle itself keeps the laws with log records, so that it can be asked about them before the product can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws import comparing, log_worlds, worlds
from tests.laws.log_worlds import Anything
from tests.laws.playing import facts, wanted
from tests.laws.test_fold import _summed
from tests.laws.test_logs import some_totals

pytestmark = pytest.mark.laws


@given(data=st.data())
def test_order_and_repetition(data: st.DataObject) -> None:
    world = data.draw(st.one_of(log_worlds.everything(), log_worlds.marked_worlds()))
    again = [each for group in data.draw(worlds.deliveries(world)) for each in group]
    assert comparing.differences(wanted(again), wanted(world)) == {}


@given(data=st.data())
def test_an_id_on_any_one_span(data: st.DataObject) -> None:
    spans = [worlds.without_ids(sent) for sent in worlds.one_copy_each(data.draw(worlds.spans()))]
    records: list[Anything] = [log_worlds.without_ids(logged) for logged in data.draw(log_worlds.records())]
    somewhere, everywhere = worlds.ids_on_some_and_all(spans, lambda members: data.draw(st.sampled_from(members)))
    got, want = some_totals(wanted([*somewhere, *records])), some_totals(wanted([*everywhere, *records]))
    assert comparing.differences(got, want) == {}


@given(data=st.data())
def test_summary_figures_above_the_calls(data: st.DataObject) -> None:
    spans = worlds.one_copy_each(data.draw(worlds.spans()))
    records: list[Anything] = list(data.draw(log_worlds.records()))
    read = [facts([sent])[0] for sent in spans]
    with_calls = {fact.trace_id for fact in read if fact.is_model and fact.has_usage}
    outer = [fact.trace_id in with_calls and fact.kind in ("agent", "chain") for fact in read]
    adorned = [_summed(sent) if above else sent for sent, above in zip(spans, outer, strict=True)]
    got, want = some_totals(wanted([*adorned, *records])), some_totals(wanted([*spans, *records]))
    assert comparing.differences(got, want) == {}
