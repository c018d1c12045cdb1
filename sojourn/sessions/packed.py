"""Packed rows: the numpy dtypes of `schema.FACT` and its relatives, and how they go into and out of Arrow columns without copying."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn import schema

Rows = npt.NDArray[np.void]
"""A structured array of one of the dtypes below. Of one field index the rows that are wanted, `rows["start"][some]`: `take` copies the
whole field first, which takes longer however many they are."""
U64 = npt.NDArray[np.uint64]
Index = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.uint64]
"""Traces as big-endian numbers: the two halves of the id, shape (n, 2); with the hash of the tenant behind them (n, 3)."""

FACT: np.dtype[np.void] = np.dtype(list(schema.FACT))
FACET: np.dtype[np.void] = np.dtype(list(schema.FACET))
TRACE: np.dtype[np.void] = np.dtype(list(schema.TRACE))
TRACE_FACET: np.dtype[np.void] = np.dtype(list(schema.TRACE_FACET))
SPAN_FACET: np.dtype[np.void] = np.dtype(
    # A facet with the copy of the span it belongs to: when that copy loses against another one, its facets go with it.
    [("trace", "<u4"), ("what", "<u4"), ("span", "<u8"), ("digest", "<u8"), ("key", "<u8"), ("value", "<u8")]
)


def view(column: pa.Array, dtype: np.dtype[np.void]) -> Rows:
    """A fixed_size_binary column as structured rows, read-only and without a copy."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if len(column) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(column.buffers()[1], dtype, len(column), column.offset * dtype.itemsize)


def column(rows: Rows) -> pa.Array:
    """Structured rows as a fixed_size_binary column, without a copy if they are contiguous."""
    rows = np.ascontiguousarray(rows)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(rows.dtype.itemsize), len(rows), [None, pa.py_buffer(rows)])


def lists(rows: Rows, counts: npt.NDArray[Any]) -> pa.Array:
    """Structured rows as a list column: the first `counts[0]` belong to the first list, and so on."""
    return pa.ListArray.from_arrays(pa.array(offsets(counts)), column(rows))


def cuts_of(lists: pa.Array) -> npt.NDArray[np.int32]:
    """Where each list of a list column begins in `lists.values`, and where the last one ends (n + 1)."""
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.combine_chunks()
    if not len(lists):
        return np.zeros(1, np.int32)
    return np.frombuffer(lists.buffers()[1], np.int32, len(lists) + 1, lists.offset * 4)


def flat(lists: pa.Array) -> pa.Array:
    """All values of a list column, one list after the other. (pyarrow's own `flatten` imports pyarrow.compute, 9 MB.)"""
    cuts = cuts_of(lists)
    return lists.values.slice(int(cuts[0]), int(cuts[-1] - cuts[0]))


def owners(lists: pa.Array) -> Index:
    """The row that each of those values belongs to."""
    return np.repeat(np.arange(len(lists)), np.diff(cuts_of(lists)))


def offsets(counts: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Arrow list offsets (n + 1) of n counts."""
    out = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=out[1:])
    return out


def copy(rows: Rows) -> Rows:
    """A copy that can be written to. numpy's own copies structured rows field by field, ten times slower."""
    out: Rows = np.ascontiguousarray(rows).view(f"V{rows.dtype.itemsize}").copy().view(rows.dtype)
    return out


def take(rows: Rows, index: Any) -> Rows:
    """`rows[index]`, 20 times faster than numpy's fancy indexing of structured arrays."""
    out: Rows = np.ascontiguousarray(rows).view(f"V{rows.dtype.itemsize}").take(index).view(rows.dtype)
    return out


def put(rows: Rows, index: Any, values: Rows) -> None:
    """`rows[index] = values`, which numpy does field by field."""
    rows.view(f"V{rows.dtype.itemsize}")[index] = values.view(f"V{rows.dtype.itemsize}")


def concat(*parts: Rows) -> Rows:
    """`np.concatenate` of rows of one dtype, 30 times faster than numpy's on structured arrays."""
    dtype = parts[0].dtype
    plain = [np.ascontiguousarray(part).view(f"V{dtype.itemsize}") for part in parts if len(part)]
    if not plain:
        return np.empty(0, dtype)
    return (plain[0] if len(plain) == 1 else np.concatenate(plain)).view(dtype)


def plain(rows: Rows) -> bytes:
    """The bytes of structured rows."""
    return np.ascontiguousarray(rows).view(np.uint8).tobytes()


def filled(texts: pa.Array) -> Mask:
    """Which texts, plain or in a dictionary, are not empty."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if pa.types.is_dictionary(texts.type):
        return filled(texts.dictionary).take(np.asarray(texts.indices)) if len(texts) else np.zeros(0, bool)
    return np.diff(cuts_of(texts)) > 0


def trace_keys(ids: pa.Array) -> Keys:
    """Trace ids of 32 hex digits as numbers; empty ones are left out."""
    cuts, data = ids.buffers()[1:] if len(ids) else (None, None)
    if cuts is None or data is None:
        return np.empty((0, 2), ">u8")
    begin, end = (int(each) for each in np.frombuffer(cuts, np.int32)[[ids.offset, ids.offset + len(ids)]])
    return np.frombuffer(bytes.fromhex(data.slice(begin, end - begin).to_pybytes().decode()), ">u8").reshape(-1, 2)


def trace_ids(hi: U64, lo: U64) -> pa.Array:
    """Numbers as trace ids of 32 lower-case hex digits."""
    digits = np.stack([hi, lo], axis=1).astype(">u8").tobytes().hex().encode()
    return pa.Array.from_buffers(pa.string(), len(hi), [None, pa.py_buffer(offsets(np.full(len(hi), 32))), pa.py_buffer(digits)])


def hashes(texts: Any, values: pa.Array) -> U64:
    """The hashes of an array of texts (0 for '' and null)."""
    return np.frombuffer(texts.intern(values), "<u8")


_TYPES: dict[np.dtype[Any], pa.DataType] = {
    np.dtype(name): pa.from_numpy_dtype(name) for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
}


def numbers(values: npt.NDArray[Any]) -> pa.Array:
    """Whole numbers as a column, without a copy if they are contiguous."""
    return pa.Array.from_buffers(_TYPES[values.dtype], len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
