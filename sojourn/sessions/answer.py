"""What is true of some sessions at one moment: their segments, states and totals, from their trace rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sojourn.schema import FLAGS
from sojourn.sessions.facets import Facets, Lookup, unite
from sojourn.sessions.gather import Gathered
from sojourn.sessions.lifecycle import ENDED, IDLE_TIMEOUT, Codes, Rules, Segments, cut, states
from sojourn.sessions.order import lengths, where
from sojourn.sessions.packed import Index, Mask, take
from sojourn.sessions.summary import Summary, summarise

_BUDGET = np.uint32(FLAGS["over_tokens"] | FLAGS["over_cost"])


@dataclass(frozen=True, slots=True)
class Answer:
    """Totals of segments and of whole sessions in one set of arrays, the *groups*.

    First come the segments of sessions that have several, then the sessions that have one, which are their own segment, and last the
    sessions that have several. So segments and sessions are both a slice, and what is both is summed up once.
    """

    session: Index
    """The number of each group's session."""
    number: npt.NDArray[np.uint32]
    """Number of the segment; meaningless in the last part."""
    segments: slice
    sessions: slice
    several: npt.NDArray[np.uint32]
    """How many segments each group's session has."""
    state: Codes
    reason: Codes
    summary: Summary
    facets: Facets
    traces: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]
    """Trace ids (high, low) by the row numbers of `summary.first_turn` and `last_turn`."""
    touched: Mask
    """Which groups have rows that are new."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which rows make which groups."""

    rows: Index | None
    """None: the rows as they stand."""
    first: Index
    session: Index
    segment: Index
    """For each group that is a segment, its place in Segments."""
    divided: int
    """How many segments belong to sessions with several."""


def answer(gathered: Gathered, fresh: int, rules: Rules, now: int, lookup: Lookup) -> Answer:
    """Answer for all sessions of `gathered` that have rows; there must be one. Rows of the pile from `fresh` on are new."""
    rows, alive = gathered.rows, where(gathered.counts)
    first = np.cumsum(gathered.counts.take(alive)) - gathered.counts.take(alive)
    segments = cut(first, np.ascontiguousarray(rows["start"]), np.ascontiguousarray(rows["end"]), rules)
    several = np.bincount(segments.session, minlength=len(alive))
    plan = _plan(segments, several, gathered.counts.take(alive), len(rows))
    only_turns = np.maximum.reduceat(rows["turn"], first) != 0
    laid = rows if plan.rows is None else take(rows, plan.rows)
    summary = summarise(laid, plan.first, only_turns.take(plan.session), rules)
    facets = _facets(gathered, segments, plan, alive, lookup)
    _session_flags(summary, facets, plan)
    whole = slice(plan.divided, len(plan.first))
    state, reason, number = _states(summary, segments, plan, several, whole, now, rules)
    ids = np.ascontiguousarray(laid["trace_hi"]), np.ascontiguousarray(laid["trace_lo"])
    news = gathered.place >= fresh
    touched = np.logical_or.reduceat(news if plan.rows is None else news.take(plan.rows), plan.first)
    return Answer(
        alive.take(plan.session),
        number,
        slice(0, len(segments.first)),
        whole,
        several.take(plan.session).astype(np.uint32),
        state,
        reason,
        summary,
        facets,
        ids,
        touched,
    )


def _plan(segments: Segments, several: Index, counts: Index, rows: int) -> _Plan:
    """Lay the groups out: see Answer."""
    many = several > 1
    if not many.any():
        return _Plan(None, segments.first, segments.session, np.arange(len(segments.first)), 0)
    divided = many.take(segments.session)
    order = np.concatenate([where(divided), where(~divided)])
    of_many = np.repeat(many, counts)
    twice, once = where(of_many), where(~of_many)
    sizes = np.concatenate([lengths(segments.first, rows).take(order), counts.compress(many)])
    return _Plan(
        np.concatenate([twice, once, twice]),
        np.cumsum(sizes) - sizes,
        np.concatenate([segments.session.take(order), where(many)]),
        order,
        int(divided.sum()),
    )


def _facets(gathered: Gathered, segments: Segments, plan: _Plan, alive: Index, lookup: Lookup) -> Facets:
    rows, facets, at = gathered.rows, gathered.facets, gathered.facet_row
    begins = np.zeros(len(rows), np.intp)
    begins[segments.first[1:]] = 1
    segment = np.cumsum(begins).take(at)
    place = np.empty(len(segments.first), np.intp)
    place[plan.segment] = np.arange(len(plan.segment))
    group = place.take(segment)
    if plan.divided:  # what belongs to a session with several segments is told of it as well
        whole = np.full(len(alive), -1, np.intp)
        whole[plan.session[len(place) :]] = np.arange(len(place), len(plan.session))
        also = whole.take(segments.session.take(segment))
        twice = where(also >= 0)
        facets, at = take(facets, np.concatenate([np.arange(len(facets)), twice])), np.concatenate([at, at.take(twice)])
        group = np.concatenate([group, also.take(twice)])
    return unite(facets, group, at, rows, len(plan.first), lookup)


def _session_flags(summary: Summary, facets: Facets, plan: _Plan) -> None:
    """A session has the flags of its segments; whether it exceeds a limit as a whole says nothing, but for tokens and cost."""
    summary.flags |= facets.truncated * np.uint32(FLAGS["truncated"])
    if plan.divided:
        own = plan.session[: plan.divided]
        first = where(np.append(True, own[1:] != own[:-1]))
        of_segments = np.bitwise_or.reduceat(summary.flags[: plan.divided], first)
        whole = slice(len(plan.segment), None)
        summary.flags[whole] = of_segments | (summary.flags[whole] & _BUDGET)


def _states(
    summary: Summary, segments: Segments, plan: _Plan, several: Index, whole: slice, now: int, rules: Rules
) -> tuple[Codes, Codes, npt.NDArray[np.uint32]]:
    """State, reason and number of each group. Every segment but the last is ended, whatever the clock says."""
    of_session = np.empty(len(several), np.uint8)
    of_session[plan.session[whole]] = states(summary.arrival[whole], summary.end[whole], now, rules)
    state = of_session.take(plan.session)
    number = np.zeros(len(plan.first), np.uint32)
    reason = np.zeros(len(plan.first), np.uint8)
    count = len(plan.segment)
    number[:count] = segments.number.take(plan.segment)
    last: Mask = number[:count] + 1 == several.take(plan.session[:count])
    state[:count][~last] = ENDED
    reason[:count] = segments.reason.take(plan.segment)
    reason[(state == ENDED) & (reason == 0)] = IDLE_TIMEOUT
    return state, reason, number
