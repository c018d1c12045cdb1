"""What people said of sessions: a name that wins for good, and ends at their time. Kept with those that live, read with the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sojourn.schema import SESSION_MARKS
from sojourn.sessions.answer import Answer
from sojourn.sessions.lifecycle import EXPLICIT, Marks
from sojourn.sessions.names import Key, keys_of, name_columns
from sojourn.sessions.packed import U64, Mask, hashes, numbers
from sojourn.sessions.records import times
from sojourn.sessions.requests import Mark
from sojourn.sessions.stored import Stored
from sojourn.sessions.summary import MANUAL

NAME, END, DELETE = "name", "end", "delete"
LONGEST_NAME: Final = 500


@dataclass(frozen=True, slots=True)
class Said:
    """What people said of one session. Times in ns since 1970."""

    name: str = ""
    """'' if nobody renamed it."""
    ends: tuple[int, ...] = ()

    def with_mark(self, mark: Mark, now: int) -> Said:
        return replace(self, name=mark.name) if mark.what == NAME else replace(self, ends=(*self.ends, now))


NOTHING: Final = Said()


class Marked:
    """What was said of the sessions in memory, by the hash of their key, and which others may have been marked."""

    def __init__(self, texts: Any) -> None:
        self._texts = texts
        self._known: dict[int, Said] = {}
        self._staged: dict[int, tuple[Said, bool]] = {}
        """What it becomes with the commit, and whether an end is new."""
        self._elsewhere: Stored | None = None

    def wake(self, digests: U64) -> None:
        """`digests` are those of all sessions that were ever marked."""
        self._elsewhere = Stored()
        self._elsewhere.include(digests)

    def elsewhere(self, digests: U64) -> Mask:
        """Which sessions, told by `_native.digest` of their keys, may have marks in the database."""
        if self._elsewhere is None or not len(self._elsewhere):
            return np.zeros(len(digests), bool)
        return self._elsewhere.maybe(digests)

    def learn(self, table: pa.Table) -> None:
        """Take in stored rows of `session_marks`."""
        for key, said in said_of(table).items():
            if said != NOTHING:
                self._known[int(hashes(self._texts, pa.array(["\0".join(key)]))[0])] = said

    def of(self, session: int) -> Said:
        staged = self._staged.get(session)
        return staged[0] if staged else self._known.get(session, NOTHING)

    def stage(self, session: int, said: Said, digest: int) -> None:
        """Said of a session from the commit on; `digest` is that of its key."""
        self._staged[session] = said, said.ends != self.of(session).ends
        if self._elsewhere is not None:
            self._elsewhere.add(np.array([digest], np.uint64))

    def committed(self) -> None:
        for session, (said, _) in self._staged.items():
            self._known[session] = said
        self._staged.clear()

    def discard(self) -> None:
        self._staged.clear()

    def forget(self, sessions: U64) -> None:
        """These are not in memory any more."""
        if self._known:
            for session in sessions.tolist():
                self._known.pop(session, None)

    def copy(self, sessions: U64, other: Marked) -> None:
        """Know what the other one knows of these."""
        self._known |= {session: said for session in sessions.tolist() if (said := other.of(session)) != NOTHING}

    # what follows from it

    def ends(self, keys: U64, told: Marks | None) -> Marks | None:
        """The marks of these sessions, by their place: what traces and records told, and what people said."""
        found = [(at, time, new) for at, _, said, new in self._among(keys) for time in said.ends]
        if not found:
            return told
        place, time, new = (np.array(column) for column in zip(*found, strict=True))
        if told is None:
            return Marks(place.astype(np.intp), time.astype(np.int64), np.full(len(place), EXPLICIT, np.uint8), new)
        return Marks(
            np.concatenate([told.session, place.astype(np.intp)]),
            np.concatenate([told.time, time.astype(np.int64)]),
            np.concatenate([told.reason, np.full(len(place), EXPLICIT, np.uint8)]),
            np.concatenate([told.new, new]),
        )

    def rename(self, keys: U64, told: Answer) -> None:
        """Let the names that people gave win, in place."""
        for at, _, said, _ in self._among(keys):
            if said.name:
                mine = told.session == at
                told.summary.name[mine] = hashes(self._texts, pa.array([said.name]))[0]
                told.summary.name_source[mine] = MANUAL

    def _among(self, keys: U64) -> list[tuple[int, int, Said, bool]]:
        """Of the sessions of which something is known: place, hash, what was said, whether an end is new."""
        if not self._known and not self._staged:
            return []
        mine = (self._known.keys() | self._staged.keys()) & set(keys.tolist())
        place = {key: at for at, key in enumerate(keys.tolist()) if key in mine}
        return [(at, key, self.of(key), self._staged.get(key, (NOTHING, False))[1]) for key, at in place.items()]


def said_of(table: pa.Table) -> Mapping[Key, Said]:
    """What stored rows of `session_marks` say: the latest name, all ends; what was said before a session was deleted died with it."""
    columns = (table.column(name).to_pylist() for name in ("Mark", "Name", "Version"))
    time = np.asarray(table.column("Time")).astype("datetime64[ns]").astype(np.int64).tolist()
    told: dict[Key, list[tuple[int, int, str, str]]] = defaultdict(list)
    for key, when, mark, name, version in zip(keys_of(table), time, *columns, strict=True):
        told[key].append((when, version, mark, name))
    return {key: _said(sorted(rows)) for key, rows in told.items()}


def _said(rows: list[tuple[int, int, str, str]]) -> Said:
    deleted = max((when for when, _, mark, _ in rows if mark == DELETE), default=-1)
    alive = [row for row in rows if row[0] > deleted]
    names = [name for _, _, mark, name in alive if mark == NAME]
    return Said(names[-1] if names else "", tuple(when for when, _, mark, _ in alive if mark == END))


def mark_records(rows: list[tuple[Key, str, str, int, str, int]], version: int) -> pa.RecordBatch:
    """Rows of `session_marks` of (key, mark, trace id, time, name, done)."""
    keys, marks, traces, when, names, done = zip(*rows, strict=True)
    key = name_columns(*zip(*keys, strict=True))
    columns: dict[str, pa.Array] = {
        **dict(zip(key.schema.names, key.columns, strict=True)),
        "Mark": pa.array(marks, pa.string()),
        "TraceId": pa.array(traces, pa.string()),
        "Time": times(np.array(when, np.int64)),
        "Name": pa.array(names, pa.string()),
        "Done": numbers(np.array(done, np.uint8)),
        "Version": numbers(np.full(len(rows), version, np.uint64)),
    }
    order = [column.name for column in SESSION_MARKS.columns if column.name != "Collector"]
    return pa.RecordBatch.from_arrays([columns[name] for name in order], order)
