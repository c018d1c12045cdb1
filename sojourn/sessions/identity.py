"""Which session is a trace in? One answer per trace, from whatever spans of it are known, in whatever order they came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sojourn.sessions.groups import Groups, least
from sojourn.sessions.packed import U64, Index, Mask, Rows

NO_ID = 255


@dataclass(frozen=True, slots=True)
class Identity:
    winner: Index
    """The row that names each trace's session, -1 where no span does."""
    other_group: Index
    """Traces that other ids were told for; with `other` one entry per trace and other session."""
    other: U64


def identify(groups: Groups, facts: Rows, span: Mask, id_of: Callable[[U64], U64]) -> Identity:
    """The winner of a trace is the least (class, not root, start, span) among the spans that name a session.

    `span` tells which rows are spans; log records name no session for their trace. `id_of` gives a hash of the id alone for a session's
    hash: the same id told from two projects is no other id.
    """
    named = span & (facts["session"] != 0)
    rank = facts["id_class"] * np.uint8(2) + (facts["parent"] != 0)
    winner = least(groups, named, rank.astype(np.uint8), facts["start"], facts["span"])
    session = np.where(winner >= 0, facts["session"][np.maximum(winner, 0)], 0)
    differ = np.flatnonzero(named & (facts["session"] != session.take(groups.member)))
    if not len(differ):
        return Identity(winner, np.empty(0, np.intp), np.empty(0, np.uint64))
    pairs = np.unique(np.stack([groups.member.take(differ).astype(np.uint64), facts["session"][differ]]), axis=1)
    group, other = pairs[0].astype(np.intp), pairs[1]
    own = session.take(group)
    codes, index = np.unique(np.concatenate([own, other]), return_inverse=True)
    same = id_of(codes).take(index)
    new = same[: len(own)] != same[len(own) :]
    group, other, same = group.compress(new), other.compress(new), same[len(own) :].compress(new)
    _, first = np.unique(np.stack([group.astype(np.uint64), same]), axis=1, return_index=True)
    return Identity(winner, group.take(first), other.take(first))


def top_most(groups: Groups, facts: Rows, span: Mask, up: Index) -> Index:
    """The top-most span of each trace: a true root first, else a span whose parent is unknown; then the earliest, then the least id.

    -1 for a trace of which only log records are known.
    """
    rank = np.where(facts["parent"] == 0, 0, np.where(up < 0, 1, 2)).astype(np.uint8)
    return least(groups, span, rank, facts["start"], facts["span"])
