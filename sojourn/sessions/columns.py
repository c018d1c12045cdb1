"""Columns of `otel_traces` that follow from the settled facts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from sojourn.sessions.packed import Rows

TOKEN_COLUMNS = {
    "InputTokens": "input_tokens",
    "OutputTokens": "output_tokens",
    "CacheReadTokens": "cache_read",
    "CacheWriteTokens": "cache_write",
    "ReasoningTokens": "reasoning",
}


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


def settled_providers(facts: Rows, texts: Any) -> pa.Array:
    codes, index = np.unique(facts["provider"], return_inverse=True)
    return pa.DictionaryArray.from_arrays(index.astype(np.int32), pa.array(texts.lookup(codes)))
