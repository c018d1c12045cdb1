"""The mechanics of groups against plain loops; short keys are forced to clash."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sojourn.sessions.groups import cut_cycles, greatest, least, one_row_each, parents

SMALL = 3  # bits left of an id in the sort key: clashes all the time

rows_of_traces = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(0, 3), st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=60
)


def columns(rows):
    group, ident, end, digest, parent = zip(*rows, strict=True)
    wide = [np.array(each, np.uint64) for each in (ident, end, digest, parent)]
    return np.array(group, np.uint32), *wide


@given(rows_of_traces)
def test_one_row_each_keeps_the_greatest_version(rows):
    group, ident, end, digest, _ = columns(rows)
    groups = one_row_each(group, ident, (end, digest), SMALL)
    best: dict[tuple[int, int], tuple[int, int, int]] = {}
    for at, (g, i, e, d, _) in enumerate(rows):
        best[g, i] = max(best.get((g, i), (-1, -1, -1)), (e, d, -at))
    kept = {(int(group[at]), int(ident[at])): int(at) for at in groups.order}
    assert kept == {key: -value[2] for key, value in best.items()}
    assert len(groups.order) == len(kept)
    assert groups.number.tolist() == sorted(group[groups.order].tolist())
    assert groups.number[groups.first].tolist() == sorted(set(group.tolist()))
    assert (groups.number[groups.first][groups.member] == groups.number).all()


@given(rows_of_traces)
def test_parents_are_found_within_the_trace(rows):
    group, ident, end, digest, parent = columns(rows)
    groups = one_row_each(group, ident, (end, digest), SMALL)
    idents, above = ident[groups.order], parent[groups.order]
    up = parents(groups, idents, above)
    place = {(int(g), int(i)): at for at, (g, i) in enumerate(zip(groups.number, idents, strict=True))}
    assert up.tolist() == [place.get((int(g), int(p)), -1) if p else -1 for g, p in zip(groups.number, above, strict=True)]


@given(rows_of_traces)
def test_cycles_are_cut_at_their_least_span(rows):
    group, ident, end, digest, parent = columns(rows)
    groups = one_row_each(group, ident, (end, digest), SMALL)
    idents = ident[groups.order]
    up = parents(groups, idents, parent[groups.order])
    before = up.copy()
    cut = set(cut_cycles(up, idents).tolist())
    for row in range(len(up)):
        path, at = [], row
        while at >= 0 and at not in path:
            path.append(at)
            at = int(before[at])
        if at >= 0:
            ring = path[path.index(at) :]
            assert min(ring, key=lambda each: int(idents[each])) in cut
    for row in range(len(up)):
        steps, at = 0, row
        while at >= 0:
            at, steps = int(up[at]), steps + 1
            assert steps <= len(up)
        assert (up[row] == before[row]) or (row in cut and up[row] == -1)


@given(rows_of_traces)
def test_least_and_greatest_row_of_each_group(rows):
    group, ident, end, digest, _ = columns(rows)
    groups = one_row_each(group, ident, (end, digest), SMALL)
    at, idents = end[groups.order].astype(np.int64), ident[groups.order]
    rank, mask = digest[groups.order].astype(np.uint8), digest[groups.order] < 3
    low, high = least(groups, mask, rank, at, idents), greatest(groups, mask, at, idents)
    for which in range(groups.count):
        mine = [row for row in range(len(at)) if groups.member[row] == which and mask[row]]
        assert low[which] == min(mine, key=lambda row: (rank[row], at[row], idents[row]), default=-1)
        assert high[which] == max(mine, key=lambda row: (at[row], idents[row]), default=-1)
