"""Answers as rows of `session_segment_rows` and `session_rows`, and the rows that say that one of these has vanished."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.schema import FLAGS, SESSION_ROWS, SESSION_SEGMENT_ROWS, Table
from sojourn.sessions.answer import Answer
from sojourn.sessions.facets import Facets, Lookup
from sojourn.sessions.lifecycle import REASONS, STATES
from sojourn.sessions.names import NAME, pick
from sojourn.sessions.order import where
from sojourn.sessions.packed import Index, Mask, numbers, offsets, trace_ids
from sojourn.sessions.summary import NAME_SOURCES

TIME: Final = pa.timestamp("ns", "UTC")
MILLISECONDS: Final = pa.timestamp("ms", "UTC")
STATUSES: Final = ("ok", "error")
_FLAG_NAMES: Final = tuple(sorted(name for name, bit in FLAGS.items() if bit >= 1 << 16))
_FLAG_BITS: Final = tuple(FLAGS[name] for name in _FLAG_NAMES)


@dataclass(frozen=True, slots=True)
class Told:
    """The columns of all groups of an answer, and which groups lack a text because it was forgotten."""

    columns: dict[str, pa.Array]
    forgotten: Mask


def tell(answer: Answer, names: pa.RecordBatch, revision: npt.NDArray[np.uint64], version: int, lookup: Lookup) -> Told:
    """The columns that segments and sessions share. `names` and `revision` are those of each session number."""
    summary, facets = answer.summary, answer.facets
    name, user = lookup(summary.name), lookup(summary.user)
    metadata = facets.metadata(lookup)
    forgotten = _forgotten(facets, name, user, metadata.items)
    mine = pick(names, answer.session)
    columns: dict[str, pa.Array] = {
        **dict(zip(NAME, mine.columns, strict=True)),
        "Name": name,
        "NameSource": codes(summary.name_source, NAME_SOURCES),
        "UserId": user,
        "State": codes(answer.state, STATES),
        "EndReason": codes(answer.reason, REASONS),
        "Segments": numbers(answer.several),
        "Start": times(summary.start),
        "End": times(summary.end),
        **{name: numbers(values) for name, values in summary.counts.items()},
        "CostPico": numbers(summary.cost),
        "CostSources": numbers(summary.cost_sources),
        **facets.sets(),
        "Status": codes(summary.error.view(np.uint8), STATUSES),
        "Flags": flag_names(summary.flags),
        "Metadata": metadata,
        "FirstTrace": _turns(answer, summary.first_turn),
        "LastTrace": _turns(answer, summary.last_turn),
        "LogRecords": numbers(np.zeros(len(mine), np.uint64)),
        "Search": searchable(mine.column("SessionId"), name, user, metadata),
        "Revision": numbers(revision.take(answer.session)),
        "LastSeen": times(summary.arrival // 1_000_000, MILLISECONDS),
        "Version": numbers(np.full(len(mine), version, np.uint64)),
        "Deleted": numbers(np.zeros(len(mine), np.uint8)),
    }
    return Told(columns, forgotten)


def segment_records(answer: Answer, told: Told) -> pa.RecordBatch:
    part = answer.segments
    segment = {"Segment": numbers(answer.number[part])}
    return _batch(SESSION_SEGMENT_ROWS, {name: _slice(values, part) for name, values in told.columns.items()} | segment)


def session_records(answer: Answer, told: Told) -> pa.RecordBatch:
    return _batch(SESSION_ROWS, {name: _slice(values, answer.sessions) for name, values in told.columns.items()})


def vanished(table: Table, names: pa.RecordBatch, segments: list[int], revisions: list[int], version: int) -> pa.RecordBatch:
    """Rows that say that these sessions, or these segments of them, are no more."""
    columns = {column.name: _nothing(column.type, len(names)) for column in table.columns if column.name != "Collector"}
    columns |= dict(zip(NAME, names.columns, strict=True))
    if "Segment" in columns:
        columns["Segment"] = pa.array(segments, pa.uint32())
    columns["CostPico"] = numbers(np.full(len(names), -1, np.int64))
    columns["Revision"] = pa.array(revisions, pa.uint64())
    columns["Version"] = numbers(np.full(len(names), version, np.uint64))
    columns["Deleted"] = numbers(np.ones(len(names), np.uint8))
    return _batch(table, columns)


def _batch(table: Table, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    names = [column.name for column in table.columns if column.name != "Collector"]
    return pa.RecordBatch.from_arrays([columns[name] for name in names], names)


def _slice(values: pa.Array, part: slice) -> pa.Array:
    whole = part.start == 0 and part.stop in (None, len(values))
    return values if whole else values.slice(part.start, None if part.stop is None else part.stop - part.start)


def _nothing(kind: str, count: int) -> pa.Array:
    """`count` empty values of a ClickHouse type."""
    if kind.startswith("Array"):
        return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.string()))
    if kind.startswith("Map"):
        return pa.MapArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.string()), pa.array([], pa.string()))
    if kind.startswith("DateTime64"):
        return times(np.zeros(count, np.int64), TIME if kind == "DateTime64(9)" else MILLISECONDS)
    if "Int" in kind:
        return numbers(np.zeros(count, np.dtype(kind.lower())))
    return pa.array([""] * count, pa.string())


def times(values: npt.NDArray[np.int64], kind: pa.DataType = TIME) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


@cache
def _words(names: tuple[str, ...]) -> pa.Array:
    return pa.array(names, pa.string())


def codes(values: npt.NDArray[np.uint8], names: tuple[str, ...]) -> pa.Array:
    """Small numbers as the words they stand for."""
    return pa.DictionaryArray.from_arrays(numbers(values.view(np.int8)), _words(names), safe=False)


def flag_names(flags: npt.NDArray[np.uint32]) -> pa.Array:
    """The names of the bits that are set, sorted."""
    counts = np.zeros(len(flags), np.int64)
    rows, names = [np.empty(0, np.intp)], [np.empty(0, np.int8)]
    present = int(np.bitwise_or.reduce(flags))
    for number, bit in enumerate(_FLAG_BITS):
        if present & bit:
            mine = where(flags & np.uint32(bit))
            counts[mine] += 1
            rows.append(mine)
            names.append(np.full(len(mine), number, np.int8))
    said = np.concatenate(names).take(np.argsort(np.concatenate(rows), kind="stable"))
    return pa.ListArray.from_arrays(
        numbers(offsets(counts)), pa.DictionaryArray.from_arrays(numbers(said), _words(_FLAG_NAMES), safe=False)
    )


def _turns(answer: Answer, rows: Index) -> pa.Array:
    """The trace ids of these rows, '' for row -1."""
    some = rows >= 0
    ids = trace_ids(*(half.take(rows.compress(some)) for half in answer.traces))
    return ids if some.all() else pa.Array.from_buffers(pa.string(), len(rows), [None, pa.py_buffer(offsets(some * 32)), ids.buffers()[2]])


def searchable(ids: pa.Array, name: pa.Array, user: pa.Array, metadata: pa.Array) -> pa.Array:
    """What a session is found by, in lower case: id, name and user, then each key=value, a line each.

    Written as one gather of bytes, because joining texts in Python costs more than all totals together.
    """
    groups, cuts = len(ids), np.asarray(metadata.offsets, np.intp)
    keys, values = metadata.keys, metadata.items
    texts = [_bytes(each) for each in (ids, name, user, keys.dictionary, values)]
    base = np.cumsum([0, *(len(data) for data, _ in texts)])
    source = np.concatenate([*(data for data, _ in texts), np.frombuffer(b"\n=", np.uint8)])
    newline, equals = base[5], base[5] + 1
    pieces = 5 + 4 * np.diff(cuts)
    at = np.cumsum(pieces) - pieces
    begin, length = np.full(int(pieces.sum()), newline), np.ones(int(pieces.sum()), np.intp)
    for place, text in ((at, 0), (at + 2, 1), (at + 4, 2)):
        offset = texts[text][1]
        begin[place], length[place] = base[text] + offset[:-1], np.diff(offset)
    if len(keys):
        entry = np.repeat(at + 5 - 4 * cuts[:-1], np.diff(cuts)) + 4 * np.arange(len(keys))
        begin[entry + 2] = equals
        for place, text, which in ((entry + 1, 3, np.asarray(keys.indices)), (entry + 3, 4, slice(None))):
            offset = texts[text][1]
            begin[place], length[place] = (base[text] + offset[:-1])[which], np.diff(offset)[which]
    ends = np.cumsum(length)
    joined = source.take(np.repeat(begin - (ends - length), length) + np.arange(ends[-1] if groups else 0))
    bounds = np.zeros(groups + 1, np.int32)
    bounds[1:] = ends.take(at + pieces - 1)
    return _lower(joined.tobytes(), bounds)


def _bytes(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """The UTF-8 of an array of texts, and where each begins; a null is an empty text."""
    _, cuts, data = texts.buffers()
    bounds = np.frombuffer(cuts, np.int32, len(texts) + 1, texts.offset * 4) if len(texts) else np.zeros(1, np.int32)
    return np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8), bounds


def _lower(joined: bytes, bounds: npt.NDArray[np.int32]) -> pa.Array:
    """Lower case of texts that stand one after the other."""
    if joined.isascii():
        return pa.Array.from_buffers(pa.string(), len(bounds) - 1, [None, pa.py_buffer(bounds), pa.py_buffer(joined.lower())])
    cuts = bounds.tolist()
    return pa.array([joined[begin:end].decode().lower() for begin, end in pairwise(cuts)], pa.string())


def _forgotten(facets: Facets, name: pa.Array, user: pa.Array, values: pa.Array) -> Mask:
    """Groups one of whose texts is null."""
    out = np.zeros(len(name), bool)
    for texts in (name, user):
        if texts.null_count:
            out |= np.asarray(texts.is_null())
    if facets.texts.null_count or values.null_count:
        out |= facets.forgotten(values)
    return out
