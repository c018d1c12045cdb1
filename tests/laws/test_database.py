"""The whole collector: random spans over HTTP into the embedded database, read back through the views.

Once as it is built in, and once with so little memory that everything is forgotten and read back.
"""

from __future__ import annotations

import itertools
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sojourn import _native
from sojourn.testing import Collector, run
from tests.laws import comparing, log_worlds, worlds
from tests.laws.playing import Rows, wanted

pytestmark = pytest.mark.laws

_NUMBERS = itertools.count(1)


FORGETFUL = ("processors.aggregate.memory=1KiB", "processors.lifecycle.memory=1KiB")


@pytest.fixture(scope="module", params=[(), FORGETFUL], ids=["remembering", "forgetful"])
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    """One collector for all examples: each of them is a project of its own."""
    with run(settings=request.param, now=worlds.NOW) as collector:
        yield collector


# Every example costs a second here: what fails is shown as it is, and made small by the other tests of the laws.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


@settings(max_examples=max(5, settings().max_examples // 6), phases=PHASES)
@given(data=st.data())
def test_law_1_order_batches_and_repetition_change_nothing(collector: Collector, data: st.DataObject) -> None:
    project = next(_NUMBERS)
    world = [worlds.placed(sent, project) for sent in data.draw(worlds.spans())]
    deliveries = data.draw(worlds.deliveries(world))
    for at, group in enumerate(deliveries):
        send(collector, worlds.request(group))
        if at % 2:
            collector.settle()
    assert comparing.differences(shown(collector, f"p{project}"), _shown(wanted(world, 0, _native.digest))) == {}


@settings(max_examples=max(5, settings().max_examples // 6), phases=PHASES)
@given(data=st.data())
def test_law_1_order_of_signals_changes_nothing(collector: Collector, data: st.DataObject) -> None:
    project = next(_NUMBERS)
    world = [log_worlds.placed_too(each, project) for each in data.draw(st.one_of(log_worlds.everything(), log_worlds.marked_worlds()))]
    for at, group in enumerate(data.draw(worlds.deliveries(world))):
        for signal, body in log_worlds.requests(group):
            send(collector, body, signal)
        if at % 2:
            collector.settle()
    want = _shown(wanted(world, 0, _native.digest))
    assert comparing.differences(shown(collector, f"p{project}"), want) == {}


def send(collector: Collector, body: bytes, signal: str = "traces") -> None:
    address = f"http://{collector.endpoints['otlp_http']}/v1/{signal}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(urllib.request.Request(address, body, {"Content-Type": "application/x-protobuf"}), timeout=30) as answer:
        assert answer.status == 200


_SHARED = ("Name", "UserId", "Status", *comparing.NUMBERS, *("Services", "Models", "Tools"))
_DURATIONS = ("WallNs", "ActiveNs", "TurnP50Ns", "TurnP95Ns")
_RECORDS = ("LogRecords", "LogErrors")
_COLUMNS = {
    "trace": (*_SHARED, "OtherIds", "Turn", "Input", "Output"),
    "segment": (*_SHARED, "NameSource", "State", "EndReason", "Traces", "Turns", *_RECORDS, *_DURATIONS, "Providers", "Tags"),
}
_COLUMNS["session"] = (*_COLUMNS["segment"], "Segments")
_VIEWS = {"trace": "session_traces", "segment": "session_segments", "session": "sessions"}


def shown(collector: Collector, project: str) -> Rows:
    """Rows of the views in a project: what people see."""
    found: dict[Any, Any] = {}
    for kind, view in _VIEWS.items():
        for row in collector.query(f"SELECT * FROM {view} WHERE Project = {{project:String}}", {"project": project}):
            flags = sorted(set(row["Flags"]) - comparing.NOT_COMPARED)
            cost = None if row["Cost"] is None else int(row["Cost"].scaleb(12))
            found[(kind, *comparing.key_of(row))] = {name: _plain(row[name]) for name in _COLUMNS[kind]} | {"Flags": flags, "Cost": cost}
    return found


def _shown(rows: Rows) -> Rows:
    """The same columns of the oracle's rows."""
    found: dict[Any, Any] = {}
    for key, row in rows.items():
        found[key] = {name: row[name] for name in (*_COLUMNS[str(key[0])], "Flags") if name in row}
        if "CostPico" in row:
            found[key]["Cost"] = None if row["CostPico"] < 0 else row["CostPico"]
    return found


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, (list, tuple)) else value
