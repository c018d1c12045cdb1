"""The trace rows of sessions as they are kept in memory: one session after the other, in two strings of bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sojourn.sessions.gather import Gathered, Pile, pile
from sojourn.sessions.packed import TRACE, TRACE_FACET, Index, Mask, plain


@dataclass(frozen=True, slots=True)
class Kept:
    """TRACE rows of some sessions, and their TRACE_FACET rows, whose `spare` is the place of the row that each belongs to."""

    sizes: Index
    """Bytes of each session's rows."""
    rows: bytes
    facet_sizes: Index
    facets: bytes

    @classmethod
    def nothing(cls, count: int) -> Kept:
        """No rows of `count` sessions."""
        none = np.zeros(count, np.int64)
        return cls(none, b"", none, b"")


def unpack(kept: Kept) -> Pile:
    """The rows of sessions, one session after the other; the first is number 0."""
    if not kept.rows:
        return pile()
    counts = kept.sizes // TRACE.itemsize
    said = np.frombuffer(kept.facets, TRACE_FACET)
    row = said["spare"] + np.repeat(counts.cumsum() - counts, kept.facet_sizes // TRACE_FACET.itemsize)
    return Pile(np.frombuffer(kept.rows, TRACE), np.repeat(np.arange(len(counts)), counts), said, row)


def keep(gathered: Gathered) -> Kept:
    """What to keep of the sessions that were gathered."""
    first = gathered.counts.cumsum() - gathered.counts
    facets = gathered.facets
    facets["spare"] = gathered.facet_row - np.repeat(first, gathered.facet_counts)
    return Kept(gathered.counts * TRACE.itemsize, plain(gathered.rows), gathered.facet_counts * TRACE_FACET.itemsize, plain(facets))


def only(kept: Kept, which: Mask) -> Kept:
    """The rows of some of the sessions."""
    rows, facets = np.frombuffer(kept.rows, np.uint8), np.frombuffer(kept.facets, np.uint8)
    return Kept(
        kept.sizes.compress(which),
        rows.compress(np.repeat(which, kept.sizes)).tobytes(),
        kept.facet_sizes.compress(which),
        facets.compress(np.repeat(which, kept.facet_sizes)).tobytes(),
    )
