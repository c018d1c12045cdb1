"""From bytes to rows of sessions, without sockets and database: requests through the native core and all three processors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn import _native
from tests.laws import comparing, worlds
from tests.laws.playing import Bodies, decode_and_play, wanted
from tests.laws.test_fold import LATER
from tests.laws.worlds import Sent

pytestmark = pytest.mark.laws


def requests(deliveries: list[list[Sent]]) -> list[Bodies]:
    return [[("traces", worlds.request(group), "application/x-protobuf")] for group in deliveries]


@given(data=st.data())
def test_law_1_order_and_batches_change_nothing(data: st.DataObject) -> None:
    world, later = data.draw(worlds.spans()), data.draw(LATER)
    got = decode_and_play(requests(data.draw(worlds.deliveries(world))), later=later)
    assert comparing.differences(got.all(), wanted(world, later, _native.digest)) == {}


@given(data=st.data())
def test_the_session_laws_hold_for_ids_of_any_key_and_kind(data: st.DataObject) -> None:
    """Single spans: whatever a span says is read as the oracle reads it."""
    sent = data.draw(st.builds(worlds.one_span, st.just(1), st.integers(1, 9), st.integers(0, 9), worlds.SEEDS))
    got = decode_and_play(requests([[sent]]))
    assert comparing.differences(got.all(), wanted([sent], 0, _native.digest)) == {}
