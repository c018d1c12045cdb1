"""The rows of one commit in one block, and the traces that point into it: nothing is copied per trace."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sojourn.sessions.groups import Groups
from sojourn.sessions.packed import U64, Index, Rows, concat, take


class Block(NamedTuple):
    """FACT and SPAN_FACET rows, sorted by trace."""

    facts: Rows
    facets: Rows


class Known(NamedTuple):
    """What the shelf holds of one trace."""

    session: int
    """Hash of the session it was counted in last, 0 for none."""
    block: Block
    first: int
    """Its rows in `block.facts` are [first, end)."""
    end: int
    first_facet: int
    end_facet: int


def entries(block: Block, groups: Groups, session: U64, chosen: Index) -> Iterator[Known]:
    """What to hold of the chosen groups, whose rows `block` has; `session` is where each group is counted."""
    none = np.zeros(groups.count, np.intp)
    ends = groups.first + groups.sizes
    facet_ends = none
    if len(block.facets):
        facet_ends = np.searchsorted(block.facets["trace"], groups.number.take(groups.first), "right")
    facet_first = np.concatenate([none[:1], facet_ends[:-1]])
    columns = [each.take(chosen).tolist() for each in (session, groups.first, ends, facet_first, facet_ends)]
    return map(Known._make, zip(columns[0], repeat(block), *columns[1:], strict=False))


def join(known: list[tuple[int, Known]]) -> tuple[Rows, Rows]:
    """The rows of several traces in one array, and their facets, numbered."""
    by_block: dict[int, list[tuple[int, Known]]] = {}
    for number, each in known:
        by_block.setdefault(id(each.block), []).append((number, each))
    parts = [_of_block(each) for each in by_block.values()]
    return concat(*(facts for facts, _ in parts)), concat(*(facets for _, facets in parts))


def _of_block(known: list[tuple[int, Known]]) -> tuple[Rows, Rows]:
    block = known[0][1].block
    table = np.array([(number, each.first, each.end, each.first_facet, each.end_facet) for number, each in known], np.int64)
    return _slices(block.facts, table[:, 0], table[:, 1], table[:, 2]), _slices(block.facets, table[:, 0], table[:, 3], table[:, 4])


def _slices(rows: Rows, number: npt.NDArray[np.int64], first: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> Rows:
    """rows[first:end] of each trace, one after the other, numbered."""
    counts = end - first
    begin = np.cumsum(counts) - counts
    out = take(rows, np.repeat(first - begin, counts) + np.arange(counts.sum()))
    out["trace"] = np.repeat(number, counts)
    return out
