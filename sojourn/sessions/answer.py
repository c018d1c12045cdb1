"""What is true of some sessions at one moment: their segments, states and totals, from their trace rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sojourn.schema import FLAGS, MOST_TRACES
from sojourn.sessions.facets import Facets, Lookup, unite
from sojourn.sessions.figures import Figures, of_groups
from sojourn.sessions.gather import Gathered
from sojourn.sessions.lifecycle import ENDED, EXPLICIT, IDLE_TIMEOUT, NOT_ENDED, Codes, Marks, Rules, Segments, cut, states
from sojourn.sessions.order import lengths, where
from sojourn.sessions.packed import Index, Mask, take
from sojourn.sessions.summary import Kinds, Summary, summarise
from sojourn.sessions.turns import Prompts, prompts_of, traces_of, turns_of

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
    figures: Figures | None
    """Scores and measures, where there are any."""
    traces: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]
    """Trace ids (high, low) by the row numbers of `summary.first_turn` and `last_turn`."""
    touched: Mask
    """Which groups have rows that are new, or were ended by a mark that is."""


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

    def lay(self, which: Mask | None) -> Mask | None:
        """What is told of rows, told of them as they are laid out."""
        return which if which is None or self.rows is None else which.take(self.rows)

    def groups(self, segment: Index, segments: Segments, sessions: int) -> tuple[Index | None, Index]:
        """The groups of things by the segment that each is in; what is in a session with several segments is in two.

        Gives the things (None for each one as it stands) and their groups.
        """
        place = np.empty(len(segments.first), np.intp)
        place[self.segment] = np.arange(len(self.segment))
        group = place.take(segment)
        if not self.divided:
            return None, group
        whole = np.full(sessions, -1, np.intp)
        whole[self.session[len(place) :]] = np.arange(len(place), len(self.session))
        also = whole.take(segments.session.take(segment))
        twice = where(also >= 0)
        return np.concatenate([np.arange(len(segment)), twice]), np.concatenate([group, also.take(twice)])


def answer(gathered: Gathered, marks: Marks | None, fresh: int, rules: Rules, now: int, lookup: Lookup) -> Answer:
    """Answer for all sessions of `gathered` that have rows; there must be one. Rows of the pile from `fresh` on are new.

    `marks` and `rules` tell sessions by their numbers.
    """
    rows, alive = gathered.rows, where(gathered.counts)
    counts, rules = gathered.counts.take(alive), rules.take(alive)
    first = np.cumsum(counts) - counts
    traces = traces_of(rows)
    marks = None if marks is None else _of_the_living(marks, alive, len(gathered.counts))
    start, end = np.ascontiguousarray(rows["start"]), np.ascontiguousarray(rows["end"])
    segments = cut(first, start, end, rules, traces, marks)
    several = np.bincount(segments.session, minlength=len(alive))
    plan = _plan(segments, several, counts, len(rows))
    session = np.repeat(np.arange(len(alive)), counts)
    prompts, prompted = prompts_of(gathered, session, segments)
    turns = turns_of(rows, first, session, traces, prompted)
    laid = rows if plan.rows is None else take(rows, plan.rows)
    kinds = Kinds(plan.lay(traces), plan.lay(turns), *_prompts(prompts, prompted, segments, plan, len(alive)))
    summary = summarise(laid, plan.first, kinds, rules.take(plan.session))
    facets, figures = _facets(gathered, segments, plan, len(alive), lookup)
    _session_flags(summary, facets.truncated if figures is None else facets.truncated | figures.truncated, segments, plan)
    if len(rows) >= MOST_TRACES:
        summary.flags |= (counts >= MOST_TRACES).take(plan.session) * np.uint32(FLAGS["limited"])
    whole = slice(plan.divided, len(plan.first))
    state, reason, number = _states(summary, segments, plan, several, whole, now, rules)
    ids = np.ascontiguousarray(laid["trace_hi"]), np.ascontiguousarray(laid["trace_lo"])
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
        figures,
        ids,
        _touched(gathered.place >= fresh, segments, plan),
    )


def _of_the_living(marks: Marks, alive: Index, count: int) -> Marks:
    """Marks by the places of sessions among those that have rows."""
    place = np.full(count, -1, np.intp)
    place[alive] = np.arange(len(alive))
    return replace(marks, session=place.take(marks.session)).take(where(place.take(marks.session) >= 0))


def _touched(news: Mask, segments: Segments, plan: _Plan) -> Mask:
    touched: Mask = np.logical_or.reduceat(news if plan.rows is None else news.take(plan.rows), plan.first)
    if segments.anew is not None:
        touched[: len(plan.segment)] |= segments.anew.take(plan.segment)
    return touched


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


def _facets(gathered: Gathered, segments: Segments, plan: _Plan, sessions: int, lookup: Lookup) -> tuple[Facets, Figures | None]:
    rows, facets, at = gathered.rows, gathered.facets, gathered.facet_row
    begins = np.zeros(len(rows), np.intp)
    begins[segments.first[1:]] = 1
    which, group = plan.groups(np.cumsum(begins).take(at), segments, sessions)
    if which is not None:
        facets, at = take(facets, which), at.take(which)
    return unite(facets, group, at, rows, len(plan.first), lookup), of_groups(facets, group, len(plan.first))


def _prompts(
    prompts: Prompts | None, prompted: Mask | None, segments: Segments, plan: _Plan, sessions: int
) -> tuple[Prompts | None, Mask | None]:
    """Prompts by group, and which groups are of sessions that have them."""
    if prompts is None or prompted is None:
        return None, None
    which, group = plan.groups(prompts.place, segments, sessions)
    return prompts.of(np.arange(len(group)) if which is None else which, group), prompted.take(plan.session)


def _session_flags(summary: Summary, truncated: Mask, segments: Segments, plan: _Plan) -> None:
    """A session has the flags of its segments; whether it exceeds a limit as a whole says nothing, but for tokens and cost."""
    summary.flags |= truncated * np.uint32(FLAGS["truncated"])
    if plan.divided:
        own = plan.session[: plan.divided]
        if segments.anew is not None:
            summary.flags[: plan.divided] |= _after_a_mark(segments).take(plan.segment[: plan.divided])
        first = where(np.append(True, own[1:] != own[:-1]))
        of_segments = np.bitwise_or.reduceat(summary.flags[: plan.divided], first)
        whole = slice(len(plan.segment), None)
        summary.flags[whole] = of_segments | (summary.flags[whole] & _BUDGET)


def _after_a_mark(segments: Segments) -> npt.NDArray[np.uint32]:
    """The flag of the segments behind one that was ended by a mark."""
    marked = np.append(False, segments.reason[:-1] >= EXPLICIT) & (segments.number > 0)
    return marked * np.uint32(FLAGS["activity_after_end"])


def _states(
    summary: Summary, segments: Segments, plan: _Plan, several: Index, whole: slice, now: int, rules: Rules
) -> tuple[Codes, Codes, npt.NDArray[np.uint32]]:
    """State, reason and number of each group. Every segment that something has ended is ended, whatever the clock says."""
    of_session = np.empty(len(several), np.uint8)
    mine = plan.session[whole]
    of_session[mine] = states(summary.arrival[whole], summary.end[whole], now, rules.take(mine))
    last = segments.reason.take(np.cumsum(several) - 1)
    of_session[last != NOT_ENDED] = ENDED
    state = of_session.take(plan.session)
    number = np.zeros(len(plan.first), np.uint32)
    reason = last.take(plan.session)
    count = len(plan.segment)
    number[:count] = segments.number.take(plan.segment)
    reason[:count] = segments.reason.take(plan.segment)
    state[reason != NOT_ENDED] = ENDED
    reason[(state == ENDED) & (reason == NOT_ENDED)] = IDLE_TIMEOUT
    return state, reason, number
