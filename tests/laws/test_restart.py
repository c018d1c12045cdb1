"""A collector that is stopped and started between groups: a restart is everything forgotten, and changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from random import Random

import pytest
from hypothesis import example, given, settings

from sojourn import _native
from sojourn.testing import run
from tests.laws import comparing, log_worlds, worlds
from tests.laws.log_worlds import Anything
from tests.laws.playing import Rows, wanted
from tests.laws.test_database import PHASES, _shown, send, shown

pytestmark = pytest.mark.laws

WORLDS = 12
"""Side by side, each a project of its own, because a start costs more than a world."""


@settings(max_examples=max(2, settings().max_examples // 30), phases=PHASES)
@example(seed=969)  # a root that begins a day after its arrival, behind a restart
@given(seed=worlds.SEEDS)
def test_law_7_a_restart_forgets_nothing(seed: int) -> None:
    random = Random(seed)
    hold_through_restarts(random, {number: worlds.random_spans(random) for number in range(WORLDS)})


@settings(max_examples=max(2, settings().max_examples // 30), phases=PHASES)
@given(seed=worlds.SEEDS)
def test_law_7_a_restart_forgets_no_log_records(seed: int) -> None:
    random = Random(seed)
    some: dict[int, list[Anything]] = {
        number: [*worlds.random_spans(random), *log_worlds.random_records(random)] for number in range(WORLDS)
    }
    hold_through_restarts(random, some)


def hold_through_restarts(random: Random, some: Mapping[int, Sequence[Anything]]) -> None:
    placed = {number: [log_worlds.placed_too(each, number) for each in world] for number, world in some.items()}
    order = [sent for world in placed.values() for sent in world] * 2
    random.shuffle(order)
    cuts = sorted(random.sample(range(1, len(order)), 3))
    database, found = f"exporters.clickhouse.database=restart_{uuid.uuid4().hex[:8]}", {}
    for part in (order[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(order)], strict=True)):
        found = play(part, [database])
    want = {key: row for world in placed.values() for key, row in wanted(world, 0, _native.digest).items()}
    assert comparing.differences(found, _shown(want)) == {}


def play(part: list[Anything], settings: list[str]) -> Rows:
    """One life of a collector: some groups in, and what it shows then."""
    with run(settings=settings, now=worlds.NOW) as collector:
        for at in range(0, len(part), 20):
            for signal, body in log_worlds.requests(part[at : at + 20]):
                send(collector, body, signal)
        return {key: row for number in range(WORLDS) for key, row in shown(collector, f"p{number}").items()}
