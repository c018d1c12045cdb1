"""The known spans of recently touched traces, bounded in bytes: two generations, of which the older one is dropped whole.

Looking never changes it. What a group produced is put only when the group is committed, so a group that came to nothing leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sojourn import _native
from sojourn.sessions.packed import FACT, SPAN_FACET, U64, Index, Keys, Rows, column


class Block(NamedTuple):
    """FACT and SPAN_FACET rows."""

    facts: Rows
    facets: Rows


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of some traces; `trace` of the rows is the trace's place among them."""

    session: U64
    """Hash of the session each was counted in last, 0 for none."""
    spans: Index
    """How many spans are known of each; -1 for a trace that is not here."""
    facts: Rows
    facets: Rows


@dataclass(frozen=True, slots=True)
class Kept:
    """What to keep of some traces; rows are sorted by trace. They are kept as they are, without a copy: nobody may change them any more."""

    keys: Keys
    session: U64
    spans: Index
    facts: Rows
    facet_counts: Index
    facets: Rows


class Shelf:
    """Spans by trace. `dropped` is told the traces that are forgotten, and their newest arrival (ns since 1970)."""

    def __init__(self, budget: int, dropped: Callable[[Keys, int], None]) -> None:
        self._held = _native.Shelf(budget)
        self._dropped = dropped

    def get(self, keys: Keys) -> Known:
        tags, sizes, rows, facet_sizes, facets = self._held.get(keys.tobytes())
        spans = np.frombuffer(sizes, np.int64) // FACT.itemsize
        facet_counts = np.frombuffer(facet_sizes, np.int64) // SPAN_FACET.itemsize
        number = np.arange(len(keys), dtype=np.uint32)
        return Known(
            np.frombuffer(tags, np.uint64),
            spans,
            _numbered(rows, FACT, np.repeat(number, np.maximum(spans, 0))),
            _numbered(facets, SPAN_FACET, np.repeat(number, facet_counts)),
        )

    def put(self, kept: Kept) -> None:
        gone = self._held.put(
            kept.keys.tobytes(),
            kept.session,
            kept.spans * FACT.itemsize,
            column(kept.facts),
            kept.facet_counts * SPAN_FACET.itemsize,
            column(kept.facets),
            int(kept.facts["arrival"].max(initial=0)),
        )
        if gone is not None:
            keys, newest = gone
            self._dropped(np.frombuffer(keys, ">u8").reshape(-1, 3), newest)

    def drop(self, keys: Keys) -> None:
        self._held.drop(keys.astype(">u8").tobytes())


def _numbered(rows: bytearray, dtype: np.dtype[np.void], number: npt.NDArray[np.uint32]) -> Rows:
    out: Rows = np.frombuffer(rows, dtype)
    out["trace"] = number
    return out
