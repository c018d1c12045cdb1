"""The mechanics of groups against plain loops; short keys are forced to clash."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sojourn.sessions.groups import arrange, find, greatest, least
from sojourn.sessions.packed import FACT

SMALL = 3  # bits left of an id in the sort key: clashes all the time

rows_of_traces = st.lists(
    st.tuples(*(st.integers(0, 3), st.integers(1, 12), st.integers(0, 3), st.integers(0, 3), st.integers(0, 12), st.integers(0, 2))),
    min_size=1,
    max_size=60,
).map(lambda rows: _alike(rows))
NAMES = ("trace", "span", "sent_end", "digest", "parent", "arrival")


def _alike(rows):
    """Equal copies name one parent."""
    parents = {}
    return [(*row[:4], parents.setdefault(row[:4], row[4]), row[5]) for row in rows]


def facts(rows):
    out = np.zeros(len(rows), FACT)
    for name, values in zip(NAMES, zip(*rows, strict=True), strict=True):
        out[name] = values
    return out


@given(rows_of_traces)
def test_one_row_each_keeps_the_greatest_version_and_of_equal_copies_the_first_to_arrive(rows):
    groups, kept, _, _ = arrange(facts(rows), SMALL)
    best: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    for at, (trace, span, end, digest, _, arrival) in enumerate(rows):
        best[trace, span] = max(best.get((trace, span), (-1, -1, -9, -1)), (end, digest, -arrival, -at))
    assert {(rows[at][0], rows[at][1]): at for at in groups.order.tolist()} == {key: -value[3] for key, value in best.items()}
    assert len(groups.order) == len(best) == groups.sizes.sum()
    assert groups.number.tolist() == sorted(trace for trace, _ in best)
    assert (groups.number[groups.first][groups.member] == groups.number).all()
    assert kept["span"].tolist() == [rows[at][1] for at in groups.order.tolist()]


def links(groups, kept):
    """Each row's parent by position, before cycles are cut."""
    place = {(int(row["trace"]), int(row["span"])): at for at, row in enumerate(kept)}
    return [place.get((int(row["trace"]), int(row["parent"])), -1) if row["parent"] else -1 for row in kept]


@given(rows_of_traces)
def test_parents_are_found_and_cycles_cut_at_their_least_span(rows):
    groups, kept, up, cut = arrange(facts(rows), SMALL)
    before = links(groups, kept)
    cut = set(cut.tolist())
    rings = set()
    for row in range(len(up)):
        path, at = [], row
        while at >= 0 and at not in path:
            path.append(at)
            at = before[at]
        if at >= 0:
            rings.add(min(path[path.index(at) :], key=lambda each: int(kept["span"][each])))
    assert cut == rings
    assert [-1 if row in cut else before[row] for row in range(len(up))] == up.tolist()


@given(rows_of_traces, st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12)), min_size=1))
def test_rows_are_found_by_trace_and_span(rows, wanted):
    groups, kept, _, _ = arrange(facts(rows), SMALL)
    place = {(int(row["trace"]), int(row["span"])): at for at, row in enumerate(kept)}
    group, ident = (np.array(each) for each in zip(*wanted, strict=True))
    found = find(groups, kept["span"], group.astype(np.uint32), ident.astype(np.uint64))
    assert found.tolist() == [place.get(each, -1) for each in wanted]


@given(rows_of_traces)
def test_least_and_greatest_row_of_each_group(rows):
    groups, kept, _, _ = arrange(facts(rows), SMALL)
    at, idents = kept["sent_end"].astype(np.int64), kept["span"]
    rank, mask = kept["digest"].astype(np.uint8), kept["digest"] < 3
    low, high = least(groups, mask, rank, at, idents), greatest(groups, mask, at, idents)
    for which in range(groups.count):
        mine = [row for row in range(len(at)) if groups.member[row] == which and mask[row]]
        assert low[which] == min(mine, key=lambda row: (rank[row], at[row], idents[row]), default=-1)
        assert high[which] == max(mine, key=lambda row: (at[row], idents[row]), default=-1)
