"""Scores and measures against sums in plain Python."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sojourn.sessions import figures
from sojourn.sessions.figures import COUNT, GREATEST, LEAST, MEASURE, MOST_NAMES, SCORE, SUM
from sojourn.sessions.packed import SPAN_FACET, TRACE_FACET

I64 = st.integers(-(2**63), 2**63 - 1)
VALUES = st.integers(-5, 5) | I64
MIN, MAX = -(2**63), 2**63 - 1
HOW = {7: SUM, 8: LEAST, 9: GREATEST}

told = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([SCORE, MEASURE]), st.sampled_from([6, 7, 8, 9]), VALUES), max_size=25)


def clamped(number: int) -> int:
    return min(max(number, MIN), MAX)


@given(told)
def test_what_spans_tell_is_summed_up_by_cell_and_name(facts: list[tuple[int, int, int, int]]) -> None:
    """In any order, as far as 64 bits reach; a measure that the configuration does not know is left out."""
    facets = np.zeros(len(facts), SPAN_FACET)
    facets["what"], facets["key"] = [what for _, what, _, _ in facts], [key for _, _, key, _ in facts]
    facets["value"] = np.array([value for *_, value in facts], np.int64).view(np.uint64)
    rows, cells = figures.of_traces(facets, np.array([cell for cell, *_ in facts], np.intp), HOW)
    want: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for cell, what, key, value in facts:
        if what == SCORE or key in HOW:
            want[cell, what, key].append(value)
    plain = {}
    for (cell, what, key), values in want.items():
        how = SUM if what == SCORE else HOW[key]
        value = {SUM: clamped(sum(values)), LEAST: min(values), GREATEST: max(values)}[how]
        plain[cell, what, key] = (value, len(values) if what == SCORE else how)
    found = {
        (int(cell), int(row["what"]), int(row["key"])): (int(row["at"]), int(row["span"])) for cell, row in zip(cells, rows, strict=True)
    }
    assert found == plain


@given(st.lists(st.lists(I64, min_size=1, max_size=6), max_size=6))
def test_sums_are_exact_and_end_at_64_bits(runs: list[list[int]]) -> None:
    values = np.array([value for run in runs for value in run], np.int64)
    first = np.cumsum([0, *map(len, runs)])[:-1].astype(np.intp)
    assert figures.saturated(values, first).tolist() == [clamped(sum(run)) for run in runs]


def test_several_scores_of_one_name_on_one_span_are_several() -> None:
    facets = np.zeros(3, SPAN_FACET)
    facets["what"], facets["key"], facets["value"] = [SCORE, COUNT, SCORE], 5, [10, 3, 4]
    rows, _ = figures.of_traces(facets, np.zeros(3, np.intp), {})
    assert [(int(row["at"]), int(row["span"])) for row in rows] == [(14, 4)]


def lookup(codes: np.ndarray) -> pa.Array:
    return pa.array([None if code == 99 else f"{code:04}"[::-1] for code in codes.tolist()], pa.string())


def entries(*rows: tuple[int, int, int, int]) -> np.ndarray:
    out = np.zeros(len(rows), TRACE_FACET)
    out["what"], out["key"], out["at"], out["span"] = zip(*rows, strict=True)
    return out


def test_groups_without_figures_cost_nothing() -> None:
    assert figures.of_groups(entries((17, 1, 2, 3)), np.zeros(1, np.intp), 2) is None
    assert {name: len(column) for name, column in figures.nothing(2).items()} == dict.fromkeys(figures.nothing(0), 2)


def test_names_are_sorted_as_texts_and_bounded() -> None:
    """The bytewise least ones stay, and the group is marked."""
    rows = entries(*((SCORE, code, 1, 1) for code in range(1, 91)), (SCORE, 7, 2, 1), (SCORE, 3, 5, 1), (MEASURE, 7, 2, GREATEST))
    group = np.array([1] * 91 + [0, 0], np.intp)
    told = figures.of_groups(rows, group, 3)
    assert told is not None
    columns, forgotten = told.columns(lookup)
    assert told.truncated.tolist() == [False, True, False]
    assert not forgotten.any()
    names = columns["Scores.Name"].to_pylist()
    assert names == [["3000"], sorted(f"{code:04}"[::-1] for code in range(1, 91))[:MOST_NAMES], []]
    assert columns["Scores.Count"].to_pylist()[1][names[1].index("7000")] == 2
    assert columns["Scores.Sum"].to_pylist()[1][names[1].index("7000")] == 3
    assert columns["Measures.Name"].to_pylist() == [["7000"], [], []]
    assert columns["Measures.Value"].to_pylist() == [[2], [], []]


def test_a_measure_that_was_told_in_two_ways_is_the_later_one() -> None:
    """The configuration changed; both cannot be right, one name has one value."""
    told = figures.of_groups(entries((MEASURE, 7, 5, SUM), (MEASURE, 7, 3, GREATEST), (MEASURE, 7, 2, GREATEST)), np.zeros(3, np.intp), 1)
    assert told is not None
    assert told.columns(lookup)[0]["Measures.Value"].to_pylist() == [[3]]


def test_a_forgotten_name_is_told() -> None:
    told = figures.of_groups(entries((SCORE, 99, 1, 1), (SCORE, 1, 1, 1)), np.array([1, 0], np.intp), 2)
    assert told is not None
    assert told.columns(lookup)[1].tolist() == [False, True]
