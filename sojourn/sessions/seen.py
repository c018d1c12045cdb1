"""Which traces may have been stored before? Answers 'certainly not' from little memory, and 'maybe' otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sojourn.sessions.bloom import Bloom
from sojourn.sessions.packed import U64, Mask
from sojourn.sessions.stored import Stored

BITS = 26
CAPACITY = 5_000_000
"""Traces in one filter of 2^BITS bits (8 MiB): one false 'maybe' in a hundred at most."""
MARGIN = 600_000_000_000
"""How far senders' clocks may run ahead, ns: the default of lifecycle's max_future_skew."""


class Seen:
    """The traces that were stored when this life began, those that were forgotten since, in filters of two generations, and the time
    before which nothing is known at all.

    `horizon` is the newest arrival (ns since 1970) of anything stored that is in none of them; None if there is nothing of the kind. A
    trace whose root began well after the horizon cannot have been stored before it.
    """

    def __init__(self, horizon: int | None) -> None:
        self.horizon = horizon
        self._stored = Stored()
        self._young, self._old = Bloom(BITS), Bloom(BITS)
        self._count = [0, 0]
        self._newest = (0, 0)

    def include(self, ids: U64) -> None:
        """These traces (hashes of their ids) were stored in an earlier life."""
        self._stored.include(ids)

    def forget(self, ids: U64, newest: int) -> None:
        """These traces (hashes of their ids) are remembered in the database only; `newest` is the last arrival of any."""
        if self._count[0] + len(ids) > CAPACITY:
            if self._count[1]:
                self.horizon = max(self.horizon or 0, self._newest[0])
            self._old, self._young = self._young, Bloom(BITS)
            self._count, self._newest = [0, self._count[0]], (self._newest[1], 0)
        self._young.add(ids)
        self._count[0] += len(ids)
        self._newest = (self._newest[0], max(self._newest[1], newest))

    def maybe(self, ids: U64, root_start: npt.NDArray[np.int64]) -> Mask:
        """Which traces may be stored already. `root_start` is the start of the trace's root where it is known, else -1."""
        told = self._young.maybe(ids) | self._stored.maybe(ids)
        if self._count[1]:
            told |= self._old.maybe(ids)
        if self.horizon is not None:
            told |= root_start <= self.horizon + MARGIN
        return told
