"""New trace rows of large sessions, which wait until these are folded again: once a second at most, or a session that grows by single
traces would cost its square."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from sojourn.sessions.gather import Pile, part, pile
from sojourn.sessions.lifecycle import I64, SECOND
from sojourn.sessions.live import Known
from sojourn.sessions.order import where
from sojourn.sessions.packed import U64, Index, Mask

LARGE: Final = 1000
"""Sessions with more known rows than this wait."""
PER_ROW: Final = 20_000
"""Nanoseconds by which the pause between two folds of such a session grows with each of its rows: a fold takes 300 for each."""


@dataclass(frozen=True, slots=True)
class Aside:
    """New rows of large sessions, to be kept with the commit."""

    keys: U64
    until: I64
    piles: list[Pile]


class Waiting:
    def __init__(self) -> None:
        self._rows: dict[int, list[Pile]] = {}
        self.over = False
        """Whether nobody has to wait any more, since nothing follows."""

    def __contains__(self, key: int) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        """Rows."""
        return sum(len(one.rows) for piles in self._rows.values() for one in piles)

    def must(self, keys: U64, before: Known, number: Index, now: int) -> Mask:
        """Large sessions that were folded a moment ago, unless what waits is a good part of them. `number` says whose each new row is."""
        if self.over:
            return np.zeros(len(keys), bool)
        rows = before.rows.astype(np.int64)
        waiting = np.bincount(number, minlength=len(keys))
        if self._rows:
            waiting += np.array([sum(len(one.rows) for one in self._rows.get(key, ())) for key in keys.tolist()], np.int64)
        return (rows > LARGE) & (now - before.folded < _pause(rows)) & (waiting <= np.maximum(rows // 4, LARGE))

    def aside(self, keys: U64, before: Known, came: Pile, which: Index) -> Aside:
        """The new rows of these of the sessions."""
        until = before.folded.take(which) + _pause(before.rows.take(which).astype(np.int64))
        return Aside(keys.take(which), until, [part(came, where(came.session == number)) for number in which.tolist()])

    def of(self, keys: U64, asides: list[Aside]) -> Pile:
        """The rows of these sessions that wait, or were set aside since the last commit."""
        if not self._rows and not asides:
            return pile()
        found = [(number, one) for number, key in enumerate(keys.tolist()) for one in self._rows.get(key, ())]
        place = {key: number for number, key in enumerate(keys.tolist())} if asides else {}
        for aside in asides:
            found += [(place[key], one) for key, one in zip(aside.keys.tolist(), aside.piles, strict=True) if key in place]
        return pile(*(Pile(one.rows, np.full(len(one.rows), number), one.facets, one.row) for number, one in found))

    def due(self) -> U64:
        """Sessions that wait in vain."""
        return np.fromiter(self._rows, np.uint64, len(self._rows)) if self.over else np.empty(0, np.uint64)

    def keep(self, aside: Aside) -> None:
        for key, one in zip(aside.keys.tolist(), aside.piles, strict=True):
            self._rows.setdefault(key, []).append(one)

    def forget(self, keys: Iterable[int]) -> None:
        """These were folded with all that waited."""
        if self._rows:
            for key in keys:
                self._rows.pop(key, None)


def concerns(sessions: Known) -> bool:
    """Whether any of them is large."""
    return bool(sessions.rows.max(initial=0) > LARGE)


def _pause(rows: I64) -> I64:
    return np.maximum(rows * PER_ROW, SECOND)
