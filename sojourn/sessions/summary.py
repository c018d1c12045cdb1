"""From the trace rows of a session, or of a segment of it, to its totals: every trace once, times as unions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from sojourn.schema import FLAGS
from sojourn.sessions.facets import greatest
from sojourn.sessions.lifecycle import Rules, counted, covered, exceeding, late
from sojourn.sessions.order import changes, lengths, ordered, spread, where
from sojourn.sessions.packed import U64, Index, Mask, Rows
from sojourn.sessions.rows import COUNTS
from sojourn.sessions.turns import Prompts

MANUAL, EXPLICIT, DERIVED = range(3)
NAME_SOURCES: Final = ("manual", "explicit", "derived")
_MOST: Final = np.iinfo(np.int64).max


@dataclass(slots=True)
class Summary:
    """The totals of groups of trace rows; arrays of one length, one element per group. Names are those of `schema.SESSION_ROWS`."""

    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    arrival: npt.NDArray[np.int64]
    counts: dict[str, npt.NDArray[np.uint64]] = field(default_factory=dict)
    cost: npt.NDArray[np.int64] = field(init=False)
    cost_sources: npt.NDArray[np.uint8] = field(init=False)
    error: Mask = field(init=False)
    flags: npt.NDArray[np.uint32] = field(init=False)
    name: U64 = field(init=False)
    name_source: npt.NDArray[np.uint8] = field(init=False)
    user: U64 = field(init=False)
    first_turn: Index = field(init=False)
    """Row of the first turn, -1 for a group without turns, and where prompts make them."""
    last_turn: Index = field(init=False)
    first_prompt: U64 = field(init=False)
    """Hash of the text of the first prompt."""
    last_answer: U64 = field(init=False)
    """Hash of what the last call gave, where prompts make the turns."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """What rows are, and the turns that are no rows."""

    traces: Mask | None = None
    """Rows that are traces; None: all of them."""
    turns: Mask | None = None
    """Rows that are turns; None: all of them."""
    prompts: Prompts | None = None
    """Turns that prompts began, by group."""
    prompted: Mask | None = None
    """Groups of sessions whose turns are those."""


def summarise(rows: Rows, first: Index, kinds: Kinds, rules: Rules) -> Summary:
    """Sum TRACE rows up, sorted by (group, start, trace id). `first` is the first row of each group (none is empty), `rules` are theirs."""
    start, end, arrival = (np.ascontiguousarray(rows[name]) for name in ("start", "end", "arrival"))
    member = np.repeat(np.arange(len(first)), lengths(first, len(rows)))
    out = Summary(start.take(first), np.maximum.reduceat(end, first), np.maximum.reduceat(arrival, first))
    counts = {name: np.add.reduceat(rows[column], first, dtype=np.uint64) for name, column in COUNTS.items()}
    counts["Traces"] = counted(first, len(rows), kinds.traces).astype(np.uint64)
    counts["WallNs"] = (out.end - out.start).astype(np.uint64)
    counts["ActiveNs"] = np.add.reduceat(covered(first, start, end)[0], first).astype(np.uint64)
    out.counts = counts
    out.cost, out.cost_sources = _cost(rows, first)
    _turns(out, rows, member, kinds, end - start)
    _edges(out, rows, member, kinds)
    _texts(out, rows, first, member, kinds.traces)
    out.flags = _flags(rows, first, start, end, arrival, kinds.traces, rules) | _over_budget(out, rules)
    return out


def _cost(rows: Rows, first: Index) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """The sum of what is known, -1 if nothing is; at most what 64 bits hold."""
    cost = np.ascontiguousarray(rows["cost"])
    known = cost >= 0
    some = np.maximum.reduceat(known, first)
    plain = np.where(known, cost, 0)
    if int(plain.max()) > _MOST // len(rows):  # never with honest prices: 9 million dollars in all
        high = np.add.reduceat(plain >> 32, first)
        low = np.add.reduceat(plain & 0xFFFFFFFF, first)
        high += low >> 32
        total = np.where(high >= 1 << 31, _MOST, (np.minimum(high, (1 << 31) - 1) << 32) | (low & 0xFFFFFFFF))
    else:
        total = np.add.reduceat(plain, first)
    return np.where(some, total, -1), np.bitwise_or.reduceat(rows["cost_sources"], first)


def _turns(out: Summary, rows: Rows, member: Index, kinds: Kinds, duration: npt.NDArray[np.int64]) -> None:
    """How many turns there are, which traces are the first and the last, whether one failed, and how long they take."""
    groups = len(out.start)
    turn = np.arange(len(rows))
    if kinds.turns is not None:
        turn = where(kinds.turns)
        member = member.take(turn)
    turns, begin = _counted(member, groups)
    out.first_turn, out.last_turn = _of_some(turn, begin, turns, -1), _of_some(turn, begin + turns - 1, turns, -1)
    out.error = np.bincount(member, rows["status"][turn], minlength=groups) > 0
    length = duration.take(turn)
    if kinds.prompts is not None:
        member, length = np.concatenate([member, kinds.prompts.place]), np.concatenate([length, kinds.prompts.length])
        turns, begin = _counted(member, groups)
    if kinds.prompts is not None or turns.max() > 1:
        length = length.take(ordered(member, groups, spread(length), length)[0])
    for name, percent in (("TurnP50Ns", 50), ("TurnP95Ns", 95)):
        rank = np.maximum(turns * percent + 99, 100) // 100 - 1  # nearest rank: the ceil(p · n)-th
        out.counts[name] = _of_some(length, begin + rank, turns, 0).astype(np.uint64)
    out.counts["Turns"] = turns.astype(np.uint64)


def _counted(member: Index, groups: int) -> tuple[Index, Index]:
    """How many each group has, and where they begin once they are sorted by group."""
    counts = np.bincount(member, minlength=groups)
    return counts, np.cumsum(counts) - counts


def _of_some(values: npt.NDArray[np.int64], at: Index, counts: Index, nothing: int) -> npt.NDArray[np.int64]:
    """The value at each position, where there is any."""
    if not len(values):
        return np.full(len(at), nothing, np.int64)
    return np.where(counts > 0, values.take(np.clip(at, 0, len(values) - 1)), nothing)


def _edges(out: Summary, rows: Rows, member: Index, kinds: Kinds) -> None:
    """What sessions with prompts begin and end with, and that any of their traces may have failed."""
    out.first_prompt = out.last_answer = np.zeros(len(out.start), np.uint64)
    if kinds.prompts is None or kinds.prompted is None:
        return
    out.last_answer = out.last_answer.copy()
    first = where(changes(kinds.prompts.place))
    out.first_prompt[kinds.prompts.place.take(first)] = kinds.prompts.text.take(first)
    mine = kinds.prompted.take(member)
    calls = where(mine & (rows["last_call_at"] != 0))
    groups, at = greatest(member.take(calls), calls, *(rows[name] for name in ("last_call_at", "trace_hi", "trace_lo", "last_call_span")))
    out.last_answer[groups] = rows["last_call_output"][at]
    failed = mine & (rows["status"] != 0) & (rows["spans"] != 0)
    out.error[member.compress(failed)] = True


def _texts(out: Summary, rows: Rows, first: Index, member: Index, traces: Mask | None) -> None:
    """Name and user: the latest that was told; without a name the prompt name, else the name, of the earliest trace."""
    out.name = np.zeros(len(first), np.uint64)
    earliest, groups = first, np.arange(len(first))
    if traces is not None:
        some = where(traces)
        new = changes(member.take(some))
        earliest, groups = some.compress(new), member.take(some).compress(new)
    prompt = rows["prompt_name"][earliest]
    out.name[groups] = np.where(prompt != 0, prompt, rows["name"][earliest])
    out.name_source = np.full(len(first), DERIVED, np.uint8)
    out.user = np.zeros(len(first), np.uint64)
    named, told = _latest(rows, member, "session_name", traces)
    out.name[named], out.name_source[named] = told, EXPLICIT
    users, told = _latest(rows, member, "user", None)
    out.user[users] = told


def _latest(rows: Rows, member: Index, what: str, traces: Mask | None) -> tuple[Index, U64]:
    """Groups that are told a text, and the latest one by (span start, trace id, span id)."""
    values = rows[what]
    some = where(values if traces is None else (values != 0) & traces)
    order = (f"{what}_at", "trace_hi", "trace_lo", f"{what}_span")
    groups, at = greatest(member.take(some), some, *(rows[name] for name in order))
    return groups, values.take(at)


def _flags(
    rows: Rows,
    first: Index,
    start: npt.NDArray[np.int64],
    end: npt.NDArray[np.int64],
    arrival: npt.NDArray[np.int64],
    traces: Mask | None,
    rules: Rules,
) -> npt.NDArray[np.uint32]:
    flags = np.bitwise_or.reduceat(rows["flags"], first)
    ahead = np.maximum.reduceat(end - arrival, first) > rules.max_future_skew
    flags |= ahead * np.uint32(FLAGS["clock_skew"]) | late(first, end, arrival, rules) * np.uint32(FLAGS["late_data"])
    long, many = exceeding(first, start, end, rules, traces)
    if long.any() or many.any():
        flags |= long * np.uint32(FLAGS["over_duration"]) | many * np.uint32(FLAGS["over_traces"])
    return flags


def _over_budget(out: Summary, rules: Rules) -> npt.NDArray[np.uint32]:
    spent = out.counts["InputTokens"] + out.counts["OutputTokens"]
    many = spent > np.asarray(rules.max_tokens, np.uint64)
    return many * np.uint32(FLAGS["over_tokens"]) | (out.cost > rules.max_cost) * np.uint32(FLAGS["over_cost"])
