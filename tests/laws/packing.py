"""Facts as the oracle reads them → the packed rows that the fold works on: the fold can be tried without the native core."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from sojourn.schema import FACETS, FLAGS, KINDS
from sojourn.sessions.packed import FACET, FACT, column, lists
from tests.oracle import Fact
from tests.oracle.figures import measures_of, scores_of


class Texts:
    """As `_native.Texts`, but in Python and without a bound."""

    def __init__(self) -> None:
        self.known = {0: ""}

    def code(self, text: str) -> int:
        if not text:
            return 0
        code = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
        self.known[code] = text
        return code

    def intern(self, array: Any) -> bytes:
        return np.array([self.code(text or "") for text in pa.array(array).to_pylist()], "<u8").tobytes()

    def lookup(self, hashes: Any) -> pa.Array:
        return pa.array([self.known.get(code) for code in np.frombuffer(hashes, "<u8").tolist()], pa.string())

    def keys(self, hashes: Any) -> pa.RecordBatch:
        parts = [text.split("\0", 2) for text in self.lookup(hashes).to_pylist()]
        names = ("Tenant", "Project", "SessionId")
        return pa.record_batch({name: pa.array([part[at] for part in parts], pa.string()) for at, name in enumerate(names)})


def packed(facts: list[Fact], texts: Texts, measures: Mapping[str, tuple[str, str]]) -> pa.RecordBatch:
    """A batch of spans as it comes out of the `session` processor, in the columns that the fold reads."""
    ids = sorted({(fact.tenant, fact.trace_id) for fact in facts})
    rows = np.zeros(len(facts), FACT)
    facets, counts = [], []
    for at, fact in enumerate(facts):
        _fill(rows[at], fact, ids.index((fact.tenant, fact.trace_id)), texts)
        told = [(FACETS[what], 0, texts.code(key), texts.code(value)) for what, key, value in _facets(fact)]
        told += [(FACETS[what], 0, texts.code(name), number % 2**64) for what, name, number in _numbers(fact, measures)]
        counts.append(len(told))
        facets += told
    columns = {
        "TraceId": pa.DictionaryArray.from_arrays(pa.array(rows["trace"].astype(np.uint32)), pa.array([id_ for _, id_ in ids])),
        "Tenant": pa.array([fact.tenant for fact in facts], pa.string()).dictionary_encode(),
        "CostPico": pa.array(np.ascontiguousarray(rows["cost"])),
        "CostSource": pa.array(np.ascontiguousarray(rows["cost_source"])),
        "_fact": column(rows),
        "_facets": lists(np.array(facets, FACET), np.array(counts)),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _fill(row: Any, fact: Fact, trace: int, texts: Texts) -> None:
    flags = [name for name in fact.flags if name in FLAGS]
    flags += ["error"] * fact.error + ["usage"] * fact.has_usage + ["root"] * (not fact.parent_id)
    home = f"{fact.tenant}\0{fact.project}"
    values: dict[str, Any] = {
        "trace": trace,
        "flags": sum(FLAGS[name] for name in set(flags)),
        "kind": KINDS.index(fact.kind),
        "id_class": fact.id_class,
        "cost_source": 1 if fact.cost is not None else 0,
        "input_tokens": fact.input,
        "output_tokens": fact.output,
        "cache_read": fact.cache_read,
        "cache_write": fact.cache_write,
        "reasoning": fact.reasoning,
        "span": int(fact.span_id, 16),
        "parent": int(fact.parent_id or "0", 16),
        "start": fact.start,
        "end": fact.end,
        "sent_end": fact.sent_end,
        "digest": fact.digest,
        "arrival": fact.arrival,
        "session": texts.code(f"{home}\0{fact.session}") if fact.session else 0,
        "project": texts.code(home),
        "response": texts.code(fact.response),
        "input": texts.code(fact.input_text),
        "output": texts.code(fact.output_text),
        "cost": -1 if fact.cost is None else fact.cost,
    }
    values |= {name: texts.code(getattr(fact, name)) for name in ("name", "user", "service", "scope", "model", "provider", "tool")}
    for name, value in values.items():
        row[name] = value


def _facets(fact: Fact) -> Any:
    yield from (("metadata", key, value) for key, value in fact.metadata.items())
    yield from (("tag", "", tag) for tag in fact.tags)
    if fact.session_name:
        yield "session_name", "", fact.session_name
    if fact.prompt_name:
        yield "prompt_name", "", fact.prompt_name


def _numbers(fact: Fact, measures: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str, int]]:
    for name, (count, total) in scores_of([fact]).items():
        yield "score", name, total
        if count > 1:
            yield "score_count", name, count
    for name, value in measures_of([fact], measures).items():
        yield "measure", name, value
