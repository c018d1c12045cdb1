"""`POST /rebuild`: sessions folded again from their stored spans, some at a time, with a line of JSON for each step."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sojourn.errors import SojournError
from sojourn.sessions.names import Key
from sojourn.sessions.requests import Difference, Refold
from sojourn.web import parameters
from sojourn.web.changing import Ask
from sojourn.web.parameters import BadParameter
from sojourn.web.reading import Reading

_MOST: Final = 1_000_000
_IDS: Final = 10_000
_SESSIONS, _TRACES = 100, 2_000
"""How many are folded between two groups, at most: they must not wait long."""
_PATIENCE: Final = 120.0
_ROUNDS: Final = 5
_PAUSE: Final = 1.0
"""Seconds until what was unsettled is looked at again: a tick of the lane."""
_DIFFERENCES: Final = 1_000


@dataclass(slots=True)
class _Progress:
    total: int
    check: bool
    reprice: bool
    done: int = 0
    wrong: int = 0
    told: int = 0
    later: list[Key] = field(default_factory=list)

    def line(self, **more: object) -> bytes:
        return _line({"done": self.done, "total": self.total, "wrong": self.wrong, "check": self.check, **more})


def rebuild(reading: Reading, ask: Ask, values: Mapping[str, Any], now: int) -> Iterator[bytes]:
    """Lines of JSON: progress, differences, and at the end one with `finished`. Raises BadParameter before the first."""
    asked = {name: values.get(name, False) for name in ("check", "reprice")}
    for name, value in asked.items():
        if not isinstance(value, bool):
            raise BadParameter(f"{name}: is neither true nor false")
    sessions = _sessions(reading, values, now)
    return _steps(ask, sessions, asked["check"], asked["reprice"])


def _sessions(reading: Reading, values: Mapping[str, Any], now: int) -> list[tuple[Key, int]]:
    """The sessions that are meant, with their number of traces."""
    if unknown := sorted(values.keys() - {"sessions", "since", "check", "project", "reprice"}):
        raise BadParameter(f"{unknown[0][:80]}: is not known here: use sessions, since, project, check and reprice")
    given: set[str] = set()
    bound: dict[str, object] = {}
    for name, kind in (("since", str), ("project", str), ("sessions", list)):
        if not isinstance(values.get(name, kind()), kind):
            raise BadParameter(f"{name}: is not {'a list of session ids' if kind is list else 'a text'}")
    if values.get("since"):
        given.add("since")
        bound["since"] = parameters.parse_time("since", values["since"], now)
    if "project" in values:
        given.add("project")
        bound["project"] = values["project"]
    ids = values.get("sessions", [])
    if len(ids) > _IDS or not all(isinstance(each, str) for each in ids):
        raise BadParameter(f"sessions: is not a list of at most {_IDS} session ids")
    if ids:
        given.add("ids")
        bound["ids"] = ids
    rows = reading.rows("rebuild", given, tenant=reading.tenant, limit=_MOST, **bound)
    return [((reading.tenant, row["project"], row["session_id"]), row["traces"]) for row in rows]


def _steps(ask: Ask, sessions: Sequence[tuple[Key, int]], check: bool, reprice: bool) -> Iterator[bytes]:
    progress = _Progress(len(sessions), check, reprice)
    traces = dict(sessions)
    yield progress.line()
    todo: list[Key] = list(traces)
    try:
        for left in reversed(range(_ROUNDS)):
            for keys in _portions(todo, traces):
                yield from _step(ask, progress, keys)
            if not progress.later or not left:
                break
            todo, progress.later = progress.later, []
            time.sleep(_PAUSE)
    except SojournError as error:
        yield _line({"error": str(error)})
        return
    yield progress.line(finished=True, unsettled=[{"project": project, "session_id": session} for _, project, session in progress.later])


def _portions(keys: Sequence[Key], traces: Mapping[Key, int]) -> Iterator[list[Key]]:
    some: list[Key] = []
    size = 0
    for key in keys:
        if some and (len(some) == _SESSIONS or size + traces[key] > _TRACES):
            yield some
            some, size = [], 0
        some.append(key)
        size += traces[key]
    if some:
        yield some


def _step(ask: Ask, progress: _Progress, keys: list[Key]) -> Iterator[bytes]:
    request = Refold(keys, progress.check, reprice=progress.reprice)
    ask(request, _PATIENCE)
    progress.later += request.later
    progress.done += len(keys) - len(request.later)
    progress.wrong += len(request.wrong)
    for each in request.differences:
        if progress.told < _DIFFERENCES:
            progress.told += 1
            yield _line({"difference": _told(each)})
    yield progress.line()


def _told(each: Difference) -> dict[str, object]:
    _, project, session = each.key
    of = {"project": project, "session_id": session, "table": each.table, "row": each.row, "column": each.column}
    return of | {"stored": each.stored, "found": each.found}


def _line(values: Mapping[str, object]) -> bytes:
    return json.dumps(values, ensure_ascii=False, default=str, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
