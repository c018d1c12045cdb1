"""Law 5: what was told of sessions is what their stored spans say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.testing import Collector, run
from tests.laws import log_worlds, worlds
from tests.laws.test_database import FORGETFUL, PHASES, send
from tests.web.test_rebuild import rebuild

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module", params=[(), FORGETFUL], ids=["remembering", "forgetful"])
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    """One collector for all examples: each of them is a project of its own."""
    with run(settings=request.param, now=worlds.NOW) as collector:
        yield collector


@pytest.mark.laws
@settings(max_examples=max(5, settings().max_examples // 6), phases=PHASES)
@given(data=st.data())
def test_law_5_what_was_told_is_what_is_stored(collector: Collector, data: st.DataObject) -> None:
    project = next(_NUMBERS)
    world = [log_worlds.placed_too(each, project) for each in data.draw(st.one_of(log_worlds.everything(), worlds.spans()))]
    for number, group in enumerate(data.draw(worlds.deliveries(world))):
        for signal, body in log_worlds.requests(group):
            send(collector, body, signal)
        if number % 2:
            collector.settle()
    last, differences = rebuild(collector, project=f"p{project}", check=True)
    assert (differences, last["wrong"], last["unsettled"]) == ([], 0, [])
