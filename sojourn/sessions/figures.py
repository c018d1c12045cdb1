"""Scores and measures: numbers that producers and configurations add, from spans and log records to traces, segments and sessions.

Where nobody tells any, none of this is more than one look at what kinds of facets there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.schema import FACETS, MEASURES
from sojourn.sessions.order import changes, where
from sojourn.sessions.packed import TRACE_FACET, U64, Index, Mask, Rows, concat, numbers, offsets, take

SCORE: Final = FACETS["score"]
COUNT: Final = FACETS["score_count"]
MEASURE: Final = FACETS["measure"]
SUM, LEAST, GREATEST = range(len(MEASURES))
MOST_NAMES: Final = 64
"""Scores of a session; names come from outside, so the rest is left out."""

I64 = npt.NDArray[np.int64]
Lookup = Callable[[U64], pa.Array]


def are_numbers(what: npt.NDArray[Any]) -> Mask:
    """Which facets are scores or measures."""
    return np.asarray((what >= SCORE) & (what <= MEASURE))


def of_traces(facets: Rows, cell: Index, how: Mapping[int, int]) -> tuple[Rows, Index]:
    """TRACE_FACET rows of scores and measures, and the cell of each, from the SPAN_FACET rows of cells.

    `how` says by the hash of a measure's name how it comes about; one that the configuration does not name any more is left out.
    """
    score, count, measure = (facets["what"] == what for what in (SCORE, COUNT, MEASURE))
    told = where(score)
    scores = _summed(cell.take(told), facets["key"][told], facets["value"][told].astype(np.int64), np.ones(len(told), np.int64))
    more = where(count)  # of several scores of one name on one span: one is counted already
    if len(more):
        scores = _with_counts(scores, cell.take(more), facets["key"][more], facets["value"][more].astype(np.int64) - 1)
    parts = [_rows(SCORE, scores)]
    told = where(measure)
    key = facets["key"][told]
    known = np.array([how.get(code, -1) for code in key.tolist()], np.int64)
    told, key, known = told.compress(known >= 0), key.compress(known >= 0), known.compress(known >= 0)
    parts.append(_rows(MEASURE, _combined(cell.take(told), key, facets["value"][told].astype(np.int64), known)))
    return concat(*(rows for rows, _ in parts)), np.concatenate([cells for _, cells in parts])


@dataclass(frozen=True, slots=True)
class Entries:
    """One entry per group and name, sorted by (group, hash of the name)."""

    group: Index
    name: U64
    value: I64
    """A sum, or what a measure comes to."""
    number: I64
    """How many scores; how a measure comes about."""


def _rows(what: int, entries: Entries) -> tuple[Rows, Index]:
    out = np.zeros(len(entries.group), TRACE_FACET)
    out["what"], out["key"], out["at"], out["span"] = what, entries.name, entries.value, entries.number
    return out, entries.group


def _summed(group: Index, name: U64, value: I64, count: I64) -> Entries:
    order = np.lexsort((name, group))
    group, name = group.take(order), name.take(order)
    first = where(changes(group, name))
    total = saturated(value.take(order), first)
    number = np.add.reduceat(count.take(order), first) if len(first) else count
    return Entries(group.take(first), name.take(first), total, number)


def _with_counts(scores: Entries, group: Index, name: U64, more: I64) -> Entries:
    extra = _summed(group, name, np.zeros(len(group), np.int64), more)
    every = [np.concatenate([getattr(scores, field), getattr(extra, field)]) for field in ("group", "name", "value", "number")]
    return _summed(*every)


def _combined(group: Index, name: U64, value: I64, how: I64) -> Entries:
    """Measures; of one name that was told in two ways (the configuration changed) the greater code counts."""
    order = np.lexsort((how, name, group))
    group, name, value, how = group.take(order), name.take(order), value.take(order), how.take(order)
    first = where(changes(group, name, how))
    if not len(first):
        return Entries(group, name, value, how)
    of = how.take(first)
    least, greatest = np.minimum.reduceat(value, first), np.maximum.reduceat(value, first)
    total = np.where(of == SUM, saturated(value, first), np.where(of == LEAST, least, greatest))
    group, name = group.take(first), name.take(first)
    last = np.append(changes(group, name)[1:], True)
    return Entries(group.compress(last), name.compress(last), total.compress(last), of.compress(last))


def saturated(values: I64, first: Index) -> I64:
    """Exact sums of runs of values, as far as 64 bits hold them."""
    if not len(first):
        return values[:0]
    high = np.add.reduceat(values >> 32, first)
    low = np.add.reduceat(values & 0xFFFFFFFF, first)
    high += low >> 32
    low &= 0xFFFFFFFF
    limits = np.iinfo(np.int64)
    inside = (np.clip(high, -(1 << 31), (1 << 31) - 1) << 32) | low
    return np.where(high >= 1 << 31, limits.max, np.where(high < -(1 << 31), limits.min, inside))


@dataclass(frozen=True, slots=True)
class Figures:
    """The scores and measures of groups of traces."""

    scores: Entries
    measures: Entries
    groups: int

    @property
    def truncated(self) -> Mask:
        """Groups with more names than are kept."""
        return np.asarray(np.bincount(self.scores.group, minlength=self.groups) > MOST_NAMES)

    def columns(self, lookup: Lookup) -> tuple[dict[str, pa.Array], Mask]:
        """Columns of session rows, and groups with a name that was forgotten."""
        forgotten = np.zeros(self.groups, bool)
        columns: dict[str, pa.Array] = {}
        for what, entries, values in (
            ("Scores", self.scores, {"Count": self.scores.number.astype(np.uint64), "Sum": self.scores.value}),
            ("Measures", self.measures, {"Value": self.measures.value}),
        ):
            texts = lookup(entries.name)
            if texts.null_count:
                forgotten[entries.group.compress(np.asarray(texts.is_null()))] = True
            order = _by_text(entries.group, texts)
            counts = np.bincount(entries.group, minlength=self.groups)
            nth = np.arange(len(order)) - np.repeat(counts.cumsum() - counts, counts)
            order = order.compress(nth < MOST_NAMES)
            cuts = numbers(offsets(np.minimum(counts, MOST_NAMES)))
            words = pa.DictionaryArray.from_arrays(numbers(order.astype(np.int32)), texts, safe=False)
            columns[f"{what}.Name"] = pa.ListArray.from_arrays(cuts, words)
            for name, column in values.items():
                columns[f"{what}.{name}"] = pa.ListArray.from_arrays(cuts, numbers(column.take(order)))
        return columns, forgotten


def _by_text(group: Index, texts: pa.Array) -> Index:
    """The order of entries by (group, text), which hashes do not tell."""
    plain = [(text or "").encode() for text in texts.to_pylist()]
    return np.array(sorted(range(len(plain)), key=lambda at: (group[at], plain[at])), np.intp)


def of_groups(facets: Rows, group: Index, groups: int) -> Figures | None:
    """Scores and measures of TRACE_FACET rows per group; None if there are none."""
    some = where(are_numbers(facets["what"]))
    if not len(some):
        return None
    facets, group = take(facets, some), group.take(some)
    score = where(facets["what"] == SCORE)
    scores = _summed(group.take(score), facets["key"][score], facets["at"][score], facets["span"][score].astype(np.int64))
    rest = where(facets["what"] == MEASURE)
    measures = _combined(group.take(rest), facets["key"][rest], facets["at"][rest], facets["span"][rest].astype(np.int64))
    return Figures(scores, measures, groups)


def nothing(groups: int) -> dict[str, pa.Array]:
    """The columns of sessions without scores and measures."""
    cuts = numbers(np.zeros(groups + 1, np.int32))
    types = {"Scores.Name": pa.string(), "Scores.Count": pa.uint64(), "Scores.Sum": pa.int64()}
    types |= {"Measures.Name": pa.string(), "Measures.Value": pa.int64()}
    return {name: pa.ListArray.from_arrays(cuts, pa.array([], type)) for name, type in types.items()}
