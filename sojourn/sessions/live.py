"""Sessions that have not ended, as columns, and which sessions were ever stored: what the lifecycle has to remember, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern
from typing import Final

import numpy as np
import numpy.typing as npt

from sojourn.sessions.kept import NOTHING, Kept
from sojourn.sessions.lifecycle import NEVER
from sojourn.sessions.order import where
from sojourn.sessions.packed import U64, Index, Mask

I64 = npt.NDArray[np.int64]


@dataclass(slots=True)
class Known:
    """What was last told of some sessions; arrays of one length."""

    segments: npt.NDArray[np.uint32]
    """How many were told; 0 for a session of which nothing was."""
    state: npt.NDArray[np.uint8]
    revision: U64
    heard: I64
    """Last arrival or last end, whichever is later, ns since 1970."""
    folded: I64
    """When its rows were last folded, ns since 1970."""
    deadline: I64
    """When something is due, ns since 1970; NEVER for a session that has ended."""

    @classmethod
    def nothing(cls, count: int) -> Known:
        return cls(
            np.zeros(count, np.uint32),
            np.zeros(count, np.uint8),
            np.zeros(count, np.uint64),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.full(count, NEVER, np.int64),
        )

    def columns(self) -> tuple[npt.NDArray[np.generic], ...]:
        return self.segments, self.state, self.revision, self.heard, self.folded, self.deadline

    def take(self, which: Index | Mask) -> Known:
        return Known(*(column[which] for column in self.columns()))  # type: ignore[arg-type]

    def put(self, which: Index, other: Known) -> None:
        for column, values in zip(self.columns(), other.columns(), strict=True):
            column[which] = values


Key = tuple[str, str, str]
"""Tenant, project and session id."""

_NOBODY: Final[Key] = ("", "", "")


class Live:
    """The sessions that have not ended, by the hash of their key: 0.3 KB each, and the trace rows of those that were heard of lately.

    What is remembered of a session never goes before it ends; its trace rows may, and are read back from the database when they are needed.
    """

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._keys: list[int] = []
        self._names: list[Key] = []
        self._kept: list[Kept] = []
        self._known = Known.nothing(1024)
        self._sizes = np.zeros(1024, np.int64)
        self.bytes = 0
        """Bytes of all trace rows held."""

    def find(self, keys: list[int]) -> Index:
        """Where sessions are; -1 for those that are not here."""
        slots = self._slots
        return np.fromiter((slots.get(key, -1) for key in keys), np.intp, len(keys))

    def known(self, slots: Index) -> Known:
        """What is known of them; nothing for slot -1."""
        known = self._known.take(np.maximum(slots, 0))
        absent = where(slots < 0)
        if len(absent):
            known.put(absent, Known.nothing(len(absent)))
        return known

    def kept(self, slots: Index) -> list[Kept]:
        """Their trace rows; NOTHING where they were dropped, and for slot -1."""
        kept = self._kept
        return [kept[slot] if slot >= 0 else NOTHING for slot in slots.tolist()]

    def names(self, slots: Index) -> list[Key]:
        """Tenant, project and session id of each; empty for slot -1."""
        names = self._names
        return [names[slot] if slot >= 0 else _NOBODY for slot in slots.tolist()]

    def keys(self, slots: Index) -> list[int]:
        return [self._keys[slot] for slot in slots.tolist()]

    def put(self, keys: list[int], names: list[Key], known: Known, kept: list[Kept]) -> None:
        """Add or replace sessions."""
        slots = self.find(keys)
        new = where(slots < 0)
        if len(new):
            slots[new] = self._add([keys[at] for at in new.tolist()], [names[at] for at in new.tolist()])
        self._grow()
        self._known.put(slots, known)
        self._keep(slots, kept)

    def _add(self, keys: list[int], names: list[Key]) -> list[int]:
        """Slots for new sessions: free ones first, then further ones."""
        names = [(intern(tenant), intern(project), session) for tenant, project, session in names]
        again = min(len(self._free), len(keys))
        slots = [self._free.pop() for _ in range(again)]
        for slot, key, name in zip(slots, keys, names, strict=False):
            self._keys[slot], self._names[slot] = key, name
        slots += range(len(self._keys), len(self._keys) + len(keys) - again)
        self._keys += keys[again:]
        self._names += names[again:]
        self._kept += [NOTHING] * (len(keys) - again)
        self._slots.update(zip(keys, slots, strict=True))
        return slots

    def _grow(self) -> None:
        size = len(self._sizes)
        if len(self._keys) > size:
            wide = max(2 * size, len(self._keys))
            wider = Known.nothing(wide)
            wider.put(np.arange(size), self._known)
            self._known = wider
            self._sizes = np.concatenate([self._sizes, np.zeros(wide - size, np.int64)])

    def _keep(self, slots: Index, kept: list[Kept]) -> None:
        sizes = np.array([len(rows) + len(facets) for rows, facets in kept], np.int64)
        self.bytes += int(sizes.sum() - self._sizes.take(slots).sum())
        self._sizes[slots] = sizes
        for slot, each in zip(slots.tolist(), kept, strict=True):
            self._kept[slot] = each

    def drop(self, keys: list[int]) -> None:
        """Forget sessions."""
        gone = [slot for key in keys if (slot := self._slots.pop(key, None)) is not None]
        if gone:
            slots = np.array(gone)
            self._keep(slots, [NOTHING] * len(gone))
            self._known.put(slots, Known.nothing(len(gone)))
            for slot in gone:
                self._keys[slot], self._names[slot] = 0, _NOBODY
            self._free += gone

    def shrink(self, budget: int, silent_since: int) -> None:
        """Drop trace rows until at most `budget` bytes are left: of all sessions not heard of since then, and if need be of others,
        the longest silent first, down to three quarters of the budget so that this is not needed again at once."""
        if self.bytes <= budget:
            return
        held = where(self._sizes[: len(self._keys)])
        heard = self._known.heard.take(held)
        self._lose(held.compress(heard < silent_since))
        if self.bytes > budget:
            held = held.compress(heard >= silent_since)
            held = held.take(np.argsort(self._known.heard.take(held)))
            over = self.bytes - budget * 3 // 4
            self._lose(held[: int(np.searchsorted(np.cumsum(self._sizes.take(held)), over)) + 1])

    def _lose(self, slots: Index) -> None:
        self._keep(slots, [NOTHING] * len(slots))

    def due(self, now: int, most: int) -> Index:
        """Slots whose deadline has come, the longest overdue if they are more than `most`."""
        deadline = self._known.deadline[: len(self._keys)]
        slots = where(deadline <= now)
        return slots.take(np.argpartition(deadline.take(slots), most)[:most]) if len(slots) > most else slots

    def count(self, state: int) -> int:
        """How many live sessions are in this state."""
        used = self._known.segments[: len(self._keys)] > 0
        return int((self._known.state[: len(self._keys)][used] == state).sum())

    def __len__(self) -> int:
        return len(self._slots)


class Stored:
    """Which sessions may have been stored? Four bytes each; says yes of a session that never was with a chance of count / 2^32."""

    _TURN: Final = 1 << 16

    def __init__(self, digests: U64) -> None:
        self._prints = np.unique(_short(digests))
        self._recent: set[int] = set()

    def add(self, digests: U64) -> None:
        self._recent.update(_short(digests).tolist())
        if len(self._recent) >= self._TURN:
            recent = np.fromiter(self._recent, np.uint32, len(self._recent))
            self._prints = np.union1d(self._prints, recent)
            self._recent.clear()

    def maybe(self, digests: U64) -> Mask:
        short = _short(digests)
        at = np.searchsorted(self._prints, short)
        known = np.zeros(len(short), bool)
        inside = at < len(self._prints)
        known[inside] = self._prints[at[inside]] == short[inside]
        recent = self._recent
        new: Mask = np.fromiter((each in recent for each in short.tolist()), bool, len(short))
        return np.logical_or(known, new)

    def __len__(self) -> int:
        return len(self._prints) + len(self._recent)


def _short(digests: U64) -> npt.NDArray[np.uint32]:
    return (digests >> np.uint64(32)).astype(np.uint32)
