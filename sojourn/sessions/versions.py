"""Versions of derived rows: of the rows of one thing the greatest counts, so each must be greater than all before it."""

from __future__ import annotations


class Versions:
    """Microseconds since 1970, or one more than the last where the clock stood still or went back."""

    def __init__(self, last: int = 0) -> None:
        """`last` is the greatest version that is stored."""
        self._last = last

    def next(self, now: int) -> int:
        """A version for rows that are made at `now` (ns since 1970)."""
        self._last = max(now // 1000, self._last + 1)
        return self._last
