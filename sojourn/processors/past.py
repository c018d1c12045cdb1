"""What the database says of sessions that are not, or not wholly, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sojourn import _native
from sojourn.component import Host
from sojourn.sessions.alerts import Alerts
from sojourn.sessions.gather import Pile, part, pile
from sojourn.sessions.lifecycle import ENDED, STATES
from sojourn.sessions.live import Known
from sojourn.sessions.marked import Marked
from sojourn.sessions.names import NAME, keys_of, pick
from sojourn.sessions.order import where
from sojourn.sessions.packed import U64, Mask
from sojourn.sessions.rows import pack
from sojourn.sessions.stored import Stored

if TYPE_CHECKING:
    from sojourn.storage.history import History


class Past:
    def __init__(self, host: Host, alerts: Alerts, marked: Marked) -> None:
        self._texts, self._history = host.texts, host.history
        self._alerts, self._marked = alerts, marked
        self._stored: Stored | None = None
        """Which sessions have rows; None before anybody woke."""

    def wake(self, history: History) -> None:
        """Learn which sessions are stored, and of which somebody said something."""
        stored = Stored()
        for digests in history.session_digests():
            stored.include(digests)
        self._marked.wake(history.marked_digests())
        self._stored = stored

    def add(self, digests: U64) -> None:
        """These have rows from now on."""
        if self._stored is not None and digests.any():
            self._stored.add(digests[digests != 0])

    def digests(self, names: pa.RecordBatch, unknown: Mask) -> U64:
        """By which those that are unknown may be stored; 0 for others."""
        if self._stored is None or not unknown.any():
            return np.zeros(len(names), np.uint64)
        return np.where(unknown, digests_of(names), np.uint64(0))

    def known(self, table: pa.Table) -> Known:
        """What stored session rows say."""
        known = Known.nothing(len(table))
        if len(table):
            known.segments[:] = np.asarray(table.column("Segments"))
            known.state[:] = states(table)
            known.revision[:] = np.asarray(table.column("Revision"))
            end, seen = (np.asarray(table.column(name)).astype("datetime64[ns]").astype(np.int64) for name in ("End", "LastSeen"))
            known.heard[:] = np.maximum(end, seen)
            known.rows[:] = np.asarray(table.column("Traces"))
            if self._alerts:
                known.firing[:] = self._alerts.bits(table.column("Alerts").to_pylist())
        return known

    def read_back(self, keys: U64, names: pa.RecordBatch, before: Known, lost: Mask, digests: U64) -> Pile:
        """The stored trace rows of the sessions that lost theirs, and into `before` what was told of those that are not known at all."""
        if self._history is None or self._stored is None or not lost.any():
            return pile()
        unknown = where(digests)
        stored = unknown.compress(self._stored.maybe(digests.take(unknown))).tolist()
        if stored:
            told = keys_of(names, stored)
            table = self._history.sessions(told)
            place = dict(zip(told, stored, strict=True))
            before.put(np.array([place[name] for name in keys_of(table)], np.intp), self.known(table))
            self.recall_marks(pick(names, np.array(stored)))
        wanted = [*where(lost & (digests == 0)).tolist(), *stored]
        if not wanted:
            return pile()
        rows, facets, counts = pack(self._history.trace_rows_of_sessions(keys_of(names, wanted)), self._texts)
        session = np.minimum(np.searchsorted(keys, rows["session"]), len(keys) - 1)
        whole = Pile(rows, session, facets, np.repeat(np.arange(len(rows)), counts))
        return part(whole, where(keys.take(session) == rows["session"]))

    def recall_marks(self, names: pa.RecordBatch) -> None:
        """Read what people said of those that may be marked."""
        assert self._history is not None
        some = where(self._marked.elsewhere(digests_of(names)))
        if len(some):
            self._marked.learn(self._history.marks(keys_of(names, some.tolist())))


def digests_of(names: pa.RecordBatch) -> U64:
    """By which sessions are known to be stored."""
    return np.frombuffer(_native.name_digests(names.select(NAME)), "<u8")


def states(table: pa.Table) -> list[int]:
    return [STATES.index(text) if text else ENDED for text in table.column("State").to_pylist()]
