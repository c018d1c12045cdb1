"""Packed trace rows ↔ rows of `session_trace_rows`. `unpack(pack(rows)) = rows`: what was stored can be folded on."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.schema import FACETS
from sojourn.sessions.order import where
from sojourn.sessions.packed import (
    TRACE,
    TRACE_FACET,
    U64,
    Rows,
    column,
    flat,
    hashes,
    lists,
    numbers,
    offsets,
    owners,
    trace_ids,
    trace_keys,
)

TIMESTAMP = pa.timestamp("ns", "UTC")
LISTS = {"Services": "service", "Models": "model", "Providers": "provider", "Tools": "tool", "Tags": "tag", "OtherIds": "other_id"}
COUNTS: Final = {
    "Spans": "spans",
    "Errors": "errors",
    "LlmCalls": "llm_calls",
    "EmbeddingCalls": "embedding_calls",
    "ToolCalls": "tool_calls",
    "InputTokens": "input_tokens",
    "OutputTokens": "output_tokens",
    "CacheReadTokens": "cache_read",
    "CacheWriteTokens": "cache_write",
    "ReasoningTokens": "reasoning",
    "LogRecords": "log_records",
    "LogErrors": "log_errors",
}
"""Columns that are sums → fields of TRACE."""
TEXTS = {"Name": "name", "PromptName": "prompt_name", "SessionName": "session_name", "UserId": "user", "LastCallOutput": "last_call_output"}
PLACES: Final = {
    "SessionNameAt": ("session_name_at", np.int64),
    "SessionNameSpan": ("session_name_span", np.uint64),
    "UserAt": ("user_at", np.int64),
    "UserSpan": ("user_span", np.uint64),
    "LastCallAt": ("last_call_at", np.int64),
    "LastCallSpan": ("last_call_span", np.uint64),
}
"""Columns that say when and where something was told → fields of TRACE."""
NOTES: Final = tuple(FACETS[what] for what in ("previous_id", "prompt", "end_mark", "continued_mark", "telling", "muted"))
STATUS = ("ok", "error")
_IS_NOTE: Final = np.isin(np.arange(256), NOTES)
_NOTHING: Final = np.empty(0, np.intp)
_NO_TEXTS: Final = pa.array([], pa.string())


class Forgotten(Exception):
    """Some text behind these rows is no longer known; they have to be read back."""

    def __init__(self, rows: npt.NDArray[np.bool_]) -> None:
        super().__init__()
        self.rows = rows


def look_up(texts: Any, codes: U64) -> pa.Array:
    """The texts of hashes as an array; null for what was forgotten."""
    return pa.array(texts.lookup(np.ascontiguousarray(codes, "<u8")))


def unpack(
    traces: Rows,
    facets: Rows,
    counts: npt.NDArray[np.int64],
    previews: tuple[U64, U64],
    texts: Any,
    version: int,
    lenient: bool = False,
) -> pa.RecordBatch:
    """TRACE rows and their TRACE_FACET rows as a batch of `session_trace_rows`.

    Raises Forgotten where a text is not known any more; `lenient` leaves such a text empty instead.
    """
    columns: dict[str, pa.Array] = _keys(traces["session"], texts)
    columns["TraceId"] = trace_ids(traces["trace_hi"], traces["trace_lo"])
    for name, field in TEXTS.items():
        columns[name] = look_up(texts, traces[field])
    columns["Input"], columns["Output"] = look_up(texts, previews[0]), look_up(texts, previews[1])
    missing = sum(np.asarray(each.is_null()) for each in columns.values() if each.null_count)
    columns |= _numbers(traces, version)
    parts, bad = _lists(facets, counts, texts)
    missing = np.asarray(missing + bad, bool)
    if missing.any() and not lenient:
        raise Forgotten(missing)
    columns |= parts
    if missing.any():
        columns |= {name: each.fill_null("") for name, each in columns.items() if each.null_count}
    columns["_trace"], columns["_facets"] = column(traces), lists(facets, counts)
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _keys(session: U64, texts: Any) -> dict[str, pa.Array]:
    """Tenant, Project and SessionId behind the session hashes."""
    records = pa.record_batch(texts.keys(np.ascontiguousarray(session, "<u8")))
    return {name: records.column(at) for at, name in enumerate(records.schema.names)}


def _numbers(traces: Rows, version: int) -> dict[str, pa.Array]:
    def plain(field: str, type: Any) -> pa.Array:
        return numbers(traces[field].astype(type))

    def time(field: str) -> pa.Array:
        return pa.Array.from_buffers(TIMESTAMP, len(traces), [None, pa.py_buffer(np.ascontiguousarray(traces[field]))])

    columns = {name: plain(field, np.uint64) for name, field in COUNTS.items()}
    columns |= {"Start": time("start"), "End": time("end"), "Arrival": time("arrival")}
    columns |= {name: plain(field, type) for name, (field, type) in PLACES.items()}
    columns |= {"CostPico": plain("cost", np.int64), "CostSources": plain("cost_sources", np.uint8), "Turn": plain("turn", np.uint8)}
    columns |= {"Flags": plain("flags", np.uint32), "Deleted": plain("deleted", np.uint8)}
    columns["Status"] = pa.DictionaryArray.from_arrays(traces["status"].astype(np.int32), pa.array(STATUS))
    columns["Version"] = numbers(np.full(len(traces), version, np.uint64))
    return columns


def _lists(facets: Rows, counts: npt.NDArray[np.int64], texts: Any) -> tuple[dict[str, pa.Array], npt.NDArray[np.bool_]]:
    """The list columns, in no particular order within a list (the views sort), and the rows with a forgotten text."""
    owner = np.repeat(np.arange(len(counts)), counts)
    what = facets["what"].astype(np.uint8)
    there = np.bincount(what, minlength=len(_IS_NOTE))
    bad = np.zeros(len(counts), bool)
    none = numbers(np.zeros(len(counts) + 1, np.int32))
    columns: dict[str, pa.Array] = {}

    def told(kind: str) -> npt.NDArray[np.intp]:
        return where(what == FACETS[kind]) if there[FACETS[kind]] else _NOTHING

    def cuts(which: npt.NDArray[np.intp]) -> pa.Array:
        return numbers(offsets(np.bincount(owner.take(which), minlength=len(counts)))) if len(which) else none

    def said(which: npt.NDArray[np.intp], field: str) -> pa.Array:
        if not len(which):
            return _NO_TEXTS
        array = look_up(texts, facets[field][which])
        if array.null_count:
            bad[owner.take(which)[np.asarray(array.is_null())]] = True
            array = array.fill_null("")
        return array

    for name, kind in LISTS.items():
        which = told(kind)
        values = said(which, "value")
        if kind == "other_id":  # a session's hash stands for tenant, project and id
            values = pa.array([text.rsplit("\0", 1)[-1] for text in values.to_pylist()], pa.string())
        columns[name] = pa.ListArray.from_arrays(cuts(which), values)

    def nested(name: str, which: npt.NDArray[np.intp], **parts: pa.Array) -> None:
        ends = cuts(which)
        columns.update({f"{name}.{part}": pa.ListArray.from_arrays(ends, values) for part, values in parts.items()})

    def number(which: npt.NDArray[np.intp], field: str, type: Any = None) -> pa.Array:
        values = facets[field][which]
        return numbers(values if type is None else values.astype(type))

    which = told("metadata")
    nested("Metadata", which, Key=said(which, "key"), Value=said(which, "value"), At=number(which, "at"), Span=number(which, "span"))
    which = where(_IS_NOTE.take(what))
    plain = {"What": number(which, "what", np.uint8), "Key": number(which, "key"), "Text": said(which, "value")}
    nested("Notes", which, **plain, At=number(which, "at"), Span=number(which, "span"))
    which = told("score")
    nested("Scores", which, Name=said(which, "key"), Count=number(which, "span"), Sum=number(which, "at"))
    which = told("measure")
    nested("Measures", which, Name=said(which, "key"), Value=number(which, "at"), How=number(which, "span", np.uint8))
    return columns, bad


def pack(table: pa.Table, texts: Any) -> tuple[Rows, Rows, npt.NDArray[np.int64]]:
    """Stored rows of `session_trace_rows` as TRACE rows, their TRACE_FACET rows, and how many of these each has."""
    table = table.combine_chunks()
    rows = np.zeros(len(table), TRACE)

    def get(name: str) -> pa.Array:
        chunked = table.column(name)
        return chunked.chunk(0) if chunked.num_chunks else pa.array([], chunked.type)

    def number(name: str) -> npt.NDArray[Any]:
        return np.asarray(get(name).to_numpy(zero_copy_only=False))

    whole = zip(*(get(name).to_pylist() for name in ("Tenant", "Project", "SessionId")), strict=True)
    rows["session"] = hashes(texts, pa.array(["\0".join(each) for each in whole], pa.string()))
    rows["trace_hi"], rows["trace_lo"] = trace_keys(get("TraceId")).T
    for name, field in TEXTS.items():
        rows[field] = hashes(texts, get(name).cast(pa.string()))
    for name, field in {
        **COUNTS,
        "CostPico": "cost",
        "CostSources": "cost_sources",
        "Turn": "turn",
        "Flags": "flags",
        "Deleted": "deleted",
        **{name: field for name, (field, _) in PLACES.items()},
    }.items():
        rows[field] = number(name)
    for name, field in {"Start": "start", "End": "end", "Arrival": "arrival"}.items():
        rows[field] = number(name).astype("datetime64[ns]").astype(np.int64)
    rows["status"] = [text == "error" for text in get("Status").to_pylist()]
    return rows, *_facets(get, rows, texts)


def _facets(get: Any, rows: Rows, texts: Any) -> tuple[Rows, npt.NDArray[np.int64]]:
    parts, rows_of = [], []

    def add(lists: pa.Array, what: Any, **fields: npt.NDArray[Any]) -> None:
        rows_of.append(owners(lists))
        part = np.zeros(len(rows_of[-1]), TRACE_FACET)
        part["what"] = what
        for field, values in fields.items():
            part[field] = values
        parts.append(part)

    for name, what in LISTS.items():
        values = get(name)
        said = flat(values).cast(pa.string())
        if what == "other_id":
            head = [text.rsplit("\0", 1)[0] for text in look_up(texts, rows["session"]).to_pylist()]
            owner = owners(values)
            said = pa.array([f"{head[at]}\0{text}" for at, text in zip(owner.tolist(), said.to_pylist(), strict=True)], pa.string())
        add(values, FACETS[what], value=hashes(texts, said))
    keys = get("Metadata.Key")
    add(
        keys,
        FACETS["metadata"],
        key=hashes(texts, flat(keys).cast(pa.string())),
        value=hashes(texts, flat(get("Metadata.Value"))),
        at=np.asarray(flat(get("Metadata.At"))),
        span=np.asarray(flat(get("Metadata.Span"))),
    )
    notes = get("Notes.What")
    add(
        notes,
        np.asarray(flat(notes)),
        key=np.asarray(flat(get("Notes.Key"))),
        value=hashes(texts, flat(get("Notes.Text"))),
        at=np.asarray(flat(get("Notes.At"))),
        span=np.asarray(flat(get("Notes.Span"))),
    )
    for name, what, value, count in (("Scores", "score", "Sum", "Count"), ("Measures", "measure", "Value", "How")):
        names = get(f"{name}.Name")
        at, span = (np.asarray(flat(get(f"{name}.{part}"))) for part in (value, count))
        add(names, FACETS[what], key=hashes(texts, flat(names).cast(pa.string())), at=at, span=span)
    owner = np.concatenate(rows_of)
    by = np.argsort(owner, kind="stable")
    return np.concatenate(parts)[by], np.bincount(owner, minlength=len(rows))
