"""Sessions of groups that came to nothing, perhaps when some of their rows were stored already: what is remembered of them is not to be
believed until they were told again from what is stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from sojourn.sessions.names import Key
from sojourn.sessions.packed import U64, Mask

MOST_DOUBTS: Final = 100_000
"""Only a database that refuses and refuses makes so many; the oldest go."""


class Doubts:
    def __init__(self) -> None:
        self._of: dict[int, tuple[Key, int]] = {}
        """By the hash of the session: its key, and how many segments may have rows."""

    def add(self, told: Iterable[tuple[int, Key, int]]) -> None:
        """Sessions with the segments that were about to be told."""
        self._of |= {code: (key, max(self._segments(code), segments)) for code, key, segments in told}
        for code in list(self._of)[: max(len(self._of) - MOST_DOUBTS, 0)]:
            del self._of[code]

    def forget(self, codes: Iterable[int]) -> None:
        for code in codes if self._of else ():
            self._of.pop(code, None)

    def first(self, most: int) -> list[Key]:
        return [key for key, _ in list(self._of.values())[:most]]

    def among(self, codes: U64) -> Mask:
        return np.array([code in self._of for code in codes.tolist()], bool) if self._of else np.zeros(len(codes), bool)

    def segments(self, codes: U64, known: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """How many segments of each of these sessions may have rows, of which `known` were told."""
        if not self._of:
            return known
        return np.maximum(known, np.array([self._segments(code) for code in codes.tolist()], np.uint32))

    def _segments(self, code: int) -> int:
        return self._of[code][1] if code in self._of else 0
