"""A group that could not be stored leaves no trace in any state: inserts fail before and after they are done, now and for good."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from sojourn.collector import persistence
from sojourn.errors import Rejected, Unavailable
from sojourn.exporters.clickhouse import Inserting
from sojourn.testing import Collector, run
from tests.laws import configured, worlds
from tests.laws.configured import USUAL
from tests.laws.side_by_side import ANY, Side, assert_right, plays, send_all, send_round, sides
from tests.laws.test_database import FORGETFUL, PHASES

pytestmark = pytest.mark.laws


class Trouble:
    """Inserts that fail at random: some can be tried again, some are refused for good, and some are stored although they failed."""

    def __init__(self) -> None:
        self.random: Random | None = None
        self.refused = 0

    def meet(self, store: Any, inserting: Inserting, attempt: Any) -> None:
        chance = self.random.random() if self.random else 1.0
        if chance < 0.10 or 0.20 < chance < 0.25:
            self._fail(chance)
        store(inserting, attempt)
        if chance < 0.25:
            self._fail(chance)

    def _fail(self, chance: float) -> None:
        if chance < 0.20:
            raise Unavailable("the test: comes back", 0.0)
        self.refused += 1
        raise Rejected("the test: for good")


@pytest.fixture(scope="module")
def trouble() -> Iterator[Trouble]:
    trouble, store = Trouble(), Inserting._insert
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(persistence, "FIRST_WAIT", 0.001)
        patch.setattr(Inserting, "_insert", lambda inserting, attempt: trouble.meet(store, inserting, attempt))
        yield trouble


@pytest.fixture(scope="module", params=[(), FORGETFUL], ids=["remembering", "forgetful"])
def collector(request: pytest.FixtureRequest, trouble: Trouble) -> Iterator[Collector]:
    with run(settings=(*configured.settings(USUAL), *request.param), now=worlds.NOW) as collector:
        yield collector


@settings(max_examples=plays(2), phases=PHASES)
@given(some=sides(ANY), seed=worlds.SEEDS)
def test_law_6_what_came_to_nothing_leaves_no_trace(collector: Collector, trouble: Trouble, some: list[Side], seed: int) -> None:
    """Senders send again what they were told is not stored; here they send all of it again, once the database is well."""
    trouble.random, trouble.refused = Random(seed), 0
    send_all(collector, some, Random(seed))
    collector.settle()
    trouble.random = None
    if trouble.refused:
        for number in range(max(len(side.groups) for side in some)):
            send_round(collector, some, number)
    assert_right(collector, some)
