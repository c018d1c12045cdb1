"""Sessions that have not ended, as columns: what the lifecycle has to remember, and no more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn import _native
from sojourn.sessions.kept import Kept
from sojourn.sessions.lifecycle import ENDED, NEVER
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
    """When something is due, ns since 1970; NEVER for a session that has ended and whose silence is no alert."""
    rows: npt.NDArray[np.uint32]
    """How many trace rows were folded then."""
    firing: U64
    """Bits of the alerts that fire (see `alerts`)."""

    @classmethod
    def nothing(cls, count: int) -> Known:
        return cls(
            np.zeros(count, np.uint32),
            np.zeros(count, np.uint8),
            np.zeros(count, np.uint64),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.full(count, NEVER, np.int64),
            np.zeros(count, np.uint32),
            np.zeros(count, np.uint64),
        )

    def columns(self) -> tuple[npt.NDArray[np.generic], ...]:
        return self.segments, self.state, self.revision, self.heard, self.folded, self.deadline, self.rows, self.firing

    def take(self, which: Index | Mask) -> Known:
        return Known(*(column[which] for column in self.columns()))  # type: ignore[arg-type]

    def put(self, which: Index, other: Known) -> None:
        for column, values in zip(self.columns(), other.columns(), strict=True):
            column[which] = values


class Live:
    """The sessions that have not ended, by the hash of their key, and the trace rows of those that were heard of lately.

    What is remembered of a session never goes before it ends; its trace rows may, and are read back from the database when they are needed.
    """

    def __init__(self) -> None:
        self._slots = _native.Slots()
        self._keys = np.zeros(1024, np.uint64)
        self._known = Known.nothing(1024)
        self._sizes = np.zeros(1024, np.int64)
        self.bytes = 0
        """Bytes of all trace rows held."""

    def find(self, keys: U64) -> Index:
        """Where sessions are; -1 for those that are not here."""
        return np.frombuffer(self._slots.find(keys), np.intp)

    def known(self, slots: Index) -> Known:
        """What is known of them; nothing for slot -1."""
        known = self._known.take(np.maximum(slots, 0))
        absent = where(slots < 0)
        if len(absent):
            known.put(absent, Known.nothing(len(absent)))
        return known

    def kept(self, slots: Index) -> Kept:
        """Their trace rows; nothing where they were dropped, and for slot -1."""
        sizes, rows, facet_sizes, facets = self._slots.rows(slots)
        return Kept(np.frombuffer(sizes, np.int64), rows, np.frombuffer(facet_sizes, np.int64), facets)

    def names(self, slots: Index, told: pa.RecordBatch, rows: Index) -> pa.RecordBatch:
        """Tenant, Project and SessionId of each; for slot -1 those that row `rows[i]` of `told` tells."""
        return pa.record_batch(self._slots.names(slots, told, rows))

    def keys(self, slots: Index) -> U64:
        return self._keys.take(slots)

    def put(self, keys: U64, names: pa.RecordBatch, known: Known, kept: Kept) -> None:
        """Add or replace sessions."""
        slots = np.frombuffer(self._slots.add(keys, names), np.intp)
        self._grow(int(slots.max(initial=-1)) + 1)
        self._keys[slots] = keys
        self._known.put(slots, known)
        self._keep(slots, kept)

    def postpone(self, keys: U64, deadline: I64) -> None:
        """Something is due at these sessions then, if not before; nothing for a session that is not here."""
        slots = self.find(keys)
        here = where(slots >= 0)
        slots = slots.take(here)
        self._known.deadline[slots] = np.minimum(self._known.deadline.take(slots), deadline.take(here))

    def _grow(self, count: int) -> None:
        size = len(self._sizes)
        if count > size:
            wide = max(2 * size, count)
            wider = Known.nothing(wide)
            wider.put(np.arange(size), self._known)
            self._known = wider
            self._sizes = np.concatenate([self._sizes, np.zeros(wide - size, np.int64)])
            self._keys = np.concatenate([self._keys, np.zeros(wide - size, np.uint64)])

    def _keep(self, slots: Index, kept: Kept) -> None:
        sizes = kept.sizes + kept.facet_sizes
        self.bytes += int(sizes.sum() - self._sizes.take(slots).sum())
        self._sizes[slots] = sizes
        self._slots.keep(slots, kept.sizes, kept.rows, kept.facet_sizes, kept.facets)

    def drop(self, keys: U64) -> None:
        """Forget sessions."""
        slots = self.find(keys)
        self._drop(slots.compress(slots >= 0))

    def drop_ended(self) -> None:
        """Forget those of which nothing more is expected, and whose trace rows were dropped."""
        over = (self._known.state == ENDED) | (self._known.segments == 0)
        self._drop(where(over & (self._known.deadline == NEVER) & (self._sizes == 0) & (self._keys != 0)))

    def _drop(self, gone: Index) -> None:
        if len(gone):
            self._lose(gone)
            self._known.put(gone, Known.nothing(len(gone)))
            self._slots.forget(gone)
            self._keys[gone] = 0

    def shrink(self, budget: int, silent_since: int) -> bool:
        """Drop trace rows until at most `budget` bytes are left: of all sessions not heard of since then, and if need be of others,
        the longest silent first, down to three quarters of the budget so that this is not needed again at once. Tells if any were."""
        if self.bytes <= budget:
            return False
        held = where(self._sizes)
        heard = self._known.heard.take(held)
        self._lose(held.compress(heard < silent_since))
        if self.bytes > budget:
            held = held.compress(heard >= silent_since)
            held = held.take(np.argsort(self._known.heard.take(held)))
            over = self.bytes - budget * 3 // 4
            self._lose(held[: int(np.searchsorted(np.cumsum(self._sizes.take(held)), over)) + 1])
        return True

    def _lose(self, slots: Index) -> None:
        self._keep(slots, Kept.nothing(len(slots)))

    def due(self, now: int, most: int) -> Index:
        """Slots whose deadline has come, the longest overdue if they are more than `most`."""
        slots = where(self._known.deadline <= now)
        return slots.take(np.argpartition(self._known.deadline.take(slots), most)[:most]) if len(slots) > most else slots

    def count(self, state: int) -> int:
        """How many live sessions are in this state."""
        return int(((self._known.state == state) & (self._known.segments > 0)).sum())

    def __len__(self) -> int:
        return len(self._slots)
