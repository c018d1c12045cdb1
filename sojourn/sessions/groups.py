"""Rows in groups: one row per span, parents, the least row of each group. Mechanics only; no rule of what a session is lives here.

The heavy part is native (`_native.arrange`); what is left works on its order: by (group, scrambled id), so one 64-bit number finds a row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sojourn import _native
from sojourn.sessions.order import where
from sojourn.sessions.packed import U64, Index, Mask, Rows, take

GROUP_BITS = 24
"""A group of requests holds at most 2^24 traces."""
_SCRAMBLE = np.uint64(0x9E3779B97F4A7C15)


def short_keys(group: npt.NDArray[np.uint32], ident: U64, bits: int = 64 - GROUP_BITS) -> U64:
    """(group, shortened ident) as one number: sorts by group first."""
    scrambled = ident * _SCRAMBLE
    scrambled ^= scrambled >> np.uint64(29)
    scrambled *= _SCRAMBLE
    return (group.astype(np.uint64) << np.uint64(bits)) | (scrambled >> np.uint64(64 - bits))


@dataclass(frozen=True, slots=True)
class Groups:
    """Where the kept rows are and how they are cut into groups."""

    order: Index
    """Index into the rows given, of the rows kept, sorted by (group, scrambled id)."""
    number: npt.NDArray[np.uint32]
    """The caller's group number of each kept row."""
    first: Index
    """Position of each group's first row."""
    member: Index
    """For each kept row the position of its group in `first`."""
    sizes: Index
    """Rows of each group."""
    bits: int
    """Bits of a scrambled id in the sort key."""

    @property
    def count(self) -> int:
        return len(self.first)


def arrange(rows: Rows, bits: int = 64 - GROUP_BITS, apart: Mask | None = None) -> tuple[Groups, Rows, Index, Index]:
    """Of FACT rows with one (trace, span) keep the one with the greatest version, of equal copies the first, and link the trees.

    Rows that are `apart` stand under no other, whatever parent they name.

    Gives the groups, the kept rows, each kept row's parent by position (-1 for a root or an unknown parent), and the rows whose parent
    link was cut because it closed a cycle (at the least span id of it).
    """
    trace, span, parent, end, digest = (np.ascontiguousarray(rows[name]) for name in ("trace", "span", "parent", "sent_end", "digest"))
    if apart is not None:
        parent = np.where(apart, np.uint64(0), parent)
    order, first, up, cut = (np.frombuffer(each, np.int64) for each in _native.arrange(trace, span, parent, end, digest, bits))
    kept = take(rows, order)
    sizes = np.diff(np.append(first, len(order)))
    groups = Groups(order, kept["trace"], first, np.repeat(np.arange(len(first)), sizes), sizes, bits)
    if len(order) < len(rows):
        earlier, place = _came_earlier(groups, rows, kept)
        if len(earlier):
            order = order.copy()
            order[place] = earlier
            groups, kept = replace(groups, order=order), take(rows, order)
    return groups, kept, up, cut


def _came_earlier(groups: Groups, rows: Rows, kept: Rows) -> tuple[Index, Index]:
    """Equal copies that arrived before those kept, since the clock went back, and which of the kept rows they replace; the earliest last.

    What has no time of its own is as old as its first copy, and that is the one that the tables keep (docs/decisions/0015).
    """
    left = np.ones(len(rows), bool)
    left[groups.order] = False
    others = where(left)
    mine = take(rows, others)
    place = find(groups, kept["span"], mine["trace"], mine["span"])
    than = take(kept, place)
    same = (mine["sent_end"] == than["sent_end"]) & (mine["digest"] == than["digest"])
    earlier = where(same & (mine["arrival"] < than["arrival"]))
    earlier = earlier[::-1]  # so that of several the first wins
    earlier = earlier.take(np.argsort(-mine["arrival"][earlier], kind="stable"))
    return others.take(earlier), place.take(earlier)


def find(groups: Groups, idents: U64, group: npt.NDArray[np.uint32], ident: U64) -> Index:
    """Position of the row (group, ident) among the kept rows, -1 where there is none. `idents` are the ids of the kept rows."""
    if not len(idents):
        return np.full(len(ident), -1, np.intp)
    key = short_keys(groups.number, idents, groups.bits)
    want = short_keys(group, ident, groups.bits)
    by = np.argsort(want)  # searchsorted is eight times faster with sorted needles
    at = np.searchsorted(key, want.take(by))
    out = np.full(len(want), -1, np.intp)
    last = len(key) - 1
    while len(by):
        inside = at <= last
        by, at = by.compress(inside), at.compress(inside)
        alike = key.take(at) == want.take(by)
        by, at = by.compress(alike), at.compress(alike)
        hit = idents.take(at) == ident.take(by)
        out[by.compress(hit)] = at.compress(hit)
        by, at = by.compress(~hit), at.compress(~hit) + 1  # a clash of shortened ids: look at the next one
    return out


def least(groups: Groups, mask: Mask, rank: npt.NDArray[np.uint8], at: npt.NDArray[np.int64], ident: U64) -> Index:
    """The row of each group with the least (rank, at, ident) among those of `mask`; -1 where a group has none."""
    return _least_by(groups, where(mask), rank, at, ident)


def _least_by(groups: Groups, rows: Index, *columns: npt.NDArray[np.generic]) -> Index:
    for values in columns:
        if len(rows) <= 1:
            break
        rows = _least_only(groups.member.take(rows), rows, values)
    out = np.full(groups.count, -1, np.intp)
    out[groups.member.take(rows)] = rows
    return out


def _least_only(member: Index, rows: Index, values: npt.NDArray[np.generic]) -> Index:
    """Of `rows` (sorted by group) those whose value is the least of their group."""
    new = np.empty(len(member), bool)
    new[:1] = True
    np.not_equal(member[1:], member[:-1], out=new[1:])
    first = np.flatnonzero(new)
    if len(first) == len(rows):
        return rows
    mine = values[rows]
    low = np.minimum.reduceat(mine, first)
    return rows.compress(mine == np.repeat(low, np.diff(np.append(first, len(rows)))))


def greatest(groups: Groups, mask: Mask, at: npt.NDArray[np.int64], ident: U64) -> Index:
    """The row of each group with the greatest (at, ident) among those of `mask`; -1 where a group has none."""
    return _least_by(groups, where(mask), ~at, ~ident)
