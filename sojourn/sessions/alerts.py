"""Which alerts fire for which sessions, and which of them are new: an alert fires once, and again only after it had cleared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.sessions.answer import Answer
from sojourn.sessions.conditions import NAMES, Condition
from sojourn.sessions.lifecycle import NEVER, silence
from sojourn.sessions.order import where
from sojourn.sessions.packed import U64, numbers, offsets
from sojourn.sessions.records import Told

I64 = npt.NDArray[np.int64]
MOST: Final = 60
"""Alerts of one lifecycle: which of them fire for a session is remembered as the bits of one number."""
_PICO: Final = 1e12


@dataclass(frozen=True, slots=True)
class Alert:
    name: str
    condition: Condition
    severity: str
    receivers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Firing:
    """What the alerts say of some sessions; arrays with one element for each."""

    now: U64
    """Bits of the alerts that fire."""
    new: U64
    """Bits of those that did not fire before."""
    values: Callable[[int, int], str]
    """What the condition of an alert is about, by the numbers of the alert and the session: `cost=5.2, errors=3`."""


class Alerts:
    def __init__(self, alerts: Sequence[Alert] = ()) -> None:
        self.all = tuple(alerts)
        self._silences = sorted({length for alert in self.all for length in alert.condition.silences})
        self._bit = {alert.name: np.uint64(1 << number) for number, alert in enumerate(self.all)}

    def __bool__(self) -> bool:
        return bool(self.all)

    @property
    def longest_silence(self) -> int:
        """After how long a silence nothing changes any more, ns; 0 if no alert asks for silence."""
        return self._silences[-1] + 1 if self._silences else 0

    def firing(self, answer: Answer, told: Told, before: U64, now: int) -> Firing:
        """What they say of the sessions of an answer. `before` are the bits that were told of each session number."""
        columns = Columns(answer, told, now)
        bits = np.zeros(columns.count, np.uint64)
        for number, alert in enumerate(self.all):
            holds = np.broadcast_to(np.asarray(alert.condition.holds(columns), bool), columns.count)
            bits |= holds.astype(np.uint64) << np.uint64(number)
        return Firing(bits, bits & ~before, lambda alert, row: columns.say(self.all[alert].condition.names, row))

    def due(self, heard: I64, now: int) -> I64:
        """When silence may make another alert fire, by when each session was heard last; NEVER if it cannot."""
        out = np.full(len(heard), NEVER)
        for length in reversed(self._silences):
            at = heard + length + 1  # `silent > 20m` holds one nanosecond later
            out = np.where(at > now, at, out)
        return out

    def names(self, bits: U64) -> pa.Array:
        """The names of the alerts that fire, as lists."""
        counts, rows, found = np.zeros(len(bits), np.int64), [np.empty(0, np.intp)], [np.empty(0, np.int8)]
        for number in range(len(self.all)):
            mine = where(bits & np.uint64(1 << number))
            counts[mine] += 1
            rows.append(mine)
            found.append(np.full(len(mine), number, np.int8))
        said = np.concatenate(found).take(np.argsort(np.concatenate(rows), kind="stable"))
        words = pa.array([alert.name for alert in self.all], pa.string())
        return pa.ListArray.from_arrays(numbers(offsets(counts)), pa.DictionaryArray.from_arrays(numbers(said), words, safe=False))

    def bits(self, names: Sequence[Sequence[str]]) -> U64:
        """The other way. Names of alerts that are configured no more say nothing."""
        nothing = np.uint64(0)
        out = np.zeros(len(names), np.uint64)
        for row in where(np.fromiter(map(len, names), np.int64, len(names))).tolist():
            for name in names[row]:
                out[row] |= self._bit.get(name, nothing)
        return out


class Columns:
    """Columns of the sessions of an answer by their names in conditions. Each is made when it is first asked for."""

    def __init__(self, answer: Answer, told: Told, now: int) -> None:
        self._answer, self._told, self._now = answer, told, now
        self._part = answer.sessions
        self._made: dict[str, Any] = {}
        self.count = len(answer.session[self._part])

    def __call__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def say(self, names: Sequence[str], row: int) -> str:
        return ", ".join(f"{name}={_shown(name, self(name)[row])}" for name in names)

    def _make(self, name: str) -> Any:
        if name == "total_tokens":
            return self._number("InputTokens") + self._number("OutputTokens")
        if name == "cost":
            pico = self._number("CostPico")
            return np.where(pico < 0, np.nan, pico / _PICO)
        if name == "idle":
            return self._number("WallNs") - self._number("ActiveNs")
        if name == "silent":
            summary = self._answer.summary
            return silence(summary.arrival[self._part], summary.end[self._part], self._now).astype(np.float64)
        kind, column = NAMES[name]
        if kind in ("number", "duration"):
            return self._number(column)
        values = self._slice(column).to_pylist()
        if kind == "set":
            return values
        out = np.empty(len(values), object)
        out[:] = values
        return out

    def _number(self, column: str) -> npt.NDArray[np.float64]:
        return np.asarray(self._slice(column)).astype(np.float64)

    def _slice(self, column: str) -> pa.Array:
        part = self._part
        return self._told.columns[column][part.start : part.stop]


def _shown(name: str, value: Any) -> str:
    kind = NAMES[name][0]
    if kind == "text":
        return str(value or "")[:200]
    if kind == "set":
        return f"[{', '.join(sorted(map(str, value)))[:200]}]"
    if not np.isfinite(value):
        return "unknown"
    return f"{value / 1e9:.3f}".rstrip("0").rstrip(".") + "s" if kind in ("duration", "silence") else f"{value:.12g}"
