"""New spans and log records of a group, by the traces they belong to, as `aggregate` folds them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from sojourn.schema import FLAGS
from sojourn.sessions.order import scramble, where
from sojourn.sessions.packed import FACET, SPAN_FACET, U64, Index, Keys, Rows, concat, filled, flat, owners, take, trace_keys, view
from sojourn.sessions.shelf import Block
from sojourn.sessions.tenants import with_tenants


class Came(NamedTuple):
    """New spans; `trace` of the rows is the place in `keys`."""

    keys: Keys
    facts: Rows
    facets: Rows


def together(parts: list[Came]) -> Came:
    """Several batches of new spans as one."""
    if len(parts) == 1:
        return parts[0]
    keys, number = np.unique(np.concatenate([part.keys for part in parts]).astype(np.uint64), axis=0, return_inverse=True)
    begin = 0
    for part in parts:
        mine = number.reshape(-1)[begin : begin + len(part.keys)].astype(np.uint32)
        part.facts["trace"], part.facets["trace"] = mine.take(part.facts["trace"]), mine.take(part.facets["trace"])
        begin += len(part.keys)
    facts, facets = concat(*(part.facts for part in parts)), concat(*(part.facets for part in parts))
    return Came(keys.astype(">u8"), facts, facets)


def traceless(records: pa.RecordBatch) -> Any:
    """The flag of the records that belong to a log trace."""
    return filled(records.column("LogTrace")) * np.uint32(FLAGS["traceless"])


def of_traces(ids: pa.Array, tenants: U64, facts: Rows, facets: Rows) -> Came:
    """Rows by the traces they belong to, without those that belong to none."""
    some = filled(ids)
    keys = with_tenants(trace_keys(ids), tenants.compress(some))
    if some[: len(keys)].all() and (facts["trace"] < len(keys)).all():  # nearly always: what is empty comes last, and is nobody's
        return Came(keys, facts, facets)
    number = np.cumsum(some) - 1
    parts = []
    for rows in (facts, facets):
        mine = take(rows, where(some.take(rows["trace"])))
        mine["trace"] = number.take(mine["trace"])
        parts.append(mine)
    return Came(keys, *parts)


def alone(key: bytes, block: Block) -> Came:
    """Spans of one trace."""
    block.facts["trace"], block.facets["trace"] = 0, 0
    return Came(np.frombuffer(key, ">u8").reshape(1, 3), *block)


def span_facets(lists: pa.Array, facts: Rows) -> Rows:
    """The facets of new spans, each with the copy of the span it belongs to."""
    values = flat(lists)
    out = np.zeros(len(values), SPAN_FACET)
    if len(values):
        owner, facets = owners(lists), view(values, FACET)
        for name in ("what", "key", "value"):
            out[name] = facets[name]
        for name in ("trace", "span", "digest"):
            out[name] = facts[name][owner]
    return out


def facets_of(facts: Rows, facets: Rows, what: int) -> tuple[Rows, Index]:
    """The facets of one kind that these rows tell, and the row of each."""
    some = facets.compress(facets["what"] == what)
    if not len(some) or not len(facts):
        return some[:0], np.empty(0, np.intp)
    told, asked = (scramble(rows["trace"].astype(np.uint64), rows["span"], rows["digest"]) for rows in (facts, some))
    by = np.argsort(told)
    row = by.take(np.minimum(np.searchsorted(told.take(by), asked), len(by) - 1))
    mine = told.take(row) == asked
    return some.compress(mine), row.compress(mine)
