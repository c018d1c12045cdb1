"""Conditions of alerts: `cost > 5`, `state == "active" and silent > 20m`. Python's own parser reads them; only what is named here passes.

A condition is worked out for many sessions at once. What is unknown (the cost of unpriced calls, a division by zero) makes every comparison
false.
"""

from __future__ import annotations

import ast
import difflib
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from math import inf, isfinite
from typing import Any, Final, Literal

import numpy as np

from sojourn.schema import SESSION_ROWS
from sojourn.sessions.lifecycle import REASONS, STATES

LONGEST: Final = 1000
"""Characters of a condition."""
_UNITS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9}
_DURATION: Final = r"(?<![\w.])(?:\d{1,12}(?:\.\d{1,9})?(?:ns|us|µs|ms|s|m|h|d))+(?![\w.])"
_TOKEN: Final = re.compile(rf"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|(?P<duration>{_DURATION})")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
_WORDS: Final = {"state": STATES, "status": ("ok", "error"), "end_reason": REASONS, "name_source": ("manual", "explicit", "derived")}

Kind = Literal["number", "duration", "silence", "text", "set", "truth"]
Columns = Callable[[str], Any]
"""Gives a column by its name in conditions: numbers and nanoseconds as float64, texts as objects, sets as lists of lists."""


_HIDDEN: Final = {
    *("Revision", "Version", "Deleted", "CostSources", "Collector", "Alerts"),
    *("FirstTrace", "LastTrace", "FirstPrompt", "LastAnswer", "Search"),
}


def _named() -> dict[str, tuple[Kind, str]]:
    found: dict[str, tuple[Kind, str]] = {}
    for column in SESSION_ROWS.columns:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.name).lower()
        if column.name in _HIDDEN:
            continue
        if column.name.endswith("Ns"):
            found[name.removesuffix("_ns")] = "duration", column.name
        elif column.type.startswith("UInt"):
            found[name] = "number", column.name
        elif column.type.startswith("Array"):
            found[name] = "set", column.name
        elif column.type.endswith(("String", "String)")):
            found[name] = "text", column.name
    return found


NAMES: Final[dict[str, tuple[Kind, str]]] = _named() | {
    "total_tokens": ("number", ""),
    "cost": ("number", ""),
    "idle": ("duration", ""),
    "silent": ("silence", ""),
}
"""What conditions may speak of: name → what it is, and the column of `session_rows` that says it ('' if it follows from several)."""


class BadCondition(ValueError):
    """`at` is the position of the mistake, from 1."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(f"is not a condition: character {at}: {message}")
        self.at = at


@dataclass(frozen=True, slots=True)
class Condition:
    text: str
    names: tuple[str, ...]
    """The columns that it speaks of, in order."""
    silences: tuple[int, ...]
    """Nanoseconds of silence after which it may become another one."""
    holds: Callable[[Columns], Any]
    """For which sessions it holds: an array of bool."""


@dataclass(frozen=True, slots=True)
class _Term:
    kind: Kind
    of: Callable[[Columns], Any]
    name: str = ""
    constant: Any = None


def parse(text: str) -> Condition:
    """Raises BadCondition."""
    return _Reading(text).condition()


def duration(text: str) -> float:
    """Nanoseconds of '1h30m'."""
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


class _Reading:
    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._names: dict[str, None] = {}
        self._silences: set[int] = set()
        self._durations: dict[int, float] = {}

    def condition(self) -> Condition:
        if len(self._text) > LONGEST:
            raise BadCondition(f"it is longer than {LONGEST} characters", LONGEST + 1)
        # `2h` is no Python: a name of the same length takes its place, so that all positions stay.
        plain = _TOKEN.sub(self._blanked, re.sub(r"\s", " ", self._text))
        try:
            tree = ast.parse(plain, mode="eval").body
        except SyntaxError as error:
            raise BadCondition("cannot be read from here", error.offset or len(self._text) + 1) from None
        except (ValueError, MemoryError, RecursionError):
            raise BadCondition("cannot be read", 1) from None
        try:
            term = self._term(tree)
        except RecursionError:
            raise BadCondition("too many parts inside each other", 1) from None
        if term.kind != "truth":
            raise self._bad(tree, f"{_a(term.kind)} is not a condition: compare it, such as cost > 5")
        return Condition(self._text, tuple(self._names), tuple(sorted(self._silences)), term.of)

    def _blanked(self, token: re.Match[str]) -> str:
        if token["duration"] is None:
            return token[0]
        self._durations[len(self._text[: token.start()].encode())] = duration(token[0])
        return "_" * len(token[0].encode())  # µ has two bytes, and positions are told in bytes

    def _bad(self, node: ast.expr, message: str) -> BadCondition:
        return BadCondition(message, len(self._text.encode()[: node.col_offset].decode(errors="ignore")) + 1)

    def _term(self, node: ast.expr) -> _Term:
        match node:
            case ast.Name():
                return self._name(node)
            case ast.Constant(value=bool() | None):
                raise self._bad(node, f"{node.value!r} is not known here")
            case ast.Constant(value=int() | float() as number):
                return _constant("number", float(min(number, 1e300)))
            case ast.Constant(value=str() as value):
                return _constant("text", value)
            case ast.BoolOp():
                return self._both(node)
            case ast.UnaryOp(op=ast.Not()):
                inner = self._truth(node.operand)
                return _Term("truth", lambda columns: np.logical_not(inner.of(columns)))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                return self._signed(node)
            case ast.BinOp():
                return self._sum(node)
            case ast.Compare():
                return self._compared(node)
        raise self._bad(node, "only comparisons, and, or, not, + - * / and columns may stand in a condition")

    def _name(self, node: ast.Name) -> _Term:
        if set(node.id) == {"_"} and node.col_offset in self._durations:
            return _constant("duration", self._durations[node.col_offset])
        if node.id not in NAMES:
            near = difflib.get_close_matches(node.id, NAMES, n=1)
            raise self._bad(node, f"there is no column {node.id}" + (f": did you mean {near[0]}?" if near else f": there are {_all()}"))
        self._names[node.id] = None
        return _Term(NAMES[node.id][0], lambda columns: columns(node.id), node.id)

    def _truth(self, node: ast.expr) -> _Term:
        term = self._term(node)
        if term.kind != "truth":
            raise self._bad(node, f"{_a(term.kind)} is neither true nor false: compare it, such as cost > 5")
        return term

    def _both(self, node: ast.BoolOp) -> _Term:
        parts = [self._truth(part) for part in node.values]
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return _Term("truth", lambda columns: reduce(join, [part.of(columns) for part in parts]))

    def _signed(self, node: ast.UnaryOp) -> _Term:
        inner = self._term(node.operand)
        if inner.kind not in ("number", "duration"):
            raise self._bad(node, f"{_a(inner.kind)} has no sign")
        sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
        constant = None if inner.constant is None else sign * inner.constant
        return _Term(inner.kind, lambda columns: sign * inner.of(columns), constant=constant)

    def _sum(self, node: ast.BinOp) -> _Term:
        how = _SUMS.get(type(node.op))
        if how is None:
            raise self._bad(node, "of arithmetic only + - * / may stand in a condition")
        left, right = self._term(node.left), self._term(node.right)
        kind = how[1].get((left.kind, right.kind))
        if kind is None:
            raise self._bad(node, f"{_a(left.kind)} {how[0]} {_a(right.kind)} means nothing")
        work = how[2]
        both = left.constant is not None and right.constant is not None
        constant = float(work(left.constant, right.constant)) if both else None
        return _Term(kind, lambda columns: work(left.of(columns), right.of(columns)), constant=constant)

    def _compared(self, node: ast.Compare) -> _Term:
        terms = [self._term(part) for part in (node.left, *node.comparators)]
        pairs = zip(terms, node.ops, terms[1:], node.comparators, strict=False)
        parts = [self._pair(left, op, right, place) for left, op, right, place in pairs]
        return _Term("truth", lambda columns: reduce(np.logical_and, [part(columns) for part in parts]))

    def _pair(self, left: _Term, op: ast.cmpop, right: _Term, place: ast.expr) -> Callable[[Columns], Any]:
        if isinstance(op, ast.In | ast.NotIn):
            return self._within(left, isinstance(op, ast.In), right, place)
        work = _COMPARES.get(type(op))
        if work is None:
            raise self._bad(place, "compare with < <= > >= == != or in")
        if "silence" in (left.kind, right.kind):
            other = right if left.kind == "silence" else left
            if other.kind != "duration" or not isfinite(other.constant or inf) or isinstance(op, ast.Eq | ast.NotEq):
                raise self._bad(place, "silent is compared with < or > to a duration, such as silent > 20m")
            self._silences.add(round(other.constant))
        elif left.kind != right.kind or left.kind in ("set", "truth"):
            hint = ": a duration has a unit, such as 2h" if {left.kind, right.kind} == {"number", "duration"} else ""
            raise self._bad(place, f"{_a(left.kind)} cannot be compared with {_a(right.kind)}{hint}")
        elif left.kind == "text":
            self._words(left, op, right, place)
        return lambda columns: work(left.of(columns), right.of(columns))

    def _words(self, left: _Term, op: ast.cmpop, right: _Term, place: ast.expr) -> None:
        if not isinstance(op, ast.Eq | ast.NotEq):
            raise self._bad(place, "texts are equal or not: compare with == or !=")
        for term, other in ((left, right), (right, left)):
            words = _WORDS.get(term.name)
            if words and other.constant is not None and other.constant not in words:
                raise self._bad(place, f"{term.name} is never {other.constant!r}: it is one of {', '.join(filter(None, words))}")

    def _within(self, left: _Term, wanted: bool, right: _Term, place: ast.expr) -> Callable[[Columns], Any]:
        if left.constant is None or left.kind != "text" or right.kind != "set":
            raise self._bad(place, 'write "text" in flags, services, models, providers, tools or tags')
        return lambda columns: np.array([(left.constant in row) == wanted for row in right.of(columns)], bool)


def _constant(kind: Kind, value: Any) -> _Term:
    return _Term(kind, lambda columns: value, constant=value)


def _a(kind: Kind) -> str:
    return {"silence": "silent", "truth": "a comparison"}.get(kind, f"a {kind}")


def _all() -> str:
    return ", ".join(sorted(NAMES))


def _divided(left: Any, right: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.equal(right, 0), np.nan, np.divide(left, right))


def _differ(left: Any, right: Any) -> Any:
    """What is unknown differs from nothing."""
    return (left != right) & (left == left) & (right == right)


_SAME: Final = {("number", "number"): "number", ("duration", "duration"): "duration"}
_SUMS: Final[dict[type[ast.operator], tuple[str, dict[tuple[str, str], Any], Callable[[Any, Any], Any]]]] = {
    ast.Add: ("+", _SAME, operator.add),
    ast.Sub: ("-", _SAME, operator.sub),
    ast.Mult: (
        "*",
        {("number", "number"): "number", ("duration", "number"): "duration", ("number", "duration"): "duration"},
        operator.mul,
    ),
    ast.Div: ("/", {("number", "number"): "number", ("duration", "number"): "duration", ("duration", "duration"): "number"}, _divided),
}
_COMPARES: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: _differ,
}
