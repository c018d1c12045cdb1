"""The whole collector: random spans and log records into the embedded database, read back through the views.

As it is built in, with so little memory that everything is forgotten and read back, and with sessions for traces that name none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sojourn.testing import Collector, run
from tests.laws import configured, log_worlds, side_by_side, worlds
from tests.laws.configured import HOUR, USUAL
from tests.laws.playing import facts
from tests.laws.side_by_side import ANY, Side, assert_right, happened, plays, send_all, sides
from tests.laws.test_fold import _summed
from tests.oracle import Rules
from tests.oracle.cutting import MINUTE, Override
from tests.web.test_rebuild import drift, rebuild

pytestmark = pytest.mark.laws

# A play costs seconds: what fails is shown as it is, and made small by the other tests of the laws.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
FORGETFUL = ("processors.aggregate.memory=1KiB", "processors.lifecycle.memory=1KiB")


@dataclass(frozen=True)
class Mode:
    rules: Rules = USUAL
    settings: tuple[str, ...] = ()
    """Beside the rules."""


GAP = replace(USUAL, missing_id="gap", gap_attributes=("app.team", "user"), max_tokens=1000)
SERVICES = (
    Override(None, "desk", {"idle_timeout": 2 * HOUR, "max_duration": 3 * HOUR}),
    Override(None, "shop", {"idle_timeout": 2 * MINUTE, "max_traces": 1, "max_tokens": 30}),
)
MODES = {
    "remembering": Mode(),
    "forgetful": Mode(settings=FORGETFUL),
    "trace": Mode(replace(USUAL, missing_id="trace"), FORGETFUL),
    "gap, rules": Mode(replace(GAP, overrides=SERVICES), FORGETFUL),
}
BOTH = ["remembering", "forgetful"]
LATER = 2 * 86_400 * worlds.SECOND
"""Behind whatever the other laws let the clock say: what they saw end must not live again because it went back."""
Running = tuple[Collector, Mode]


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """One collector for all plays of a mode."""
    mode = MODES[request.param]
    with run(settings=(*configured.settings(mode.rules), *mode.settings), now=worlds.NOW) as collector:
        yield collector, mode


@settings(max_examples=plays(len(MODES)), phases=PHASES)
@pytest.mark.parametrize("running", MODES, indirect=True)
@given(some=sides(ANY), seed=worlds.SEEDS)
def test_law_1_order_batches_and_signals_change_nothing(running: Running, some: list[Side], seed: int) -> None:
    collector, mode = running
    send_all(collector, some, Random(seed))
    assert_right(collector, some, rules=mode.rules)


@settings(max_examples=plays(len(BOTH)), phases=PHASES)
@pytest.mark.parametrize("running", BOTH, indirect=True)
@given(some=sides(ANY), seed=worlds.SEEDS)
def test_law_2_sending_anything_again_changes_nothing(running: Running, some: list[Side], seed: int) -> None:
    collector, _ = running
    random = Random(seed)
    send_all(collector, some, random)
    before = side_by_side.shown(collector, [side.project for side in some])
    again = [Side(side.project, [random.choices([each for group in side.groups for each in group], k=4)]) for side in some]
    send_all(collector, again, random)
    side_by_side.assert_right(collector, some)
    assert side_by_side.shown(collector, [side.project for side in some]) == before


@st.composite
def with_ids_on_some(draw: st.DrawFn) -> list[Side]:
    """Groups with an id on one span of each trace; `arrived` are the same spans with an id on every one."""
    found = []
    for _ in range(side_by_side.WORLDS):
        spans = [worlds.without_ids(sent) for sent in worlds.one_copy_each(draw(worlds.spans()))]
        records: list[Any] = [log_worlds.without_ids(logged) for logged in draw(log_worlds.records())]
        random = Random(draw(worlds.SEEDS))
        somewhere, everywhere = worlds.ids_on_some_and_all(spans, random.choice)
        found.append(_instead(draw(worlds.deliveries([*somewhere, *records], side_by_side.MOST)), [*everywhere, *records]))
    return found


@settings(max_examples=plays(len(BOTH)), phases=PHASES)
@pytest.mark.parametrize("running", BOTH, indirect=True)
@given(some=with_ids_on_some(), seed=worlds.SEEDS)
def test_law_3_an_id_on_any_one_span_is_an_id_on_all(running: Running, some: list[Side], seed: int) -> None:
    _send_instead(running[0], some, seed)


@st.composite
def with_summaries(draw: st.DrawFn) -> list[Side]:
    """Groups with summary figures on agents and chains; `arrived` are the same without them."""
    found = []
    for _ in range(side_by_side.WORLDS):
        spans, records = worlds.one_copy_each(draw(worlds.spans())), draw(log_worlds.records())
        read = [facts([sent])[0] for sent in spans]
        calling = {fact.trace_id for fact in read if fact.is_model and fact.has_usage}
        outer = [fact.trace_id in calling and fact.kind in ("agent", "chain") for fact in read]
        adorned = [_summed(sent) if above else sent for sent, above in zip(spans, outer, strict=True)]
        found.append(_instead(draw(worlds.deliveries([*adorned, *records], side_by_side.MOST)), [*spans, *records]))
    return found


@settings(max_examples=plays(len(BOTH)), phases=PHASES)
@pytest.mark.parametrize("running", BOTH, indirect=True)
@given(some=with_summaries(), seed=worlds.SEEDS)
def test_law_4_summary_figures_above_the_calls_change_nothing(running: Running, some: list[Side], seed: int) -> None:
    _send_instead(running[0], some, seed)


def _instead(groups: list[list[Any]], really: list[Any]) -> Side:
    """A world that is sent in these groups, and counts as if the others had been sent."""
    side = side_by_side.placed([*groups, really])
    return Side(side.project, side.groups[:-1], [(worlds.NOW, side.groups[-1])])


def _send_instead(collector: Collector, some: list[Side], seed: int) -> None:
    send_all(collector, [Side(side.project, side.groups) for side in some], Random(seed))
    assert_right(collector, some, only=_totals_shown)


def _totals_shown(rows: Any) -> Any:
    """Sums and counts only: which span named the session may differ, and with it what is told from its words."""
    names = (
        "Spans",
        "Errors",
        "LlmCalls",
        "EmbeddingCalls",
        "ToolCalls",
        "InputTokens",
        "OutputTokens",
        "Cost",
        "WallNs",
        "ActiveNs",
        "Traces",
    )
    return {key: {name: row[name] for name in names if name in row} for key, row in rows.items()}


@settings(max_examples=plays(len(BOTH)), phases=PHASES)
@pytest.mark.parametrize("running", BOTH, indirect=True)
@given(some=sides(ANY), seed=worlds.SEEDS)
def test_law_1_while_time_passes(running: Running, some: list[Side], seed: int) -> None:
    """The same with a clock that goes on, and now and then a little back."""
    collector, random = running[0], Random(seed)

    def between() -> None:
        collector.set(collector.clock.now() + random.choice((0, 1, 61, 400, 1900, 7300, -30)) * worlds.SECOND)

    collector.set(worlds.NOW)
    send_all(collector, some, random, between)
    assert_right(collector, some)


@settings(max_examples=plays(len(BOTH)), phases=PHASES)
@pytest.mark.parametrize("running", BOTH, indirect=True)
@given(some=sides(ANY), seed=worlds.SEEDS)
def test_law_1_what_people_say_holds_whatever_comes_later(running: Running, some: list[Side], seed: int) -> None:
    """Sessions are deleted, ended and named between the groups; more of their traces comes, new ones with their ids, and time goes on."""
    collector, random = running[0], Random(seed)
    collector.set(worlds.NOW)
    for number in range(side_by_side.rounds(some)):
        side_by_side.send_round(collector, some, number)
        side_by_side.speak(collector, some, random, ("delete", "delete", "end", "name"))
        collector.set(collector.clock.now() + random.choice((0, 7, 400)) * worlds.SECOND)
    assert_right(collector, some)


@settings(max_examples=plays(len(MODES)), phases=PHASES)
@pytest.mark.parametrize("running", MODES, indirect=True)
@given(some=sides(ANY), seed=worlds.SEEDS)
def test_law_5_live_totals_are_those_of_the_stored_rows(running: Running, some: list[Side], seed: int) -> None:
    """`rebuild --check` finds nothing, of these sessions and of all before them."""
    collector, mode = running
    send_all(collector, some, Random(seed))
    collector.set(worlds.NOW + LATER)
    collector.settle()
    assert drift(collector) == 0, side_by_side.found_wrong()
    last, differences = rebuild(collector, check=True)
    told = map(happened, sorted({each["project"] for each in differences})[:2])
    assert last["unsettled"] == [], "these were not looked at"
    assert last["wrong"] == 0, "\n".join([f"{last['wrong']} sessions", *map(str, differences[:20]), *told])
    assert_right(collector, some, rules=mode.rules)
