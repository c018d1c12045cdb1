"""Rows in groups: one row per identity, parents, the least row of each group. Mechanics only; no rule of what a session is lives here.

Everything works on rows sorted by (group, scrambled id), because sorting one 64-bit number is ten times faster than sorting two columns.
Where two shortened ids clash, the few rows concerned are compared exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sojourn.sessions.packed import U64, Index, Mask

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
    key: U64
    """The sort key of each kept row."""
    number: npt.NDArray[np.uint32]
    """The caller's group number of each kept row."""
    first: Index
    """Position of each group's first row."""
    member: Index
    """For each kept row the position of its group in `first`."""
    bits: int

    @property
    def count(self) -> int:
        return len(self.first)

    @property
    def sizes(self) -> Index:
        return np.diff(np.append(self.first, len(self.order)))


def one_row_each(group: npt.NDArray[np.uint32], ident: U64, version: tuple[U64, U64], bits: int = 64 - GROUP_BITS) -> Groups:
    """Of the rows with one (group, ident) keep the one with the greatest version; at equal versions the one that comes first."""
    key = short_keys(group, ident, bits)
    order = np.argsort(key)
    key = key.take(order)
    pair = np.flatnonzero(key[1:] == key[:-1])
    if len(pair):
        run = np.unique(np.concatenate([pair, pair + 1]))
        rows = order.take(run)
        exact = np.lexsort((-rows, version[1].take(rows), version[0].take(rows), ident.take(rows), key.take(run)))
        order[run] = rows.take(exact)
        same = ident.take(order.take(pair)) == ident.take(order.take(pair + 1))
        keep = np.ones(len(order), bool)
        keep[pair[same]] = False  # of equal ones the last is the greatest
        order, key = order.compress(keep), key.compress(keep)
    number = group.take(order)
    new = np.empty(len(number), bool)
    new[:1] = True
    np.not_equal(number[1:], number[:-1], out=new[1:])
    return Groups(order, key, number, np.flatnonzero(new), np.cumsum(new) - 1, bits)


def find(groups: Groups, idents: U64, group: npt.NDArray[np.uint32], ident: U64) -> Index:
    """Position of the row (group, ident) among the kept rows, -1 where there is none. `idents` are the ids of the kept rows."""
    if not len(idents):
        return np.full(len(ident), -1, np.intp)
    want = short_keys(group, ident, groups.bits)
    by = np.argsort(want)  # searchsorted is eight times faster with sorted needles
    at = np.searchsorted(groups.key, want.take(by))
    out = np.full(len(want), -1, np.intp)
    last = len(groups.key) - 1
    while len(by):
        inside = at <= last
        by, at = by.compress(inside), at.compress(inside)
        alike = groups.key.take(at) == want.take(by)
        by, at = by.compress(alike), at.compress(alike)
        hit = idents.take(at) == ident.take(by)
        out[by.compress(hit)] = at.compress(hit)
        by, at = by.compress(~hit), at.compress(~hit) + 1  # a clash of shortened ids: look at the next one
    return out


def parents(groups: Groups, idents: U64, parent: U64) -> Index:
    """Position of each row's parent, -1 for a root or where the parent is not known."""
    up = np.full(len(idents), -1, np.intp)
    child = np.flatnonzero(parent)
    up[child] = find(groups, idents, groups.number.take(child), parent.take(child))
    return up


def cut_cycles(up: Index, idents: U64) -> Index:
    """Cut parent links that form a cycle at the least id of the cycle, in place; gives the rows that were cut."""
    at, steps = up, 1
    alive = np.flatnonzero(at >= 0)
    while len(alive) and steps <= 2 * len(up):  # pointer doubling: log2(depth) rounds
        at = np.where(at >= 0, at.take(at), -1)
        alive = alive.compress(at.take(alive) >= 0)
        steps *= 2
    cut = []
    done: set[int] = set()
    for row in alive.tolist():
        path: dict[int, None] = {}
        while row >= 0 and row not in done and row not in path:
            path[row] = None
            row = int(up[row])
        if row in path:
            ring = list(path)[list(path).index(row) :]
            least = min(ring, key=lambda each: int(idents[each]))
            up[least] = -1
            cut.append(least)
        done.update(path)
    return np.array(cut, np.intp)


def least(groups: Groups, mask: Mask, rank: npt.NDArray[np.uint8], at: npt.NDArray[np.int64], ident: U64) -> Index:
    """The row of each group with the least (rank, at, ident) among those of `mask`; -1 where a group has none."""
    rows = np.flatnonzero(mask)
    for values in (rank, at, ident):
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
    mine = values.take(rows)
    low = np.minimum.reduceat(mine, first)
    return rows.compress(mine == np.repeat(low, np.diff(np.append(first, len(rows)))))


def greatest(groups: Groups, mask: Mask, at: npt.NDArray[np.int64], ident: U64) -> Index:
    """The row of each group with the greatest (at, ident) among those of `mask`; -1 where a group has none."""
    rank = np.zeros(len(mask), np.uint8)
    return least(groups, mask, rank, ~at, ~ident)
