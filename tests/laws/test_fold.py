"""The folds alone, without the native core: packed facts of random spans through `aggregate` and `lifecycle`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.laws import comparing, worlds
from tests.laws.playing import play, wanted
from tests.laws.worlds import MINUTE

LATER = st.sampled_from((0, 4 * MINUTE, 6 * MINUTE, 29 * MINUTE, 31 * MINUTE, 3000 * MINUTE))


@given(data=st.data())
def test_law_1_order_and_batches_change_nothing(data: st.DataObject) -> None:
    world, later = data.draw(worlds.spans()), data.draw(LATER)
    deliveries = data.draw(worlds.deliveries(world))
    assert comparing.differences(play(deliveries, later).all(), wanted(world, later)) == {}


@given(data=st.data())
def test_law_6_a_group_that_came_to_nothing_leaves_no_trace(data: st.DataObject) -> None:
    world = data.draw(worlds.spans())
    deliveries = data.draw(worlds.deliveries(world))
    assert comparing.differences(play(deliveries, fail_first=True).all(), wanted(world)) == {}
