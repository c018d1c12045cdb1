"""Which part of a trace belongs to which session: its spans to one, its log records each to the session it names, else to that one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sojourn.schema import FLAGS
from sojourn.sessions.groups import Groups
from sojourn.sessions.order import changes, lengths, where
from sojourn.sessions.packed import U64, Index, Mask, Rows, take

RECORD = np.uint32(FLAGS["record"])
MARK = np.uint32(FLAGS["session_start"] | FLAGS["session_end"])
SHARING = RECORD | MARK
"""Of rows by which a trace may have part in more sessions than its spans' own."""
RESOURCE = 2
"""otel_logs.IdClass of an id that only the resource has."""

Continued = tuple[Index, U64]
"""Rows whose session continues another one, and that session: there they are a mark."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Parts of traces, one per trace and session, as groups of rows."""

    groups: Groups
    facts: Rows
    """The rows of all cells."""
    live: Mask
    """Which of them are more than a mark."""
    span: Mask
    """Which of them are spans."""
    trace: Index
    """The place of each cell's trace among the traces."""
    session: U64
    place: Index
    """For each row of the traces its place in `facts`, -1 for one that is in no cell."""
    source: Index
    """Which row of the traces each is."""
    continued: Index
    """Places of the rows that are here because their own session continues this one."""

    def own(self, main: U64) -> Index:
        """The cell of each trace's spans; `main` is their session. -1 for a trace that has none."""
        out = np.full(len(main), -1, np.intp)
        cells = where(self.session == main.take(self.trace))
        out[self.trace.take(cells)] = cells
        return out

    def at(self, rows: Index) -> Index:
        """One of the rows of the traces for each cell that has one of them, by its place; -1 for the others."""
        out = np.full(self.groups.count, -1, np.intp)
        places = self.place.take(rows.compress(rows >= 0))
        places = places.compress(places >= 0)
        out[self.groups.member.take(places)] = places
        return out


def is_record(facts: Rows) -> Mask:
    return np.asarray((facts["flags"] & RECORD) != 0)


def homes(facts: Rows, record: Mask, main: U64) -> U64:
    """The session of each row; `record` tells which are records, `main` is the session of the spans of a row's trace, 0 for none.

    A record goes to the session that it names itself, else with its trace, else to the one that its resource names.
    """
    own = facts["session"]
    return np.where(record & (own != 0) & ((facts["id_class"] < RESOURCE) | (main == 0)), own, main)


def cells_of(groups: Groups, facts: Rows, record: Mask, home: U64, silent: Mask, continued: Continued) -> Cells:
    """Cut traces into cells. `home` is the session of each row; `silent` are records that count nowhere."""
    if not silent.any() and not len(continued[0]) and home.all():
        session = home.take(groups.first)
        if (session.take(groups.member) == home).all():
            every = np.arange(len(facts))
            live = np.ones(len(facts), bool)
            return Cells(groups, facts, live, ~record, np.arange(groups.count), session, every, every, continued[0])
    mark = (facts["flags"] & MARK) != 0
    rows = where((home != 0) & (~silent | (record & mark)))
    every = np.concatenate([rows, continued[0]])
    session = np.concatenate([home.take(rows), continued[1]])
    copied = np.arange(len(every)) >= len(rows)
    member = groups.member.take(every)
    by = np.lexsort((session, member))
    every, session, member, copied = every.take(by), session.take(by), member.take(by), copied.take(by)
    new = changes(member, session)
    first = where(new)
    mine = take(facts, every)
    place = np.full(len(facts), -1, np.intp)
    own = where(~copied)
    place[every.take(own)] = own
    cells = Groups(groups.order.take(every), groups.number.take(every), first, new.cumsum() - 1, lengths(first, len(every)), groups.bits)
    spans = ~record.take(every)
    live = ~copied & (spans | ~silent.take(every))
    return Cells(cells, mine, live, spans & ~copied, member.take(first), session.take(first), place, every, where(copied))


def all_spans(groups: Groups, facts: Rows, main: U64) -> Cells:
    """Each trace as one cell: where there are no records."""
    every, rows = np.ones(len(facts), bool), np.arange(len(facts))
    return Cells(groups, facts, every, every, np.arange(groups.count), main, rows, rows, np.empty(0, np.intp))


def told_before(old: Rows, place: Index, before: U64, cells: Cells, continued: Continued) -> tuple[Index, U64]:
    """The cells that the rows `old` made when `before` was the session of each trace's spans, and that are no more: traces and sessions.

    `place` is that of each row's trace among the traces. Rows of which another copy counts by now are among them: they are in no cell any
    more, but they were.
    """
    record = is_record(old)
    was = homes(old, record, before.take(place))
    rows, spans = where((was != 0) & record), where(before)
    trace = np.concatenate([spans, place.take(rows), place.take(continued[0])])
    session = np.concatenate([before.take(spans), was.take(rows), continued[1]])
    now = set(zip(cells.trace.tolist(), cells.session.tolist(), strict=True))
    gone = sorted(set(zip(trace.tolist(), session.tolist(), strict=True)) - now)
    return np.array([trace for trace, _ in gone], np.intp), np.array([session for _, session in gone], np.uint64)
