"""From the trace rows of a session, or of a segment of it, to its totals: every trace once, times as unions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from sojourn.schema import FLAGS
from sojourn.sessions.facets import greatest
from sojourn.sessions.lifecycle import Rules, covered, exceeding, late
from sojourn.sessions.order import lengths, ordered, spread, where
from sojourn.sessions.packed import U64, Index, Mask, Rows
from sojourn.sessions.rows import COUNTS

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
    """Row of the first turn, -1 for a group without turns."""
    last_turn: Index = field(init=False)


def summarise(rows: Rows, first: Index, only_turns: Mask, rules: Rules) -> Summary:
    """Sum TRACE rows up, sorted by (group, start, trace id); `first` is the first row of each group, and no group is empty.

    `only_turns` tells for each group whether its session has traces that are turns; else every trace is one.
    """
    start, end, arrival = (np.ascontiguousarray(rows[name]) for name in ("start", "end", "arrival"))
    sizes = lengths(first, len(rows))
    member = np.repeat(np.arange(len(first)), sizes)
    out = Summary(start.take(first), np.maximum.reduceat(end, first), np.maximum.reduceat(arrival, first))
    counts = {name: np.add.reduceat(rows[column], first, dtype=np.uint64) for name, column in COUNTS.items()}
    counts["Traces"] = sizes.astype(np.uint64)
    counts["WallNs"] = (out.end - out.start).astype(np.uint64)
    counts["ActiveNs"] = np.add.reduceat(covered(first, start, end)[0], first).astype(np.uint64)
    out.counts = counts
    out.cost, out.cost_sources = _cost(rows, first, member)
    _turns(out, rows, first, member, only_turns, end - start)
    _texts(out, rows, first, member)
    out.flags = _flags(rows, first, start, end, arrival, rules) | _over_budget(out, rules)
    return out


def _cost(rows: Rows, first: Index, member: Index) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
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


def _turns(out: Summary, rows: Rows, first: Index, member: Index, only_turns: Mask, duration: npt.NDArray[np.int64]) -> None:
    """How many turns there are, which are the first and the last, whether one failed, and how long they take."""
    turn = np.arange(len(rows))
    if only_turns.any():
        turn = where((rows["turn"] != 0) | ~only_turns.take(member))
        member = member.take(turn)
    groups = len(first)
    turns = np.bincount(member, minlength=groups)
    begin = np.cumsum(turns) - turns
    some = turns > 0
    out.first_turn = np.where(some, turn.take(np.minimum(begin, len(turn) - 1)), -1)
    out.last_turn = np.where(some, turn.take(np.maximum(begin + turns - 1, 0)), -1)
    out.error = np.bincount(member, rows["status"].take(turn), minlength=groups) > 0
    length = duration.take(turn)
    if turns.max() > 1:
        length = length.take(ordered(member, groups, spread(length), length)[0])
    for name, percent in (("TurnP50Ns", 50), ("TurnP95Ns", 95)):
        rank = begin + np.maximum(turns * percent + 99, 100) // 100 - 1  # nearest rank: the ceil(p · n)-th
        out.counts[name] = np.where(some, length.take(np.minimum(rank, len(turn) - 1)), 0).astype(np.uint64)
    out.counts["Turns"] = turns.astype(np.uint64)


def _texts(out: Summary, rows: Rows, first: Index, member: Index) -> None:
    """Name and user: the latest that was told; without a name the prompt name, else the name, of the earliest trace."""
    prompt = rows["prompt_name"].take(first)
    out.name = np.where(prompt != 0, prompt, rows["name"].take(first))
    out.name_source = np.full(len(first), DERIVED, np.uint8)
    out.user = np.zeros(len(first), np.uint64)
    named, told = _latest(rows, member, "session_name")
    out.name[named], out.name_source[named] = told, EXPLICIT
    users, told = _latest(rows, member, "user")
    out.user[users] = told


def _latest(rows: Rows, member: Index, what: str) -> tuple[Index, U64]:
    """Groups that are told a text, and the latest one by (span start, trace id, span id)."""
    values = rows[what]
    some = where(values)
    order = (f"{what}_at", "trace_hi", "trace_lo", f"{what}_span")
    groups, at = greatest(member.take(some), some, *(rows[name] for name in order))
    return groups, values.take(at)


def _flags(
    rows: Rows, first: Index, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64], arrival: npt.NDArray[np.int64], rules: Rules
) -> npt.NDArray[np.uint32]:
    flags = np.bitwise_or.reduceat(rows["flags"], first)
    ahead = np.maximum.reduceat(end - arrival, first) > rules.max_future_skew
    over, long = exceeding(first, start, end, rules)
    flags |= ahead * np.uint32(FLAGS["clock_skew"]) | late(first, end, arrival, rules) * np.uint32(FLAGS["late_data"])
    if over.any():
        many = over & (lengths(first, len(rows)) > (rules.max_traces or len(rows)))
        flags |= long * np.uint32(FLAGS["over_duration"]) | many * np.uint32(FLAGS["over_traces"])
    return flags


def _over_budget(out: Summary, rules: Rules) -> npt.NDArray[np.uint32]:
    flags = np.zeros(len(out.start), np.uint32)
    if rules.max_tokens is not None:
        spent = out.counts["InputTokens"] + out.counts["OutputTokens"]
        flags |= (spent > np.uint64(rules.max_tokens)) * np.uint32(FLAGS["over_tokens"])
    if rules.max_cost is not None:
        flags |= (out.cost > rules.max_cost) * np.uint32(FLAGS["over_cost"])
    return flags
