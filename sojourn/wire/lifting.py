"""Rows that a processor changed are decoded again, so that all that follows from them (facts, digests, previews) says what they say now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sojourn import _native
from sojourn.errors import Rejected
from sojourn.wire.going_on import SIGNALS, TABLES, Came, Fates
from sojourn.wire.writing import anew

_PROTOBUF: Final = "application/x-protobuf"
_ALL: Final = 1 << 60
"""More than there is: this queue is never full, and is cut when it is asked."""
Source = tuple[bytes, str, int, list[int]]
"""A request, its tenant, its arrival, and where the rows are that decoding makes of it."""


class Lifting:
    """A queue of its own, with the plan of the lane that it works for: what it gives is what decoding gives."""

    def __init__(self, texts: _native.Texts, plan: str) -> None:
        self._lane = _native.Lane(texts=texts, lift=plan, flush_interval=3600.0, flush_rows=_ALL, flush_bytes=_ALL, queue_bytes=_ALL)

    def again(self, came: Came, table: str, records: pa.RecordBatch) -> pa.RecordBatch:
        """The rows with the facts that follow from them; as they are, if none was changed or made by a processor."""
        if table not in SIGNALS:
            return records
        fates = came.fates(table, records)
        if not fates.changed():
            return records
        places: list[int] = []
        for body, tenant, arrival, rows in self._sources(came, table, records, fates):
            places += rows
            try:
                self._lane.push(SIGNALS[table], body, _PROTOBUF, arrival, tenant)
            except ValueError as error:
                raise Rejected(f"{table}: rows that a processor changed cannot be decoded: {error}: look at the processor") from error
        return self._ordered(table, records, places)

    def _ordered(self, table: str, records: pa.RecordBatch, places: list[int]) -> pa.RecordBatch:
        self._lane.flush()
        group = self._lane.next(0)
        if group is None:
            raise Rejected(f"{table}: nothing is left of rows that a processor changed: look at the processor")
        try:
            found = {"otel_traces": group.traces, "otel_logs": group.logs}.get(table, lambda: group.metrics().get(table))()
        finally:
            group.commit()
        lifted = None if found is None else pa.record_batch(found)
        if lifted is None or lifted.num_rows != len(places):
            raise Rejected(f"{table}: a row that a processor changed is none any more: look at the processor")
        return _put(records, lifted.take(pa.array(np.argsort(np.array(places, np.int64)))))

    def _sources(self, came: Came, table: str, records: pa.RecordBatch, fates: Fates) -> Iterator[Source]:
        signal = SIGNALS[table]
        index = TABLES[signal].index(table)
        tables = [fates if name == table else came.gone(name) for name in TABLES[signal]]
        for part in came.parts(signal, tables):
            if part.body:
                begin, end = part.begin[index], part.end[index]
                kept = (np.flatnonzero(fates.fates[begin:end] == 1) + begin).tolist()
                tenant, arrival = _owner(came.tables[table], begin)
                yield part.body, tenant, arrival, [fates.places[number] for number in (*kept, *part.order)]
        for row, place in zip(fates.made, fates.others, strict=True):
            tenant, arrival = _owner(records, place)
            yield anew(signal, [(table, 0, row, None)]).body(), tenant, arrival, [place]


def _owner(records: pa.RecordBatch, row: int) -> tuple[str, int]:
    names = records.schema.names
    tenant = records["Tenant"][row].as_py() if "Tenant" in names else ""
    arrival = records["Arrival"].slice(row, 1).cast(pa.int64())[0].as_py() if "Arrival" in names else None
    return tenant or "", arrival or 0


def _put(records: pa.RecordBatch, lifted: pa.RecordBatch) -> pa.RecordBatch:
    """Everything that decoding gives is as it was decoded now; what else processors put there stays."""
    columns: dict[str, Any] = dict(zip(lifted.schema.names, lifted.columns, strict=True))
    for name, column in zip(records.schema.names, records.columns, strict=True):
        columns.setdefault(name, column)
    return pa.record_batch(columns)
