"""Which spans are calls: trees of random shape against plain recursion."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sojourn.sessions import usage
from sojourn.sessions.usage import MANY, NONE, ancestors, only_below

trees = st.lists(st.tuples(st.integers(-1, 30), st.booleans()), min_size=1, max_size=30)


def tree(rows):
    """A forest: each row's parent comes before it."""
    up = np.array([min(parent, at - 1) for at, (parent, _) in enumerate(rows)], np.intp)
    return up, np.flatnonzero([marked for _, marked in rows])


def path(up, row):
    out = []
    while (row := int(up[row])) >= 0:
        out.append(row)
    return out


@given(trees)
def test_ancestors_of_rows(rows):
    up, marked = tree(rows)
    assert set(np.flatnonzero(ancestors(up, marked)).tolist()) == {row for each in marked for row in path(up, each)}


@given(trees)
def test_the_only_leaf_below(rows):
    up, marked = tree(rows)
    above = {row for each in marked for row in path(up, each)}
    leaves = [int(row) for row in marked if int(row) not in above]
    below = {row: [leaf for leaf in leaves if row in path(up, leaf)] for row in range(len(up))}
    plain = [NONE if not mine else mine[0] if len(mine) == 1 else MANY for mine in (below[row] for row in range(len(up)))]
    mask = np.zeros(len(up), bool)
    mask[marked] = True
    assert only_below(up, mask).tolist() == plain


@given(trees, st.sampled_from([0, 2, 32]))
def test_rows_below_a_marked_row(rows, walk):
    up, marked = tree(rows)
    mask = np.zeros(len(up), bool)
    mask[marked] = True
    usual, usage.WALK = usage.WALK, walk  # beyond it, the other way to the same answer is taken
    try:
        found = usage._below(up, np.arange(len(up)), mask)
    finally:
        usage.WALK = usual
    assert found.tolist() == [any(mask[row] for row in path(up, each)) for each in range(len(up))]
