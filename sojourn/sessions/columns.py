"""Columns of `otel_traces` that follow from the settled facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sojourn.schema import FLAGS
from sojourn.sessions.order import distinct
from sojourn.sessions.packed import Rows

TOKEN_COLUMNS = {
    "InputTokens": "input_tokens",
    "OutputTokens": "output_tokens",
    "CacheReadTokens": "cache_read",
    "CacheWriteTokens": "cache_write",
    "ReasoningTokens": "reasoning",
}

REPORTED: Final = 1
"""CostSource of what the producer reported."""


def replace(records: pa.RecordBatch, new: dict[str, pa.Array]) -> pa.RecordBatch:
    """The same batch with other columns of these names."""
    names = records.schema.names
    arrays = [new[name] if name in new else records.column(at) for at, name in enumerate(names)]
    return pa.RecordBatch.from_arrays(arrays, names).replace_schema_metadata(records.schema.metadata)


def settled_tokens(facts: Rows) -> dict[str, pa.Array]:
    return {name: pa.array(np.ascontiguousarray(facts[field])) for name, field in TOKEN_COLUMNS.items()}


def settled_costs(facts: Rows) -> dict[str, pa.Array]:
    return {
        "CostPico": pa.array(np.ascontiguousarray(facts["cost"])),
        "CostSource": pa.array(np.ascontiguousarray(facts["cost_source"])),
    }


def repriced(facts: Rows, traces: Sequence[tuple[str, str]]) -> pa.RecordBatch | None:
    """What these spans and records cost now, as `component.REPRICE` wants it; `trace` of a row is the place of its (tenant, id)."""
    if not len(facts):
        return None
    tenants, ids = zip(*(traces[number] for number in facts["trace"].tolist()), strict=True)
    record = (facts["flags"] & FLAGS["record"]) != 0
    columns = {
        "Tenant": pa.array(tenants, pa.string()),
        "TraceId": pa.array(ids, pa.string()),
        "SpanId": pa.array([f"{span:016x}" for span in facts["span"].tolist()], pa.string()),
        "Digest": pa.array(np.where(record, facts["span"], np.uint64(0)).astype(np.uint64)),
        **settled_costs(facts),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def settled_providers(facts: Rows, texts: Any) -> pa.Array:
    codes, _, index = distinct(np.ascontiguousarray(facts["provider"]))
    return pa.DictionaryArray.from_arrays(index.astype(np.int32), pa.array(texts.lookup(codes)))
