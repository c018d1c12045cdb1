"""Which turns has a session: the prompts that its log records tell, else traces with a user input, else all its traces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sojourn.schema import FACETS
from sojourn.sessions.gather import Gathered
from sojourn.sessions.lifecycle import NEVER, Segments
from sojourn.sessions.order import changes, preceding, where
from sojourn.sessions.packed import U64, Index, Mask, Rows

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Prompts:
    """Turns that users' prompts began, sorted by (session, time, digest)."""

    place: Index
    """Segment or group that each belongs to."""
    length: I64
    """From the prompt to the last end before the next one, ns."""
    text: U64
    """Hash of the prompt."""

    def of(self, which: Index, groups: Index) -> Prompts:
        """Some of them, told of groups, sorted by group."""
        order = np.argsort(groups, kind="stable")
        which = which.take(order)
        return Prompts(groups.take(order), self.length.take(which), self.text.take(which))


def traces_of(rows: Rows) -> Mask | None:
    """Which rows are traces, and not made of log records alone; None if all are."""
    is_trace: Mask = rows["spans"] != 0
    return None if is_trace.all() else is_trace


def turns_of(rows: Rows, first: Index, session: Index, traces: Mask | None, prompted: Mask | None) -> Mask | None:
    """Which traces are turns; None if all rows are. `first` is the first row of each session, `session` the place of each row's there."""
    turn: Mask = rows["turn"] != 0
    if traces is not None:
        turn &= traces
    only_some = np.logical_or.reduceat(turn, first)
    turns = traces
    if only_some.any():
        turns = turn | ~only_some.take(session)
        if traces is not None:
            turns &= traces
    if prompted is None:
        return turns
    unprompted: Mask = ~prompted.take(session)
    return unprompted if turns is None else turns & unprompted


def prompts_of(gathered: Gathered, session: Index, segments: Segments) -> tuple[Prompts | None, Mask | None]:
    """Turns by prompts, by segment, and which sessions have them (None: none).

    A turn ends within its segment: at the last end before the next prompt of the session, of a row or of the records of one in front of
    a prompt among them.
    """
    facets = gathered.facets
    some = where(facets["what"] == FACETS["prompt"])
    if not len(some):
        return None, None
    of = session.take(gathered.facet_row.take(some))
    some = some.take(np.lexsort([facets["span"][some], facets["at"][some], of]))
    row, time = gathered.facet_row.take(some), facets["at"][some]
    of = session.take(row)
    prompted = np.zeros(int(session[-1]) + 1, bool)
    prompted[of] = True
    until = np.full(len(time), NEVER)
    same = where(~changes(of)) - 1
    until[same] = time.take(same + 1)
    segment = np.searchsorted(segments.first, np.arange(len(session)), side="right") - 1
    length = _last_end(gathered, segment, prompted.take(session), some, segment.take(row), until) - time
    return Prompts(segment.take(row), np.maximum(length, 0), facets["value"][some]), prompted


def _last_end(gathered: Gathered, segment: Index, rows: Mask, prompts: Index, of: Index, until: I64) -> I64:
    """The last end in each segment `of` before `until`, at least 0. `rows` are those of sessions with prompts."""
    before = gathered.facets["key"][prompts].astype(np.int64)  # the last record of the row before its prompt
    own = where(before)
    mine = where(rows)
    place = np.concatenate([segment.take(mine), segment.take(gathered.facet_row.take(prompts.take(own)))])
    end = np.concatenate([gathered.rows["end"][mine], before.take(own)])
    order = np.lexsort([end, place])
    place, end = place.take(order), end.take(order)
    at = preceding(place, end, of, until) - 1
    found = (at >= 0) & (place.take(np.maximum(at, 0)) == of)
    return np.where(found, end.take(np.maximum(at, 0)), 0)
