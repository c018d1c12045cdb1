"""Many random worlds at once, each a project of its own: what one round through a collector costs, all of them share.

A round is one group of each world. What fails is told by world, with the groups in which it came.
"""

from __future__ import annotations

import itertools
import json
import logging
import re
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from sojourn import _native
from sojourn.testing import Collector
from tests.laws import comparing, log_worlds, worlds
from tests.laws.configured import USUAL
from tests.laws.log_worlds import Anything
from tests.laws.playing import Rows, Said, wanted_of
from tests.oracle import Rules

WORLDS = 25
"""Examples of one play."""
MOST = 4
"""Groups of one world."""
_PROJECTS = itertools.count(1)
_HAPPENED: dict[str, list[Any]] = {}
"""All that was sent and said, by project: what is found wrong may be of an earlier play."""

ANY = st.one_of(worlds.spans(), log_worlds.everything(), log_worlds.marked_worlds(), log_worlds.crossing_worlds())


def plays(share: int = 1) -> int:
    """How many plays make the examples that are asked for, and never less than 200: `share` plays of other modes count too."""
    return max(200, settings().max_examples) // WORLDS // share


@dataclass
class Side:
    """One world in its project."""

    project: str
    groups: list[list[Anything]] = field(repr=False)
    arrived: list[tuple[int, list[Anything]]] = field(default_factory=list, repr=False)
    """What was sent so far, and when."""
    said: list[Said] = field(default_factory=list)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis shows it; what went wrong is told with the worlds that differ."""
        printer.text(self.project)

    def wanted(self, now: int, rules: Rules = USUAL) -> Rows:
        return wanted_of(self.arrived, now, _native.digest, self.said, rules)


@st.composite
def sides(draw: st.DrawFn, world: st.SearchStrategy[list[Anything]]) -> list[Side]:
    return [placed(draw(worlds.deliveries(draw(world), MOST))) for _ in range(WORLDS)]


def placed(groups: Sequence[Sequence[Anything]]) -> Side:
    number = next(_PROJECTS)
    return Side(f"p{number}", [[log_worlds.placed_too(each, number) for each in group] for group in groups])


def rounds(some: list[Side]) -> int:
    return max(len(side.groups) for side in some)


def send_round(collector: Collector, some: list[Side], number: int) -> None:
    """One group of each world, in one request of each signal."""
    now = collector.clock.now()
    together = []
    for side in some:
        if number < len(side.groups):
            side.arrived.append((now, side.groups[number]))
            _HAPPENED.setdefault(side.project, []).append(((now - worlds.NOW) / worlds.SECOND, side.groups[number]))
            together += side.groups[number]
    for signal, body in log_worlds.requests(together) if together else ():
        collector.send(body, signal=signal)


def send_all(collector: Collector, some: list[Side], random: Random, between: Callable[[], None] = lambda: None) -> None:
    """All rounds; in between they settle, or not."""
    for number in range(rounds(some)):
        send_round(collector, some, number)
        if random.random() < 0.6:
            collector.settle()
        between()


def speak(collector: Collector, some: list[Side], random: Random, words: Sequence[str]) -> None:
    """People end some of the sessions that they see, name others, or delete them."""
    sql = "SELECT Project, SessionId FROM sessions WHERE Project IN {projects:Array(String)} ORDER BY Project, SessionId"
    seen = [tuple(row.values()) for row in collector.query(sql, {"projects": [side.project for side in some]})]
    for project, session in random.sample(seen, min(5, len(seen))):
        side, what = next(side for side in some if side.project == project), random.choice(words)
        name = random.choice(("Rome", "Orders")) if what == "name" else ""
        said = Said(project, session, collector.clock.now(), what, name, len(side.arrived))
        path = f"/sessions/{urllib.parse.quote(session, safe='')}{'' if what == 'delete' else f'/{what}'}?project={project}"
        body = json.dumps({"name": name}).encode() if name else b""
        method = "DELETE" if what == "delete" else "POST"
        address = f"http://{collector.endpoints['web']}{path}"
        asked = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=60) as answer:
            assert answer.status in (200, 204)
        side.said.append(said)
        _HAPPENED[project].append(said)


def assert_right(collector: Collector, some: list[Side], only: Callable[[Rows], Rows] = lambda rows: rows, rules: Rules = USUAL) -> None:
    """The views show what the oracle says of everything that was sent."""
    want: Rows = {}
    for side in some:
        want |= side.wanted(collector.clock.now(), rules)
    got = shown(collector, [side.project for side in some])
    assert_same(comparing.differences(only(got), only(as_shown(want))), some)


def assert_same(wrong: dict[Any, Any], some: list[Side]) -> None:
    """No differences; those of the first worlds that have some are told, with all that was sent there."""
    projects = sorted({key[2] for key in wrong})
    sent = {side.project: f"{side.project} {side.arrived}" for side in some}
    told = [
        (happened(project) if project in _HAPPENED else sent[project])
        + "".join(f"\n  {key[0]} {key[3:]}: got, want = {wrong[key]}" for key in wrong if key[2] == project)
        for project in projects[:2]
    ]
    assert not wrong, f"{len(projects)} of {len(some)} worlds differ: {projects}\n" + "\n".join(told)


def happened(project: str) -> str:
    """All that was sent and said there, with the seconds after `worlds.NOW`."""
    return f"{project} {_HAPPENED[project]}"


class _Found(logging.Handler):
    """What was found to be wrong of sessions that had ended, and mended."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())


_FOUND = _Found()
logging.getLogger("sojourn.processors.keeping").addHandler(_FOUND)


def found_wrong() -> str:
    """What the log says was wrong of sessions that had ended, with all that happened there."""
    projects = sorted({match[1] for line in _FOUND.told if (match := re.match("session /(p[0-9]+)/", line))})
    return "\n".join([*_FOUND.told[:20], *map(happened, projects[:2])])


_SHARED = ("Name", "UserId", "Status", *comparing.NUMBERS, *("Services", "Models", "Tools"))
_DURATIONS = ("WallNs", "ActiveNs", "TurnP50Ns", "TurnP95Ns")
_RECORDS = ("LogRecords", "LogErrors")
_TOLD = ("Metadata", "Measures", "Scores", *comparing.PREVIEWS)
_COLUMNS = {
    "trace": (*_SHARED, "OtherIds", "Turn", "Input", "Output", "Measures"),
    "segment": (*_SHARED, "NameSource", "State", "EndReason", "Traces", "Turns", *_RECORDS, *_DURATIONS, "Providers", "Tags", *_TOLD),
}
_COLUMNS["session"] = (*_COLUMNS["segment"], "Segments", "Alerts")
_KEYS = {"trace": ("TraceId",), "segment": ("Segment",), "session": ()}
_VIEWS = {"trace": "session_traces", "segment": "session_segments", "session": "sessions"}


def shown(collector: Collector, projects: list[str]) -> Rows:
    """Rows of the views in some projects: what people see."""
    found: dict[Any, Any] = {}
    for kind, view in _VIEWS.items():
        columns = ", ".join(dict.fromkeys(("Tenant", "Project", "SessionId", *_KEYS[kind], *_COLUMNS[kind], "Flags", "Cost")))
        for row in collector.query(f"SELECT {columns} FROM {view} WHERE Project IN {{projects:Array(String)}}", {"projects": projects}):
            flags = sorted(set(row["Flags"]) - comparing.NOT_COMPARED)
            cost = None if row["Cost"] is None else int(row["Cost"].scaleb(12))
            found[(kind, *comparing.key_of(row))] = {name: _plain(row[name]) for name in _COLUMNS[kind]} | {"Flags": flags, "Cost": cost}
    return found


def as_shown(rows: Rows) -> Rows:
    """The same columns of the oracle's rows."""
    found: dict[Any, Any] = {}
    for key, row in rows.items():
        found[key] = {name: row[name] for name in (*_COLUMNS[str(key[0])], "Flags") if name in row}
        if "Scores" in found[key]:
            found[key]["Scores"] = {name: {"Count": count, "Sum": total} for name, (count, total) in row["Scores"].items()}
        if "CostPico" in row:
            found[key]["Cost"] = None if row["CostPico"] < 0 else row["CostPico"]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Decimal):
        return int(value.scaleb(9))
    return sorted(value) if isinstance(value, (list, tuple)) else value
