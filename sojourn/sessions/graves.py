"""What was deleted and must not come back: sessions with the time of their deletion, and the traces that went with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sojourn.schema import FLAGS
from sojourn.sessions.cells import RESOURCE, is_record
from sojourn.sessions.lifecycle import I64
from sojourn.sessions.marked import DELETE, mark_records
from sojourn.sessions.names import NAME, Key
from sojourn.sessions.order import scramble
from sojourn.sessions.packed import U64, Keys, Mask, Rows, numbers


@dataclass(frozen=True, slots=True)
class Grave:
    """A session that was deleted, or a trace that went with it."""

    key: Key
    trace: str
    """'' for the session itself."""
    time: int
    """When the session was deleted, ns since 1970."""
    version: int
    """The Version of rows of the session up to which they are old."""
    spans: bool = True
    """Whether the trace is of the session; False if only records of it are, and its spans are another's."""


class Graves:
    """Sessions are told by the hash of their key, traces by a number made of theirs. What is staged holds from the commit on."""

    def __init__(self) -> None:
        self._sessions: dict[int, int] = {}
        self._traces: U64 = np.empty(0, np.uint64)
        self._staged: list[tuple[Mapping[int, int], U64, list[Grave]]] = []
        self._finished: list[Grave] = []

    def __bool__(self) -> bool:
        return bool(self._sessions)

    def stage(self, sessions: Mapping[int, int], traces: Keys, graves: Iterable[Grave]) -> None:
        """These are deleted with the commit, and what the database holds of `graves` is removed by then."""
        self._staged.append((dict(sessions), _numbers(traces), list(graves)))

    def committed(self) -> None:
        for sessions, traces, graves in self._staged:
            self._sessions |= sessions
            self._traces = np.union1d(self._traces, traces)
            self._finished += graves
        self._staged.clear()

    def discard(self) -> None:
        self._staged.clear()

    def finished(self) -> list[Grave]:
        """Those of which everything has been removed; they are told once."""
        graves, self._finished = self._finished, []
        return graves

    def since(self, sessions: U64) -> I64:
        """When each of the sessions was deleted, ns since 1970; 0 for those that were not."""
        codes, which = np.unique(sessions, return_inverse=True)
        return np.array([self._sessions.get(code, 0) for code in codes.tolist()], np.int64).take(which)

    def dead(self, facts: Rows, keys: Keys) -> Mask:
        """Which spans and records belong to what was deleted, as far as they tell by themselves. `trace` of a row is the place in `keys`.

        A record that names a session goes with that one, whatever its trace is.
        """
        record, session = is_record(facts), facts["session"]
        own = record & (session != 0) & ((facts["id_class"] < RESOURCE) | ((facts["flags"] & FLAGS["traceless"]) != 0))
        since = self.since(np.where(own, session, np.uint64(0)))
        buried = np.isin(_numbers(keys), self._traces).take(facts["trace"])
        return np.asarray(np.where(own, (facts["start"] < since) | (facts["arrival"] < since), buried))


def _numbers(keys: Keys) -> U64:
    hi, lo, tenant = keys.astype(np.uint64).T
    return scramble(hi, lo, tenant)


def marks_of(graves: list[Grave], version: int, done: int) -> pa.RecordBatch:
    """Rows of `session_marks`."""
    return mark_records([(grave.key, DELETE, grave.trace, grave.time, "", done) for grave in graves], version)


def orders_of(graves: list[Grave]) -> pa.RecordBatch:
    """What the database shall remove."""
    keys = list(zip(*(grave.key for grave in graves), strict=True))
    columns: dict[str, Any] = {name: pa.array(values, pa.string()) for name, values in zip(NAME, keys, strict=True)}
    columns["TraceId"] = pa.array([grave.trace for grave in graves], pa.string())
    columns["Spans"] = pa.array([grave.spans for grave in graves], pa.bool_())
    columns["Before"] = numbers(np.array([grave.time for grave in graves], np.int64))
    columns["Version"] = numbers(np.array([grave.version for grave in graves], np.uint64))
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
