"""A collector that is stopped and started between groups: a restart is everything forgotten, and changes nothing."""

from __future__ import annotations

import uuid
from random import Random

import pytest
from hypothesis import given, settings

from sojourn.testing import run
from tests.laws import configured, side_by_side, worlds
from tests.laws.configured import USUAL
from tests.laws.side_by_side import ANY, Side, plays, sides
from tests.laws.test_database import FORGETFUL, PHASES

pytestmark = pytest.mark.laws


@settings(max_examples=plays(2), phases=PHASES)
@given(some=sides(ANY), more=sides(ANY), seed=worlds.SEEDS)
def test_law_7_a_restart_forgets_nothing(some: list[Side], more: list[Side], seed: int) -> None:
    """Stopped and started at random; what came before is sent again now and then, as senders do that did not hear an answer."""
    random, both = Random(seed), [*some, *more]
    chosen = [*configured.settings(USUAL), f"exporters.clickhouse.database=restart_{uuid.uuid4().hex[:8]}", *random.choice(((), FORGETFUL))]
    number, now = 0, worlds.NOW
    while number < side_by_side.rounds(both):
        with run(settings=chosen, now=now) as collector:
            for _ in range(random.randint(1, 3)):
                if number and random.random() < 0.5:
                    side_by_side.send_round(collector, both, number - 1)
                side_by_side.send_round(collector, both, number)
                number += 1
                if random.random() < 0.5:
                    collector.settle()
    with run(settings=chosen, now=now) as collector:
        side_by_side.assert_right(collector, both)
