"""What sessions are made of beside numbers: services, models, tools, tags and metadata, united over their traces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.schema import FACETS
from sojourn.sessions.order import changes, distinct, lengths, ordered, scramble, spread, where
from sojourn.sessions.packed import U64, Index, Mask, Rows, numbers, offsets

SETS: Final = {"Services": "service", "Models": "model", "Providers": "provider", "Tools": "tool", "Tags": "tag"}
METADATA: Final = FACETS["metadata"]
MOST_KEYS: Final = 64
_KINDS: Final = ("metadata", *SETS.values())
_UNWANTED: Final = len(_KINDS)
_KIND_OF: Final = np.full(256, _UNWANTED, np.uint8)
_KIND_OF[[FACETS[what] for what in _KINDS]] = np.arange(len(_KINDS))

Lookup = Callable[[U64], pa.Array]
"""The texts of hashes, null for what was forgotten."""


@dataclass(frozen=True, slots=True)
class Facets:
    """What each group of traces says, every entry once, sorted by (kind, group, text); the kinds are metadata and then those of SETS."""

    texts: pa.Array
    """The distinct texts of set values and metadata keys."""
    text: npt.NDArray[np.int32]
    """For each entry its place in `texts`."""
    value: U64
    """For metadata the hash of the value."""
    counts: npt.NDArray[np.intp]
    """Entries of each (kind, group)."""
    truncated: Mask
    """Groups whose metadata had more than MOST_KEYS keys."""

    def sets(self) -> dict[str, pa.Array]:
        """The texts of each set as one list per group."""
        return {name: pa.ListArray.from_arrays(*self._part(kind)) for kind, name in enumerate(SETS, 1)}

    def metadata(self, lookup: Lookup) -> pa.Array:
        """Keys and values as one map per group."""
        return pa.MapArray.from_arrays(*self._part(0), lookup(self.value[: int(self.counts[0].sum())]))

    def _part(self, kind: int) -> tuple[pa.Array, pa.Array]:
        """Where each group's entries of one kind begin, and their texts."""
        begin = int(self.counts[:kind].sum())
        text = self.text[begin : begin + int(self.counts[kind].sum())]
        return numbers(offsets(self.counts[kind])), pa.DictionaryArray.from_arrays(numbers(text), self.texts, safe=False)

    def forgotten(self, values: pa.Array) -> Mask:
        """Groups one of whose texts is null; `values` are those of the metadata."""
        lost = np.asarray(self.texts.is_null()).take(self.text)
        if values.null_count:
            lost[: len(values)] |= np.asarray(values.is_null())
        kind_and_group = np.repeat(np.arange(self.counts.size), self.counts.reshape(-1))
        out = np.zeros(self.counts.shape[1], bool)
        out[kind_and_group.compress(lost) % len(out)] = True
        return out


def unite(facets: Rows, group: Index, row: Index, traces: Rows, groups: int, lookup: Lookup) -> Facets:
    """Unite TRACE_FACET rows per group. `group` is the group of each, `row` the one of `traces` that told it.

    Of metadata the latest value of each key by (at, trace id, span); at most the MOST_KEYS bytewise least keys.
    """
    kind = _KIND_OF.take(facets["what"] & 255)
    wanted = where(kind != _UNWANTED)
    kind, group = kind.take(wanted), group.take(wanted)
    name = np.where(kind == 0, facets["key"][wanted], facets["value"][wanted])
    order = _together(group, groups, kind, name)
    kind, group, name, wanted = kind.take(order), group.take(order), name.take(order), wanted.take(order)
    new = changes(group, kind, name)
    first = where(new)
    told = wanted.take(first)
    if len(first) < len(wanted):
        mine = where(kind == 0)
        entry = (new.cumsum() - 1).take(mine)
        rows = wanted.take(mine)
        entry, rows = greatest_only(entry, rows, facets["at"])
        if len(entry) and (entry[1:] == entry[:-1]).any():  # told at one time
            ids = (traces[name][row] for name in ("trace_hi", "trace_lo"))
            entry, rows = greatest(entry, rows, *ids, facets["span"], facets["value"])
        told[entry] = rows
    place = kind.take(first) * np.intp(groups) + group.take(first)
    return _in_order(place, name.take(first), facets["value"][told], groups, lookup)


def _together(group: Index, groups: int, kind: npt.NDArray[np.uint8], name: U64) -> Index:
    """An order by group in which equal (kind, name) stand together."""
    spice = scramble(name, kind.astype(np.uint64))
    order, alike = ordered(group, groups, spice)
    here, there = order.take(alike), order.take(alike + 1)
    if (name.take(here) != name.take(there)).any() or (kind.take(here) != kind.take(there)).any():  # hashes clash
        order, _ = ordered(group, groups, spice, kind, name)
    return order


def _in_order(place: Index, name: U64, value: U64, groups: int, lookup: Lookup) -> Facets:
    """Sort entries by (kind, group) and their texts, which hashes do not tell, and leave out the metadata keys that are too many.

    `place` is kind · groups + group.
    """
    words, _, which = distinct(name)
    texts = lookup(words)
    plain = [text or "" for text in texts.to_pylist()]
    rank = np.empty(len(plain), np.int64)
    rank[sorted(range(len(plain)), key=plain.__getitem__)] = np.arange(len(plain))
    ranked = rank.take(which)
    order = ordered(place, len(_KINDS) * groups, spread(ranked), ranked)[0]
    counts = np.bincount(place, minlength=len(_KINDS) * groups).reshape(len(_KINDS), groups)
    truncated = counts[0] > MOST_KEYS
    if truncated.any():
        nth = np.arange(int(counts[0].sum())) - np.repeat(counts[0].cumsum() - counts[0], counts[0])
        order = np.delete(order, where(nth >= MOST_KEYS))
        counts[0] = np.minimum(counts[0], MOST_KEYS)
    return Facets(texts, which.take(order).astype(np.int32), value.take(order), counts, truncated)


def greatest(member: Index, rows: Index, *values: npt.NDArray[np.generic]) -> tuple[Index, Index]:
    """Of the rows of each member (sorted) the one with the greatest values, compared from left to right: (members, rows)."""
    for column in values:
        member, rows = greatest_only(member, rows, column)
    first = where(changes(member))
    return member.take(first), rows.take(first)


def greatest_only(member: Index, rows: Index, values: npt.NDArray[np.generic]) -> tuple[Index, Index]:
    """Of the rows of each member (sorted) those with the greatest value."""
    first = where(changes(member))
    if len(first) == len(rows):
        return member, rows
    mine = values.take(rows)
    keep = mine == np.repeat(np.maximum.reduceat(mine, first), lengths(first, len(rows)))
    return member.compress(keep), rows.compress(keep)
