"""Answers as rows of `session_segment_rows` and `session_rows`, and the rows that say that one of these has vanished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn import _native
from sojourn.schema import FLAGS, SESSION_ROWS, SESSION_SEGMENT_ROWS, Table
from sojourn.sessions.answer import Answer
from sojourn.sessions.facets import Facets, Lookup
from sojourn.sessions.figures import nothing
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
    asked, answered = lookup(summary.first_prompt), lookup(summary.last_answer)
    metadata = facets.metadata(lookup)
    forgotten = _forgotten(facets, (name, user, asked, answered), metadata.items)
    figures = nothing(len(name))
    if answer.figures is not None:
        figures, lost = answer.figures.columns(lookup)
        forgotten |= lost
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
        **figures,
        "FirstTrace": _turns(answer, summary.first_turn),
        "LastTrace": _turns(answer, summary.last_turn),
        "FirstPrompt": asked,
        "LastAnswer": answered,
        "Search": pa.array(_native.searchable(mine.column("SessionId"), name, user, metadata)),
        "Revision": numbers(revision.take(answer.session)),
        "LastSeen": times(summary.arrival // 1_000_000, MILLISECONDS),
        "Version": numbers(np.full(len(mine), version, np.uint64)),
        "Deleted": numbers(np.zeros(len(mine), np.uint8)),
    }
    return Told(columns, forgotten)


def segment_records(answer: Answer, told: Told) -> pa.RecordBatch:
    """Segments of sessions that have several: the only one of a session is the session, and has the same row."""
    part = slice(0, answer.sessions.start)
    segment = {"Segment": numbers(answer.number[part])}
    return _batch(SESSION_SEGMENT_ROWS, {name: _slice(values, part) for name, values in told.columns.items()} | segment)


def session_records(answer: Answer, told: Told, alerts: pa.Array | None = None) -> pa.RecordBatch:
    """`alerts` are the names of those that fire for each session; None where there are none."""
    columns = {name: _slice(values, answer.sessions) for name, values in told.columns.items()}
    columns["Alerts"] = _nothing("Array", len(columns["State"])) if alerts is None else alerts
    return _batch(SESSION_ROWS, columns)


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
        return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), _nothing(kind[6:-1], 0))
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


def _forgotten(facets: Facets, told: Sequence[pa.Array], values: pa.Array) -> Mask:
    """Groups one of whose texts is null."""
    out = np.zeros(len(told[0]), bool)
    for texts in told:
        if texts.null_count:
            out |= np.asarray(texts.is_null())
    if facets.texts.null_count or values.null_count:
        out |= facets.forgotten(values)
    return out
