"""A Bloom filter: answers 'certainly not' from little memory, and 'maybe' otherwise."""

from __future__ import annotations

from typing import Final

import numpy as np

from sojourn.sessions.packed import U64, Mask

_MIX: Final = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)
"""Four odd multipliers: the places of a number are the upper bits of its products."""


class Bloom:
    """Of numbers whose low bits differ, uint64. With ten places per number, one in a hundred that were never added is a 'maybe'."""

    def __init__(self, bits: int) -> None:
        """2^bits places."""
        self._shift = np.uint64(64 - bits)
        self._places = np.zeros(1 << bits - 3, np.uint8)

    def add(self, numbers: U64) -> None:
        for mix in _MIX:
            at = (numbers * mix) >> self._shift
            byte, bit = at >> np.uint64(3), np.uint8(1) << (at & np.uint64(7)).astype(np.uint8)
            while len(byte):  # of numbers that share a byte one wins, and the others come again; half the time of np.bitwise_or.at
                self._places[byte] |= bit
                lost = (self._places.take(byte) & bit) == 0
                byte, bit = byte.compress(lost), bit.compress(lost)

    def maybe(self, numbers: U64) -> Mask:
        inside = np.ones(len(numbers), bool)
        for mix in _MIX:
            at = (numbers * mix) >> self._shift
            inside &= (self._places.take(at >> np.uint64(3)) >> (at & np.uint64(7)).astype(np.uint8) & 1) == 1
        return inside
