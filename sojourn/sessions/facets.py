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
from sojourn.sessions.packed import U64, Index, Mask, Rows, offsets

SETS: Final = {"Services": "service", "Models": "model", "Providers": "provider", "Tools": "tool", "Tags": "tag"}
METADATA: Final = FACETS["metadata"]
MOST_KEYS: Final = 64
_WANTED: Final = np.zeros(256, bool)
_WANTED[[METADATA, *(FACETS[what] for what in SETS.values())]] = True

Lookup = Callable[[U64], pa.Array]
"""The texts of hashes, null for what was forgotten."""


@dataclass(frozen=True, slots=True)
class Facets:
    """What each group of traces says, every entry once, sorted by (group, what, text)."""

    group: Index
    what: npt.NDArray[np.uint8]
    texts: pa.Array
    """The distinct texts of set values and metadata keys."""
    text: npt.NDArray[np.int32]
    """For each entry its place in `texts`."""
    value: U64
    """For metadata the hash of the value."""
    groups: int
    truncated: Mask
    """Groups whose metadata had more than MOST_KEYS keys."""

    def column(self, what: str) -> pa.Array:
        """The texts of one kind as one list per group."""
        mine = where(self.what == FACETS[what])
        return pa.ListArray.from_arrays(self._cuts(mine), self._texts(mine))

    def metadata(self, lookup: Lookup) -> pa.Array:
        """Keys and values as one map per group."""
        mine = where(self.what == METADATA)
        return pa.MapArray.from_arrays(self._cuts(mine), self._texts(mine), lookup(self.value.take(mine)))

    def _texts(self, mine: Index) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(self.text.take(mine)), self.texts)

    def _cuts(self, mine: Index) -> pa.Array:
        return pa.array(offsets(np.bincount(self.group.take(mine), minlength=self.groups)))


def unite(facets: Rows, group: Index, row: Index, traces: Rows, groups: int, lookup: Lookup) -> Facets:
    """Unite TRACE_FACET rows per group. `group` is the group of each, `row` the one of `traces` that told it.

    Of metadata the latest value of each key by (at, trace id, span); at most the MOST_KEYS bytewise least keys.
    """
    what = facets["what"].astype(np.uint8)
    wanted = where(_WANTED.take(what))
    what, group = what.take(wanted), group.take(wanted)
    name = np.where(what == METADATA, facets["key"].take(wanted), facets["value"].take(wanted))
    order = _together(group, groups, what, name)
    what, group, name, wanted = what.take(order), group.take(order), name.take(order), wanted.take(order)
    new = changes(group, what, name)
    first = where(new)
    told = wanted.take(first)
    if len(first) < len(wanted):
        mine = where(what == METADATA)
        entry = (np.cumsum(new) - 1).take(mine)
        rows = wanted.take(mine)
        entry, rows = greatest_only(entry, rows, facets["at"])
        if len(entry) and (entry[1:] == entry[:-1]).any():  # told at one time
            ids = (traces[name].take(row) for name in ("trace_hi", "trace_lo"))
            entry, rows = greatest(entry, rows, *ids, facets["span"], facets["value"])
        told[entry] = rows
    return _in_order(group.take(first), what.take(first), name.take(first), facets["value"].take(told), groups, lookup)


def _together(group: Index, groups: int, what: npt.NDArray[np.uint8], name: U64) -> Index:
    """An order by group in which equal (what, name) stand together."""
    spice = scramble(name, what.astype(np.uint64))
    order, alike = ordered(group, groups, spice)
    here, there = order.take(alike), order.take(alike + 1)
    if (name.take(here) != name.take(there)).any() or (what.take(here) != what.take(there)).any():  # hashes clash
        order, _ = ordered(group, groups, spice, what, name)
    return order


def _in_order(group: Index, what: npt.NDArray[np.uint8], name: U64, value: U64, groups: int, lookup: Lookup) -> Facets:
    """Sort entries by their texts, which hashes do not tell, and leave out the metadata keys that are too many."""
    words, which = distinct(name)
    texts = lookup(words)
    plain = [text or "" for text in texts.to_pylist()]
    rank = np.empty(len(plain), np.int64)
    rank[sorted(range(len(plain)), key=plain.__getitem__)] = np.arange(len(plain))
    order = ordered(group, groups, spread(what.astype(np.int64) * len(plain) + rank.take(which)), rank.take(which), what)[0]
    group, what = group.take(order), what.take(order)
    first = where(changes(group, what))
    nth = np.arange(len(group)) - np.repeat(first, lengths(first, len(group)))
    many = (what == METADATA) & (nth >= MOST_KEYS)
    truncated = np.zeros(groups, bool)
    if many.any():
        truncated[group.compress(many)] = True
        order, group, what = order.compress(~many), group.compress(~many), what.compress(~many)
    return Facets(group, what, texts, which.take(order).astype(np.int32), value.take(order), groups, truncated)


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
