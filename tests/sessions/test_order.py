"""The mechanics under the session rows, each against a plain loop. Small columns make what is shortened clash all the time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.sessions import facets as facets_module
from sojourn.sessions import gather as gather_module
from sojourn.sessions.gather import Pile, gather, pile
from sojourn.sessions.kept import keep, unpack
from sojourn.sessions.lifecycle import covered
from sojourn.sessions.order import distinct, lengths, ordered, scramble, spread
from sojourn.sessions.packed import TRACE, TRACE_FACET

small = st.integers(0, 5)
large = st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(small, small | large), max_size=60))
def test_rows_are_ordered_by_group_and_value(rows: list[tuple[int, int]]) -> None:
    group, value = np.array([row[0] for row in rows], np.intp), np.array([row[1] for row in rows], np.uint64)
    order, _ = ordered(group, 6, value, value)
    assert order.tolist() == sorted(range(len(rows)), key=lambda at: (rows[at], at))


@given(st.lists(st.tuples(small, small, small), max_size=60))
def test_what_cannot_be_told_apart_is_ordered_exactly(rows: list[tuple[int, int, int]]) -> None:
    group, minor, major = (np.array([row[at] for row in rows], np.intp) for at in range(3))
    order, _ = ordered(group, 6, np.zeros(len(rows), np.uint64), minor, major)
    assert order.tolist() == sorted(range(len(rows)), key=lambda at: (rows[at][0], rows[at][2], rows[at][1], at))


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=40))
def test_spread_numbers_keep_their_order(values: list[int]) -> None:
    out = spread(np.array(values, np.int64)).tolist()
    assert sorted(range(len(values)), key=values.__getitem__) == sorted(range(len(values)), key=out.__getitem__)


@given(st.lists(small | large, max_size=60))
def test_distinct_values_are_found_once(values: list[int]) -> None:
    found, first, which = distinct(np.array(values, np.uint64))
    assert found.tolist() == sorted(set(values))
    assert [values[at] for at in first.tolist()] == found.tolist()
    assert found[which].tolist() == values


@given(st.lists(st.lists(st.tuples(small, small), min_size=1, max_size=12), min_size=1, max_size=5))
def test_covered_is_the_union(groups: list[list[tuple[int, int]]]) -> None:
    rows = [sorted((start, start + length) for start, length in group) for group in groups]
    counts = np.array([len(group) for group in rows])
    first = np.cumsum(counts) - counts
    start, end = np.array([pair for group in rows for pair in group], np.int64).T
    new, _ = covered(first, start, end)
    expected = [len({moment for begin, stop in group for moment in range(begin, stop)}) for group in rows]
    assert np.add.reduceat(new, first).tolist() == expected
    assert lengths(first, len(start)).tolist() == counts.tolist()


telling = st.tuples(small, st.sampled_from([0, 1, 2**63]), small, st.integers(0, 3), st.booleans(), st.lists(small, max_size=3))
tellings = st.lists(telling, max_size=30)


def pile_of(told: list[tuple[Any, ...]]) -> Pile:
    rows = np.zeros(len(told), TRACE)
    for at, (_, hi, lo, start, gone, _) in enumerate(told):
        rows[at]["trace_hi"], rows[at]["trace_lo"], rows[at]["start"], rows[at]["deleted"], rows[at]["spans"] = hi, lo, start, gone, lo % 2
    said = [(at, value) for at, each in enumerate(told) for value in each[5]]
    facets = np.zeros(len(said), TRACE_FACET)
    facets["value"] = [value for _, value in said]
    return Pile(rows, np.array([each[0] for each in told], np.intp), facets, np.array([at for at, _ in said], np.intp))


def expected_of(told: list[tuple[Any, ...]]) -> list[list[tuple[int, list[int]]]]:
    """Per session the number of each row that counts, in order, with what it says."""
    newest = {each[:3]: at for at, each in enumerate(told)}
    alive = sorted((told[at][0], told[at][3], told[at][2] % 2, *told[at][1:3], at) for at in newest.values() if not told[at][4])
    return [[(at, sorted(told[at][5])) for session, *_, at in alive if session == number] for number in range(6)]


@pytest.mark.parametrize("clashing", [False, True])
@given(old=tellings, new=tellings)
def test_of_each_trace_the_last_row_counts(clashing: bool, old: list[Any], new: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if clashing:
            patch.setattr(gather_module, "scramble", lambda *columns: np.zeros(len(columns[0]), np.uint64))
        gathered = gather(pile(pile_of(old), pile_of(new)), 6)
        kept = keep(gathered)
    again = unpack(kept)
    found: list[list[tuple[int, list[int]]]] = [[] for _ in range(6)]
    for at, (session, place) in enumerate(zip(again.session.tolist(), gathered.place.tolist(), strict=True)):
        found[session].append((place, sorted(again.facets["value"][again.row == at].tolist())))
    assert found == expected_of(old + new)


@given(st.lists(st.tuples(small, small, small), max_size=40))
def test_facets_stand_together_even_if_hashes_clash(rows: list[tuple[int, int, int]]) -> None:
    group, kind, name = (np.array([row[at] for row in rows], kind) for at, kind in enumerate((np.intp, np.uint8, np.uint64)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facets_module, "scramble", lambda *columns: np.zeros(len(columns[0]), np.uint64))
        order = facets_module._together(group, 6, kind, name)
    seen = [rows[at] for at in order.tolist()]
    runs = [each for at, each in enumerate(seen) if at == 0 or each != seen[at - 1]]
    assert len(runs) == len(set(rows))
    assert [each[0] for each in seen] == sorted(each[0] for each in rows)


def test_scrambling_tells_close_numbers_apart() -> None:
    ids = np.arange(10_000, dtype=np.uint64)
    assert len(np.unique(scramble(ids, np.zeros(10_000, np.uint64)) >> np.uint64(32))) > 9_990
    assert len(np.unique(scramble(np.zeros(10_000, np.uint64), ids) >> np.uint64(32))) > 9_990
