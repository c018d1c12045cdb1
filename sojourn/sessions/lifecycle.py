"""When does a session begin, pause, break and end? Pure functions of its trace intervals, marks, the last arrival, now and the rules.

Rows are sorted by (session, start, trace id); a session is told by the position of its first row. All times are ns since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from sojourn.sessions.order import changes, lengths, preceding, where
from sojourn.sessions.packed import Index, Mask

I64 = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]
Amount = int | I64

STATES: Final = ("active", "idle", "ended")
ACTIVE, IDLE, ENDED = range(3)
REASONS: Final = ("", "idle_timeout", "max_duration", "max_traces", "explicit", "continued")
NOT_ENDED, IDLE_TIMEOUT, MAX_DURATION, MAX_TRACES, EXPLICIT, CONTINUED = range(6)
NEVER: Final = np.iinfo(np.int64).max
SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Rules:
    """The parameters of `sessions.md` §4, times in ns; NEVER is no limit. Each is one number for all, or an array with one for each."""

    idle_timeout: Amount = 30 * MINUTE
    active_window: Amount = 5 * MINUTE
    finalize_delay: Amount = 30 * SECOND
    max_duration: Amount = 24 * 60 * MINUTE
    max_traces: Amount = 10_000
    cut_on_limit: bool | Mask = True
    """A limit cuts the session into segments; False: it is only flagged."""
    allowed_lateness: Amount = 24 * 60 * MINUTE
    max_future_skew: Amount = 10 * MINUTE
    max_tokens: Amount = NEVER
    max_cost: Amount = NEVER
    """In 10^-12 US dollars."""

    @property
    def silence(self) -> Amount:
        """How long a session is silent before it has ended."""
        return self.idle_timeout + self.finalize_delay

    def take(self, which: Index) -> Rules:
        """The parameters of some of those that they are for."""
        if isinstance(self.idle_timeout, int):
            return self
        return Rules(*(getattr(self, each.name).take(which) for each in fields(self)))

    def only(self, number: int) -> Rules:
        """The parameters of one of them, as plain numbers."""
        if isinstance(self.idle_timeout, int):
            return self
        return Rules(*(getattr(self, each.name)[number].item() for each in fields(self)))

    @classmethod
    def each(cls, some: Sequence[Rules], which: Index) -> Rules:
        """Of some plain rules the one that `which` says for each."""
        return cls(*(np.array([getattr(rules, each.name) for rules in some]).take(which) for each in fields(cls)))


@dataclass(frozen=True, slots=True)
class Marks:
    """What was said to end sessions, each at its time. Arrays of one length, in any order."""

    session: Index
    """Position of the session in `first`."""
    time: I64
    reason: Codes
    """EXPLICIT or CONTINUED."""
    new: Mask

    def take(self, which: Index) -> Marks:
        return Marks(self.session.take(which), self.time.take(which), self.reason.take(which), self.new.take(which))


@dataclass(frozen=True, slots=True)
class Segments:
    """Where sessions are cut. Arrays of one length, sorted by (session, number)."""

    first: Index
    """Position of the segment's first row."""
    session: Index
    """Position of its session in the `first` that was given."""
    number: npt.NDArray[np.uint32]
    reason: Codes
    """Why the segment ended; NOT_ENDED for a last one that only silence can end."""
    anew: Mask | None = None
    """Was it a new mark that ended it? None if no mark ended any."""


def covered(first: Index, start: I64, end: I64) -> tuple[I64, I64]:
    """Per row: the part of [start, end] that no earlier row of its group covers, and the greatest end before it in its group.

    The first is summed up to the length of the union; start - before is a gap. `before` of a group's first row is its start.
    """
    before = np.empty_like(end)
    if not len(end):
        return before, before
    before[1:] = end[:-1]
    before[first] = start.take(first)
    if (before[1:] > end[1:]).any():  # some interval ends before the one in front of it does: the greatest end so far is needed
        before = _running_greatest(first, before)
    return np.maximum(end - np.maximum(start, before), 0), before


def _running_greatest(first: Index, values: I64) -> I64:
    """The greatest value so far within each group. Ranks are compared instead of values, so that groups can be told apart by an offset."""
    order = np.argsort(values)
    rank = np.empty(len(values), np.int64)
    rank[order] = np.arange(len(values))
    group = np.zeros(len(values), np.int64)
    group[first[1:]] = len(values)
    np.cumsum(group, out=group)
    rank += group
    np.maximum.accumulate(rank, out=rank)
    rank -= group
    return values.take(order.take(rank))


def cut(first: Index, start: I64, end: I64, rules: Rules, traces: Mask | None = None, marks: Marks | None = None) -> Segments:
    """Cut sessions at marks, at silences and, if the rules say so, at limits. Depends on event times only.

    `rules` are those of each session, by its position in `first`. `traces` tells which rows are traces and count for `max_traces`; None if
    all are.
    """
    _, before = covered(first, start, end)
    timeout = rules.idle_timeout if isinstance(rules.idle_timeout, int) else np.repeat(rules.idle_timeout, lengths(first, len(start)))
    reason = np.where(start - before >= timeout, np.uint8(IDLE_TIMEOUT), np.uint8(NOT_ENDED))
    reason[first] = NOT_ENDED  # with idle_timeout 0 a first row has a "gap" as well
    ends = None if marks is None else _effective(marks, first, start, end, before, rules)
    if ends is not None:
        reason[ends.at.compress(~ends.last)] = ends.marks.reason.compress(~ends.last)
    if np.any(rules.cut_on_limit):
        _cut_at_limits(first, start, end, reason, rules, traces)
    begins = reason != NOT_ENDED
    begins[first] = True
    at = where(begins)
    session = np.searchsorted(first, at, side="right") - 1
    ended = np.zeros(len(at), np.uint8)
    ended[:-1] = reason.take(at[1:])  # a session's first row has no reason, so the last segment before it has none
    anew = None
    if ends is not None:
        segment = np.searchsorted(at, ends.at) - 1  # the one in front of the row; behind the session's last row it is its last
        ended[segment] = ends.marks.reason
        anew = np.zeros(len(at), bool)
        anew[segment] = ends.marks.new
    return Segments(at, session, _numbers(session), ended, anew)


@dataclass(frozen=True, slots=True)
class _Ends:
    """Marks that end a segment, one each."""

    marks: Marks
    at: Index
    """The row that begins the next segment, or would if the session had one more."""
    last: Mask
    """Does the mark lie behind the start of the session's last row?"""


def _effective(marks: Marks, first: Index, start: I64, end: I64, before: I64, rules: Rules) -> _Ends | None:
    """Of the marks between the starts of two rows the earliest, unless it falls into a silence that had ended the segment before.

    A mark acts on what starts before it. `before` is the greatest end before each row, as `covered` gives it.
    """
    rows, sizes = len(start), lengths(first, len(start))
    marked = np.zeros(len(first), bool)
    marked[marks.session] = True
    mine = where(np.repeat(marked, sizes))
    skipped = np.cumsum(np.where(marked, 0, sizes))
    at = preceding(np.repeat(np.arange(len(first)), np.where(marked, sizes, 0)), start.take(mine), marks.session, marks.time)
    at += skipped.take(marks.session)
    last = at == np.append(first[1:], rows).take(marks.session)
    reach = np.where(last, np.maximum.reduceat(end, first).take(marks.session), before.take(np.minimum(at, rows - 1)))
    some = where((at > first.take(marks.session)) & (marks.time <= reach + rules.take(marks.session).idle_timeout))
    if not len(some):
        return None
    some = some.take(np.lexsort([column.take(some) for column in (~marks.new, marks.reason, marks.time, at, marks.session)]))
    some = some.compress(changes(marks.session.take(some), at.take(some)))
    return _Ends(marks.take(some), at.take(some), last.take(some))


def _numbers(session: Index) -> npt.NDArray[np.uint32]:
    """0, 1, 2 … within each run of equal values."""
    count = np.arange(len(session))
    new = where(session[1:] != session[:-1]) + 1
    base = np.zeros(len(session), np.intp)
    base[new] = new
    return (count - np.maximum.accumulate(base)).astype(np.uint32)


def _cut_at_limits(first: Index, start: I64, end: I64, reason: Codes, rules: Rules, traces: Mask | None) -> None:
    """Add the cuts that limits make to `reason`, in place. Nearly no session exceeds one, so each that does may cost a plain loop."""
    begins = reason != NOT_ENDED
    begins[first] = True
    at = where(begins)
    session = np.searchsorted(first, at, side="right") - 1
    own = rules.take(session)
    long, many = exceeding(at, start, end, own, traces)
    over = (long | many) & own.cut_on_limit
    if not over.any():
        return
    until = np.append(first[1:], len(start))
    for number in np.unique(session.compress(over)).tolist():
        rows = slice(int(first[number]), int(until[number]))
        are = [True] * (rows.stop - rows.start) if traces is None else traces[rows].tolist()
        reason[rows] = _greedy(start[rows].tolist(), end[rows].tolist(), reason[rows].tolist(), are, rules.only(number))


def exceeding(first: Index, start: I64, end: I64, rules: Rules, traces: Mask | None = None) -> tuple[Mask, Mask]:
    """Which groups of rows exceed the duration, and which the number of traces. `rules` are those of each group."""
    if not len(first):
        return np.zeros(0, bool), np.zeros(0, bool)
    long = np.maximum.reduceat(end, first) - start.take(first) > rules.max_duration
    return long, counted(first, len(start), traces) > rules.max_traces


def counted(first: Index, rows: int, which: Mask | None) -> Index:
    """How many of these rows each group has; None for all."""
    return lengths(first, rows) if which is None else np.add.reduceat(which, first, dtype=np.intp)


def _greedy(start: list[int], end: list[int], reason: list[int], traces: list[bool], rules: Rules) -> list[int]:
    """The cuts of one session, row by row: a row that would exceed a limit begins the next segment. `rules` are plain numbers."""
    until = start[0] + rules.max_duration
    count = 0
    for row, cut_before in enumerate(reason):
        why = cut_before
        if not why and row:
            if end[row] > until:
                why = MAX_DURATION
            elif traces[row] and count >= rules.max_traces:
                why = MAX_TRACES
        if why:
            until, count = start[row] + rules.max_duration, 0
        reason[row] = why
        count += traces[row]
    return reason


def states(arrival: I64, end: I64, now: int, rules: Rules) -> Codes:
    """The state of sessions by their last arrival and last end."""
    silent = silence(arrival, end, now)
    return (silent >= rules.active_window).astype(np.uint8) + ((silent >= rules.active_window) & (silent >= rules.silence))


def silence(arrival: I64, end: I64, now: int) -> I64:
    """For how long sessions have been silent. A last end in the future is not yet silence."""
    return now - np.maximum(arrival, np.minimum(end, now))


def deadlines(arrival: I64, end: I64, state: Codes, rules: Rules) -> I64:
    """When the state will change if nothing more is heard; NEVER once it is ended."""
    heard = np.maximum(arrival, end)
    due = np.where(state == ACTIVE, heard + rules.active_window, heard + np.maximum(rules.silence, rules.active_window))
    return np.where(state == ENDED, NEVER, due)


def late(first: Index, end: I64, arrival: I64, rules: Rules) -> Mask:
    """Which segments were touched by a trace that arrived when they had been ended for longer than `allowed_lateness`.

    `first` is the first row of each segment, `rules` are those of each.
    """
    told = np.zeros(len(first), bool)
    if not len(first):
        return told
    wait = np.broadcast_to(rules.silence + rules.allowed_lateness, len(first))
    until = np.append(first[1:], len(end))
    spread = np.maximum.reduceat(arrival, first) - np.minimum.reduceat(arrival, first)
    for number in where(spread >= wait).tolist():  # nearly none
        rows = slice(int(first[number]), int(until[number]))
        by = np.argsort(arrival[rows], kind="stable")
        came = arrival[rows].take(by)
        heard = np.maximum.accumulate(np.maximum(came, end[rows].take(by)))
        told[number] = bool((came[1:] - heard[:-1] >= wait[number]).any())
    return told
