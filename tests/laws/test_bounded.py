"""Memory depends on the sessions that live, not on those ever seen."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings

from sojourn.testing import Collector, run
from tests.laws import configured, worlds
from tests.laws.configured import USUAL
from tests.laws.side_by_side import ANY, Side, assert_right, plays, send_all, sides
from tests.laws.test_database import PHASES

pytestmark = pytest.mark.laws

KEPT = 256 * 1024
"""Bytes of trace rows of sessions that live."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A collector that goes on for all plays: the sessions of one have ended when the next one comes."""
    with run(settings=[*configured.settings(USUAL), f"processors.lifecycle.memory={KEPT}"], now=worlds.NOW) as collector:
        yield collector


def held(collector: Collector) -> tuple[float, float]:
    """Sessions that live, and the bytes of their trace rows."""
    samples = collector.service.meters.samples()
    return sum(value for name, value in samples.items() if name.startswith("sojourn_sessions{")), next(
        value for name, value in samples.items() if name.startswith("sojourn_lifecycle_trace_row_bytes")
    )


@settings(max_examples=plays(), phases=PHASES)
@given(some=sides(ANY), seed=worlds.SEEDS)
def test_law_9_sessions_that_ended_take_no_memory(collector: Collector, some: list[Side], seed: int) -> None:
    """Nothing is held of sessions that have ended, however many there were, and they are shown as they were."""
    collector.set(worlds.NOW)
    send_all(collector, some, Random(seed))
    collector.settle()
    assert held(collector)[1] <= KEPT
    collector.advance("25h")  # some of the spans end a day ahead of their arrival
    assert held(collector) == (0, 0)
    for side in some:
        side.arrived = [(worlds.NOW, group) for _, group in side.arrived]
    assert_right(collector, some)
