"""One group as it came, and what of it goes on: requests without the rows that are gone, and with those that were changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sojourn import _native
from sojourn.schema import OTEL_METRICS, RECEIVED
from sojourn.wire.changing import Row
from sojourn.wire.differing import differing, same
from sojourn.wire.writing import Changed, anew, rewritten

ROW: Final = "_row"
"""The column that says which row of which group it was."""
TABLES: Final = {"traces": ("otel_traces",), "logs": ("otel_logs",), "metrics": tuple(table.name for table in OTEL_METRICS)}
"""By signal, in the order of `_native.sift`."""
SIGNALS: Final = {table: signal for signal, tables in TABLES.items() for table in tables}
_SENT: Final = {
    table.name: tuple(column.name for column in table.columns[: table.columns.index(table.column("Tenant"))]) for table in RECEIVED
}
"""The columns that say what was sent; those behind them follow from it."""
_GONE, _AS_IT_CAME, _CHANGED = 0, 1, 2
_BITS: Final = 32

Left = Mapping[str, Sequence[pa.RecordBatch]]
"""Rows by table, after processors."""


@dataclass(slots=True)
class Fates:
    """What became of the rows of one table."""

    fates: Any
    """One byte for each row that came."""
    now: dict[int, Row] = field(default_factory=dict)
    """Changed rows by their number."""
    then: dict[int, Row] = field(default_factory=dict)
    made: list[Row] = field(default_factory=list)
    """Rows that did not come with this group."""
    places: dict[int, int] = field(default_factory=dict)
    """Where the rows that came are now, in the last batch."""
    others: Sequence[int] = ()
    """Where those that were made are."""

    def changed(self) -> bool:
        """Whether any row says something that did not come."""
        return bool(self.now or self.made)


@dataclass(frozen=True, slots=True)
class Part:
    """What is left of one request: first what goes on as it came, then what is written anew."""

    body: bytes
    begin: Sequence[int]
    end: Sequence[int]
    """Its rows, by table."""
    order: Sequence[int]
    """Those that are written anew, by their numbers."""


@dataclass(frozen=True, slots=True)
class Came:
    """A group as it was decoded."""

    number: int
    """Of the group, so that rows that a processor kept back are told from it."""
    requests: Sequence[tuple[str, bytes]]
    """Signal and request, in the order in which they were decoded."""
    tables: Mapping[str, pa.RecordBatch]

    def marked(self, table: str) -> pa.RecordBatch:
        """The rows of a table, each with its place."""
        records = self.tables[table]
        places = np.arange(records.num_rows, dtype=np.uint64) | np.uint64(self.number << _BITS)
        return records.append_column(pa.field(ROW, pa.uint64()), pa.array(places))

    def requests_of(self, signal: str, left: Left) -> Iterator[bytes]:
        """What of a signal goes on, request by request; last one with what did not come with this group."""
        tables = [_fates(table, self.tables.get(table), left.get(table, ()), self.number) for table in TABLES[signal]]
        yield from (part.body for part in self.parts(signal, tables) if part.body)
        made: list[Changed] = [(name, 0, row, None) for name, table in zip(TABLES[signal], tables, strict=True) for row in table.made]
        if made:
            yield anew(signal, made).body()

    def parts(self, signal: str, tables: Sequence[Fates]) -> Iterator[Part]:
        """What is left of each request of a signal."""
        fates = [table.fates.tobytes() for table in tables]
        next_ = [0] * len(tables)
        for of, body in self.requests:
            if of == signal:
                begin = next_
                kept, next_ = _native.sift(signal, body, fates, begin, _AS_IT_CAME)
                written = b""
                order: list[int] = []
                if rows := list(_changed(signal, tables, begin, next_)):
                    changed, _ = _native.sift(signal, body, fates, begin, _CHANGED)
                    writing = rewritten(signal, changed, rows)
                    written, order = writing.body(), writing.order()
                yield Part(kept + written, begin, next_, order)

    def fates(self, table: str, records: pa.RecordBatch) -> Fates:
        """What became of the rows of one table, by one batch."""
        return _fates(table, self.tables.get(table), (records,), self.number)

    def gone(self, table: str) -> Fates:
        """A table of which nothing is wanted."""
        return _fates(table, self.tables.get(table), (), self.number)


def _changed(signal: str, tables: Sequence[Fates], begin: Sequence[int], end: Sequence[int]) -> Iterator[Changed]:
    for name, table, first, last in zip(TABLES[signal], tables, begin, end, strict=True):
        for number in np.flatnonzero(table.fates[first:last] == _CHANGED) + first:
            yield name, int(number), table.now[int(number)], table.then[int(number)]


def _fates(table: str, came: pa.RecordBatch | None, left: Sequence[pa.RecordBatch], group: int) -> Fates:
    count = came.num_rows if came is not None else 0
    found = Fates(np.zeros(count, np.uint8))
    for records in left:
        own, others = _own(records, group, found.fates)
        if came is not None and len(own):
            numbers = _numbers(records)[own]
            changed = _differences(table, came, records, numbers, own)
            found.fates[numbers] = np.where(changed, _CHANGED, _AS_IT_CAME)
            where = numbers[changed].tolist()
            found.now.update(zip(where, _rows(table, records, own[changed]), strict=True))
            found.then.update(zip(where, _rows(table, came, numbers[changed]), strict=True))
        found.places = dict(zip(_numbers(records)[own].tolist(), own.tolist(), strict=True))
        found.made += _rows(table, records, others)
        found.others = others.tolist()
    return found


def _numbers(records: pa.RecordBatch) -> Any:
    return _places(records) & np.uint64((1 << _BITS) - 1)


def _places(records: pa.RecordBatch) -> Any:
    """Where each row came from; the greatest number for those that say nothing."""
    none = np.uint64(2**64 - 1)
    if ROW not in records.schema.names:
        return np.full(records.num_rows, none)
    return records[ROW].cast(pa.uint64()).fill_null(pa.scalar(int(none), pa.uint64())).to_numpy(zero_copy_only=False)


def _own(records: pa.RecordBatch, group: int, fates: Any) -> tuple[Any, Any]:
    """Which rows came with this group, each once; and the others."""
    places = _places(records)
    rows = np.arange(len(places))
    mine = (places >> np.uint64(_BITS)) == np.uint64(group)
    numbers = places & np.uint64((1 << _BITS) - 1)
    mine &= numbers < np.uint64(len(fates))
    mine[mine] = fates[numbers[mine]] == _GONE
    _, first = np.unique(places[mine], return_index=True)
    own = rows[mine][np.sort(first)]
    return own, np.setdiff1d(rows, own)


def _differences(table: str, came: pa.RecordBatch, records: pa.RecordBatch, numbers: Any, own: Any) -> Any:
    changed = np.zeros(len(own), bool)
    whole = len(own) == came.num_rows == records.num_rows
    then, now = pa.array(numbers), pa.array(own)
    for name in _SENT[table]:
        if name in records.schema.names and not (whole and same(came[name], records[name])):
            changed |= differing(came[name].take(then), records[name].take(now))
    return changed


def _rows(table: str, records: pa.RecordBatch, rows: Iterable[int]) -> list[Row]:
    """Some rows as Python has them; times are nanoseconds since 1970."""
    names = [name for name in _SENT[table] if name in records.schema.names]
    taken = records.select(names).take(pa.array(rows, pa.int64()))
    columns = [_numbered(column).to_pylist() for column in taken.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _numbered(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64())
    if pa.types.is_list(column.type) and pa.types.is_timestamp(column.type.value_type):
        return column.cast(pa.list_(pa.int64()))
    return column
