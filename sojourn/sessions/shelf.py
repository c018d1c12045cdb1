"""What was touched lately, bounded in bytes: two generations, of which the older one is dropped whole.

Readers never change it. What a group produced is put only when the group is committed, so a group that came to nothing leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

OVERHEAD = 300
"""Bytes that an entry costs beside its content: key, tuple and dict slot, measured on CPython 3.11."""


class Shelf(Generic[K, V]):
    """Values by key. `dropped` is told the entries of a generation that is forgotten."""

    def __init__(self, budget: int, dropped: Callable[[Mapping[K, V]], None] | None = None) -> None:
        self._half = budget // 2
        self._dropped = dropped
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._bytes = 0
        """Bytes put into the young generation. Replaced values count too: their content lies in blocks that others may still need."""

    def get(self, keys: list[K]) -> list[V | None]:
        """The value of each key, None where there is none."""
        found = list(map(self._young.get, keys))
        if not self._old or None not in found:
            return found
        older = map(self._old.get, keys)
        if not any(found):
            return list(older)
        return [old if value is None else value for value, old in zip(found, older, strict=True)]

    def put(self, values: Mapping[K, V], size: int) -> None:
        """Keep these, with `size` bytes of content in all; the older generation goes when the younger holds half of the budget."""
        self._young.update(values)
        self._bytes += size + OVERHEAD * len(values)
        if self._bytes > self._half:
            gone = {key: value for key, value in self._old.items() if key not in self._young}
            self._old, self._young, self._bytes = self._young, {}, 0
            if gone and self._dropped:
                self._dropped(gone)
