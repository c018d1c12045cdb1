"""What was touched lately, bounded in bytes: two generations, of which the older one is dropped whole.

Readers never change it. What a group produced is put only when the group is committed, so a group that came to nothing leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

OVERHEAD = 250
"""Bytes that an entry costs beside its content: key, tuple and dict slot, measured on CPython 3.11."""


class Shelf(Generic[K, V]):
    """Values by key. `size` gives the bytes of a value; `dropped` is told the keys of a generation that is forgotten."""

    def __init__(self, budget: int, size: Callable[[V], int], dropped: Callable[[Mapping[K, V]], None] | None = None) -> None:
        self._budget = budget
        self._size = size
        self._dropped = dropped
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._bytes = 0
        """Bytes put into the young generation. Replaced values count too: they may be slices that keep the memory of a whole group."""

    def get(self, key: K) -> V | None:
        value = self._young.get(key)
        return self._old.get(key) if value is None else value

    def put(self, values: Mapping[K, V]) -> None:
        """Keep these, the newest; forget the older generation when the younger one holds half of the budget."""
        self._young.update(values)
        self._bytes += sum(map(self._size, values.values())) + OVERHEAD * len(values)
        if self._bytes > self._budget // 2:
            self._turn()

    def remove(self, key: K) -> None:
        self._young.pop(key, None)
        self._old.pop(key, None)

    def _turn(self) -> None:
        gone = {key: value for key, value in self._old.items() if key not in self._young}
        self._old, self._young, self._bytes = self._young, {}, 0
        if gone and self._dropped:
            self._dropped(gone)

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    @property
    def bytes(self) -> int:
        """About how much is held."""
        return sum(map(self._size, self._young.values())) + sum(map(self._size, self._old.values())) + OVERHEAD * len(self)
