"""Which sessions, or traces, were ever stored? Answers 'certainly not' from memory of a fixed size, and 'maybe' otherwise."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from sojourn.sessions.bloom import Bloom
from sojourn.sessions.packed import U64, Mask

EXACT: Final = 8_000_000
"""Things that are told apart by four bytes each; more than these go into a filter."""
BITS: Final = 29
"""Places of the filter, as a power of two: 64 MiB. Of 50 million things it takes one new one in a hundred for known, of 200 million one
in three: that costs questions to the database, and nothing else."""
_TURN: Final = 1 << 16


class Stored:
    """What says yes of something that never was costs one question more; what was stored is never denied."""

    def __init__(self, exact: int = EXACT, bits: int = BITS) -> None:
        self._exact, self._bits = exact, bits
        self._prints = np.zeros(0, np.uint32)
        self._recent: set[int] = set()
        self._filter: Bloom | None = None
        self._in_filter = 0

    def include(self, digests: U64) -> None:
        """Many at once: 64-bit digests of their names."""
        self._include(np.unique(_short(digests)))

    def add(self, digests: U64) -> None:
        """Some more, now and then."""
        self._recent.update(_short(digests).tolist())
        if len(self._recent) >= _TURN:
            recent = np.fromiter(self._recent, np.uint32, len(self._recent))
            self._recent.clear()
            self._include(np.sort(recent))

    def maybe(self, digests: U64) -> Mask:
        short = _short(digests)
        known = self._filter.maybe(_wide(short)) if self._filter is not None else self._among(short)
        recent = self._recent
        if recent:
            known |= np.fromiter((each in recent for each in short.tolist()), bool, len(short))
        return known

    def _include(self, short: npt.NDArray[np.uint32]) -> None:
        """These, sorted and each once."""
        if self._filter is None:
            self._prints = np.union1d(self._prints, short) if len(self._prints) else short
            if len(self._prints) <= self._exact:
                return
            self._filter = Bloom(self._bits)
            short, self._prints = self._prints, np.zeros(0, np.uint32)
        self._in_filter += len(short)
        self._filter.add(_wide(short))

    def _among(self, short: npt.NDArray[np.uint32]) -> Mask:
        at = np.searchsorted(self._prints, short)
        known = np.zeros(len(short), bool)
        inside = at < len(self._prints)
        known[inside] = self._prints[at[inside]] == short[inside]
        return known

    def __len__(self) -> int:
        """How many they are; those in the filter count once for each time they were added."""
        return len(self._prints) + len(self._recent) + self._in_filter


def _short(digests: U64) -> npt.NDArray[np.uint32]:
    return (digests >> np.uint64(32)).astype(np.uint32)


def _wide(short: npt.NDArray[np.uint32]) -> U64:
    return short.astype(np.uint64) + np.uint64(1)
