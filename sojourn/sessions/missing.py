"""Sessions for traces that name none: each trace its own, or by who and where, cut by silence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from sojourn.schema import FACETS
from sojourn.sessions.packed import U64, Index, Keys, Rows, hashes, take, trace_ids

FIELDS = {"user": "user", "service": "service"}
"""Attributes that every span's facts have."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What becomes of a trace that names no session."""

    rule: Literal["none", "trace", "gap"] = "none"
    gap_attributes: tuple[str, ...] = ()
    id_max_length: int = 256


NONE = Missing()


def name_missing(main: U64, facts: Rows, top: Index, keys: Keys, facets: Rows, told_by: Index, rule: Missing, texts: Any) -> None:
    """Fill in, in place, the session hashes of the traces that have none.

    `top` are their top-most spans (-1 for a trace of which only log records are known: it names nothing), `keys` their ids, `facets` what
    the rows say, each told by the row `told_by`.
    """
    lost = np.flatnonzero((main == 0) & (top >= 0))
    if not len(lost):
        return
    rows = take(facts, top.take(lost))
    heads = [text or "\0" for text in _lookup(texts, rows["project"])]
    if rule.rule == "trace":
        names = trace_ids(*keys[lost, :2].T).to_pylist()
    else:
        parts = list(_parts(rows, top.take(lost), facets, told_by, rule, texts))
        names = [shortened("|".join(each), rule.id_max_length) if any(each) else "" for each in zip(*parts, strict=True)]
    whole = [f"{head}\0{name}" if name else "" for head, name in zip(heads, names, strict=True)]
    main[lost] = hashes(texts, pa.array(whole, pa.string()))


def _parts(rows: Rows, top: Index, facets: Rows, told_by: Index, rule: Missing, texts: Any) -> Iterator[list[str]]:
    """For each attribute what the top-most spans say of it, '' for nothing."""
    told = np.flatnonzero(facets["what"] == FACETS["gap"])
    names = hashes(texts, pa.array(rule.gap_attributes, pa.string()))
    for attribute, name in zip(rule.gap_attributes, names, strict=True):
        values = rows[FIELDS[attribute]].copy() if attribute in FIELDS else np.zeros(len(rows), np.uint64)
        mine = told.compress(facets["key"][told] == name)
        by = np.argsort(top)
        place = np.minimum(np.searchsorted(top.take(by), told_by.take(mine)), len(top) - 1)
        hit = top.take(by).take(place) == told_by.take(mine)
        values[by.take(place.compress(hit))] = facets["value"][mine.compress(hit)]
        yield [text or "" for text in _lookup(texts, values)]


def _lookup(texts: Any, codes: U64) -> list[str | None]:
    found: list[str | None] = pa.array(texts.lookup(np.ascontiguousarray(codes, "<u8"))).to_pylist()
    return found


def shortened(name: str, longest: int) -> str:
    """As the native core shortens an id that is too long."""
    return name if len(name) <= longest else f"{name[:200]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
