"""Sorting rows by a group and a value, three times faster than argsort: the row's number rides in the low bits of what is sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sojourn.sessions.packed import U64, Index, Mask

_SCRAMBLE = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


def where(mask: npt.NDArray[Any]) -> Index:
    """np.flatnonzero, without what it costs on a handful of rows."""
    return mask.nonzero()[0]


def lengths(first: Index, count: int) -> Index:
    """How many rows each group has, by the positions of their first rows and the number of all rows."""
    out = np.empty(len(first), np.intp)
    if len(out):
        np.subtract(first[1:], first[:-1], out=out[:-1])
        out[-1] = count - first[-1]
    return out


def scramble(*columns: npt.NDArray[np.uint64]) -> U64:
    """One number from several whose upper bits differ where the columns do, nearly always."""
    out = columns[0] * _SCRAMBLE[0]
    for column in columns[1:]:
        out ^= out >> np.uint64(29)
        out += column * _SCRAMBLE[1]
    out ^= out >> np.uint64(29)
    out *= _SCRAMBLE[0]
    return out


def spread(values: npt.NDArray[np.int64]) -> U64:
    """Numbers ≥ 0, shifted so that the greatest fills 64 bits: their upper bits are the ones that tell them apart."""
    return values.astype(np.uint64) << np.uint64(64 - max(int(values.max(initial=1)).bit_length(), 1))


def ordered(group: Index, groups: int, value: U64, *exact: npt.NDArray[np.generic]) -> tuple[Index, Index]:
    """The order of rows by (group, value), and where two neighbours may be alike.

    As many upper bits of `value` are compared as there is room for. Rows that these do not tell apart are sorted by `exact`, the least
    significant column first, as for np.lexsort; the row's number decides in the end. All columns are numbers.
    """
    count = len(group)
    for_group, for_row = max(groups - 1, 1).bit_length(), max(count - 1, 1).bit_length()
    low = np.uint64((1 << for_row) - 1)
    key = group.astype(np.uint64) << np.uint64(64 - for_group)
    key |= value >> np.uint64(for_group)
    key &= ~low
    key |= np.arange(count, dtype=np.uint64)
    key.sort()
    order = (key & low).astype(np.intp)
    key >>= np.uint64(for_row)
    alike = where(key[1:] == key[:-1])
    if len(alike) and exact:
        run = np.unique(np.concatenate([alike, alike + 1]))
        rows = order.take(run)
        order[run] = rows.take(np.lexsort((rows, *(column.take(rows) for column in exact), key.take(run))))
    return order, alike


def changes(*columns: npt.NDArray[np.generic]) -> Mask:
    """Where a value differs from the one before it, in any column; True for the first row."""
    new = np.empty(len(columns[0]), bool)
    new[:1] = True
    np.not_equal(columns[0][1:], columns[0][:-1], out=new[1:])
    for column in columns[1:]:
        new[1:] |= column[1:] != column[:-1]
    return new


def distinct(values: U64) -> tuple[U64, Index, Index]:
    """The distinct values, sorted, where one of each is, and for each value its place among them: np.unique at half the price."""
    order = np.argsort(values)
    ranked = values.take(order)
    new = changes(ranked)
    which = np.empty(len(values), np.intp)
    which[order] = new.cumsum() - 1
    return ranked.compress(new), order.compress(new), which


def preceding(group: Index, value: npt.NDArray[np.int64], of_group: Index, of_value: npt.NDArray[np.int64]) -> Index:
    """How many of the rows, which are sorted by (group, value), lie before each of the others: have a lesser (group, value)."""
    rows = len(group)
    behind = np.arange(rows + len(of_group)) < rows  # of equal ones the others come first
    order = np.lexsort((behind, np.concatenate([value, of_value]), np.concatenate([group, of_group])))
    is_row = behind.take(order)
    out = np.empty(len(of_group), np.intp)
    out[order.compress(~is_row) - rows] = is_row.cumsum().compress(~is_row)
    return out
