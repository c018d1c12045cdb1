"""The trace rows of a session as they are kept in memory: two strings of bytes, the smallest that Python has."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from sojourn.sessions.gather import Gathered, Pile, pile
from sojourn.sessions.packed import TRACE, TRACE_FACET, Index, Rows, concat

Kept = tuple[bytes, bytes]
"""TRACE rows, and their TRACE_FACET rows, whose `spare` is the place of the row that each belongs to."""

NOTHING: Final[Kept] = (b"", b"")


def unpack(kept: list[Kept]) -> Pile:
    """The rows of sessions, one session after the other; the first is number 0."""
    if kept.count(NOTHING) == len(kept):
        return pile()
    rows, facets = zip(*kept, strict=True)
    counts = np.array(list(map(len, rows)), np.intp) // TRACE.itemsize
    facet_counts = np.array(list(map(len, facets)), np.intp) // TRACE_FACET.itemsize
    said = np.frombuffer(b"".join(facets), TRACE_FACET)
    row = said["spare"] + np.repeat(counts.cumsum() - counts, facet_counts)
    return Pile(np.frombuffer(b"".join(rows), TRACE), np.repeat(np.arange(len(kept)), counts), said, row)


def cut_up(gathered: Gathered) -> list[Kept]:
    """The rows of each session."""
    first = gathered.counts.cumsum() - gathered.counts
    facets = gathered.facets
    facets["spare"] = gathered.facet_row - np.repeat(first, gathered.facet_counts)
    of_rows = _slices(gathered.rows.tobytes(), gathered.counts, TRACE.itemsize)
    return list(zip(of_rows, _slices(facets.tobytes(), gathered.facet_counts, TRACE_FACET.itemsize), strict=True))


def as_bytes(part: Pile) -> Kept:
    """The rows of one session as they stand, rows that replace others included."""
    facets: Rows = concat(part.facets).copy()
    facets["spare"] = part.row
    return part.rows.tobytes(), facets.tobytes()


def _slices(plain: bytes, counts: Index, size: int) -> list[bytes]:
    cuts = [0, *(counts.cumsum() * size).tolist()]
    return [plain[begin:end] for begin, end in pairwise(cuts)]
