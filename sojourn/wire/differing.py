"""Which rows a processor left as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Rows = Any
"""A numpy array, one bool for each row."""


def same(one: pa.Array, other: pa.Array) -> bool:
    """Whether both are views of the same memory, so that nobody has touched it. Cheap, and False if in doubt."""
    return (
        one.type == other.type
        and (len(one), one.offset) == (len(other), other.offset)
        and _places(one) == _places(other)
        and (not pa.types.is_dictionary(one.type) or same(one.dictionary, other.dictionary))
    )


def _places(array: pa.Array) -> list[tuple[int, int] | None]:
    return [buffer and (buffer.address, buffer.size) for buffer in array.buffers()]


def differing(one: pa.Array, other: pa.Array) -> Rows:
    """Which rows of two columns of one length say something else. A null is told from everything but a null."""
    one, other = _plain(one), _plain(other)
    if pa.types.is_struct(one.type):
        fields = zip(one.flatten(), other.flatten(), strict=True)
        return np.logical_or.reduce([differing(*field) for field in fields])
    if _is_list(one.type):
        return _differing_lists(one, other)
    if one.type != other.type:
        other = other.cast(one.type)
    unequal = pc.fill_null(pc.not_equal(one, other), pa.scalar(True))
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    return np.asarray(pc.and_not(unequal, both_null).to_numpy(zero_copy_only=False), dtype=bool)


def _differing_lists(one: pa.Array, other: pa.Array) -> Rows:
    lengths = _lengths(one)
    found = lengths != _lengths(other)
    rows = np.flatnonzero(~found & (lengths > 0))
    if len(rows):
        taken = pa.array(rows)
        children = zip(_inside(one.take(taken)), _inside(other.take(taken)), strict=True)
        inside = np.logical_or.reduce([differing(*child) for child in children])
        starts = np.concatenate(([0], np.cumsum(lengths[rows])[:-1]))
        found[rows] = np.logical_or.reduceat(inside, starts)
    return found


def _lengths(lists: pa.Array) -> Any:
    return np.diff(lists.offsets.to_numpy(zero_copy_only=False)).astype(np.int64)


def _inside(lists: pa.Array) -> list[pa.Array]:
    """What is in all lists, one behind the other."""
    if not pa.types.is_map(lists.type):
        return [lists.flatten()]
    offsets = lists.offsets
    begin, end = offsets[0].as_py(), offsets[-1].as_py()
    return [lists.keys.slice(begin, end - begin), lists.items.slice(begin, end - begin)]


def _is_list(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_map(type_))


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
