"""Which traces may have been stored before? Answers 'certainly not' from little memory, and 'maybe' otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sojourn.sessions.packed import U64, Mask

BITS = 26
PROBES = 4
CAPACITY = 5_000_000
"""Traces in one filter of 2^BITS bits (8 MiB): one false 'maybe' in a hundred at most."""
MARGIN = 600_000_000_000
"""How far senders' clocks may run ahead, ns: the default of lifecycle's max_future_skew."""
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)


class Seen:
    """The traces that were forgotten, in a Bloom filter of two generations, and the time before which nothing is known at all.

    `horizon` is the newest arrival (ns since 1970) of anything stored that the filter does not cover: at the start, of what the database
    holds. A trace whose root began well after the horizon cannot have been stored before it.
    """

    def __init__(self, horizon: int | None) -> None:
        self.horizon = horizon
        self._young = np.zeros(1 << BITS - 3, np.uint8)
        self._old: npt.NDArray[np.uint8] | None = None
        self._count = 0
        self._newest = (0, 0)

    def forget(self, ids: U64, newest: int) -> None:
        """These traces (hashes of their ids) are remembered in the database only; `newest` is the last arrival of any."""
        if self._count + len(ids) > CAPACITY:
            if self._old is not None:
                self.horizon = max(self.horizon or 0, self._newest[0])
            self._old, self._young = self._young, np.zeros_like(self._young)
            self._count, self._newest = 0, (self._newest[1], 0)
        for at in self._places(ids):
            np.bitwise_or.at(self._young, at >> np.uint64(3), np.uint8(1) << (at & np.uint64(7)).astype(np.uint8))
        self._count += len(ids)
        self._newest = (self._newest[0], max(self._newest[1], newest))

    def maybe(self, ids: U64, root_start: npt.NDArray[np.int64]) -> Mask:
        """Which traces may be stored already. `root_start` is the start of the trace's root where it is known, else -1."""
        told = self._in(self._young, ids)
        if self._old is not None:
            told |= self._in(self._old, ids)
        if self.horizon is not None:
            told |= root_start <= self.horizon + MARGIN
        return told

    def _in(self, bits: npt.NDArray[np.uint8], ids: U64) -> Mask:
        inside = np.ones(len(ids), bool)
        for at in self._places(ids):
            inside &= (bits.take(at >> np.uint64(3)) >> (at & np.uint64(7)).astype(np.uint8) & 1) == 1
        return inside

    def _places(self, ids: U64) -> list[U64]:
        return [(ids * mix) >> np.uint64(64 - BITS) for mix in _MIX]
