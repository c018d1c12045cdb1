"""The trace rows of sessions, old and new together: one per trace, the newest, in order of (start, trace id).

At one start, rows without spans come first: a log trace has no trace id, only the digest that stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sojourn.schema import FACETS, FLAGS, MOST_TRACES
from sojourn.sessions.lifecycle import CONTINUED, EXPLICIT, Marks
from sojourn.sessions.order import changes, lengths, ordered, scramble, spread, where
from sojourn.sessions.packed import TRACE, TRACE_FACET, U64, Index, Mask, Rows, concat, take


@dataclass(frozen=True, slots=True)
class Pile:
    """Trace rows of some sessions with their facets, in any order. `spare` of a facet is not looked at."""

    rows: Rows
    session: Index
    """The number of each row's session."""
    facets: Rows
    row: Index
    """For each facet the position of its row."""


ONLY_MARKS = np.uint32(FLAGS["only_marks"])


@dataclass(frozen=True, slots=True)
class Gathered:
    """One row per trace, sorted by (session, start, trace id), and their facets, sorted by session.

    A row may stand for log records alone, or, if its flag `only_marks` says so, for nothing but marks.
    """

    rows: Rows
    counts: Index
    """Rows of each session; 0 for a session that all traces have left."""
    session: Index
    place: Index
    """Where each row was in the pile."""
    facets: Rows
    facet_row: Index
    facet_counts: Index
    """Facets of each session."""

    def activity(self) -> Gathered:
        """The same without the rows that are nothing but marks: what there was of a session."""
        marks = self.rows["flags"] & ONLY_MARKS
        if not marks.any():
            return self
        some = where(marks == 0)
        place = np.full(len(self.rows), -1, np.intp)
        place[some] = np.arange(len(some))
        row = place.take(self.facet_row) if len(self.facet_row) else self.facet_row
        said = where(row >= 0)
        row, count, session = row.take(said), len(self.counts), self.session.take(some)
        return Gathered(
            take(self.rows, some),
            np.bincount(session, minlength=count),
            session,
            self.place.take(some),
            take(self.facets, said),
            row,
            np.bincount(session.take(row), minlength=count) if len(row) else np.zeros(count, np.intp),
        )

    def previous(self) -> dict[int, int]:
        """The hash of the id that a session says to continue, by the session's number; of several the earliest told."""
        facets = self.facets
        some = where(facets["what"] == FACETS["previous_id"])
        if not len(some):
            return {}
        session = self.session.take(self.facet_row.take(some))
        order = np.lexsort([facets[name][some] for name in ("value", "span", "at")] + [session])
        first = order.compress(changes(session.take(order)))
        return dict(zip(session.take(first).tolist(), facets["value"][some.take(first)].tolist(), strict=True))

    def marks(self, fresh: int) -> Marks | None:
        """What all rows say of when their sessions ended; rows of the pile from `fresh` on are new."""
        what = self.facets["what"]
        some = where((what == FACETS["end_mark"]) | (what == FACETS["continued_mark"]))
        if not len(some):
            return None
        row = self.facet_row.take(some)
        reason = np.where(what.take(some) == FACETS["end_mark"], np.uint8(EXPLICIT), np.uint8(CONTINUED))
        return Marks(self.session.take(row), self.facets["at"][some], reason, self.place.take(row) >= fresh)


def pile(*parts: Pile) -> Pile:
    """Parts one on the other, the newest last."""
    some = [part for part in parts if len(part.rows)]
    if len(some) == 1:
        return some[0]
    if not some:
        return Pile(np.empty(0, TRACE), np.empty(0, np.intp), np.empty(0, TRACE_FACET), np.empty(0, np.intp))
    below = np.cumsum([0, *(len(part.rows) for part in some[:-1])]).tolist()
    return Pile(
        concat(*(part.rows for part in some)),
        np.concatenate([part.session for part in some]),
        concat(*(part.facets for part in some)),
        np.concatenate([part.row + base for part, base in zip(some, below, strict=True)]),
    )


def of_session(whole: Pile, number: int) -> Pile:
    """What belongs to one session."""
    return part(whole, where(whole.session == number))


def part(whole: Pile, mine: Index) -> Pile:
    """These rows of a pile, with their facets."""
    place = np.full(len(whole.rows), -1, np.intp)
    place[mine] = np.arange(len(mine))
    row = place.take(whole.row) if len(whole.row) else whole.row
    alive = where(row >= 0)
    return Pile(take(whole.rows, mine), whole.session.take(mine), take(whole.facets, alive), row.take(alive))


def gather(given: Pile, count: int) -> Gathered:
    """Of several rows of one trace in one session take the last; leave out those that say that the trace has gone."""
    rows, session = given.rows, given.session
    newest = _newest(session, count, rows["trace_hi"], rows["trace_lo"])
    newest = newest.compress(rows["deleted"][newest] == 0)
    order = newest.take(_by_start(session.take(newest), count, rows, newest))
    if len(order) > MOST_TRACES:
        order = _least(order, session, count)
    kept, numbers = take(rows, order), session.take(order)
    place = np.full(len(rows), -1, np.intp)
    place[order] = np.arange(len(order))
    facet_row = place.take(given.row) if len(given.row) else given.row
    alive = where(facet_row >= 0)
    facet_row = facet_row.take(alive)
    owner = numbers.take(facet_row)
    if (owner[1:] < owner[:-1]).any():
        by = _stable(owner, count)
        alive, facet_row, owner = alive.take(by), facet_row.take(by), owner.take(by)
    facets = take(given.facets, alive)
    counts, facet_counts = np.bincount(numbers, minlength=count), np.bincount(owner, minlength=count)
    return Gathered(kept, counts, numbers, order, facets, facet_row, facet_counts)


def _least(order: Index, session: Index, count: int) -> Index:
    """The first MOST_TRACES of each session."""
    counts = np.bincount(session.take(order), minlength=count)
    return order.compress(np.arange(len(order)) - np.repeat(counts.cumsum() - counts, counts) < MOST_TRACES)


def _stable(numbers: Index, count: int) -> Index:
    """The order of small numbers, equal ones as they stand: by radix, which numpy does for 16 bits only."""
    return np.argsort(numbers.astype(np.uint16) if count <= 1 << 16 else numbers, kind="stable")


def _newest(session: Index, count: int, hi: U64, lo: U64) -> Index:
    """Of the rows with one (session, trace id) the last, sorted by session."""
    order, alike = ordered(session, count, scramble(hi, lo), lo, hi)
    if not len(alike):
        return order
    again = alike.compress(_same(order, alike, hi, lo, session))
    keep = np.ones(len(order), bool)
    keep[again] = False  # of equal ones the last stays
    return order.compress(keep)


def _same(order: Index, at: Index, *columns: npt.NDArray[np.generic]) -> Mask:
    """Are the rows at positions `at` and `at + 1` of the order equal in these columns?"""
    here, there = order.take(at), order.take(at + 1)
    same = np.ones(len(at), bool)
    for column in columns:
        same &= column.take(here) == column.take(there)
    return same


def _by_start(session: Index, count: int, rows: Rows, mine: Index) -> Index:
    """Order of the rows `mine`, which are sorted by session already, by (session, start, trace id)."""
    if not len(mine):
        return mine
    start = rows["start"][mine]
    first = where(changes(session))
    since = start - np.repeat(np.minimum.reduceat(start, first), lengths(first, len(start)))
    order, alike = ordered(session, count, spread(since))
    if len(alike):
        exact = rows["trace_lo"][mine], rows["trace_hi"][mine], rows["spans"][mine] != 0, since
        order, _ = ordered(session, count, spread(since), *exact)
    return order
