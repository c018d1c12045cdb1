"""What may stand in a condition of an alert, what it means, and what is said of what may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.sessions.conditions import NAMES, BadCondition, parse
from sojourn.web.parameters import snake_case

HOUR = 3600 * 10**9
ROWS: dict[str, list[Any]] = {
    "cost": [np.nan, 5.0, 7.5],
    "errors": [0.0, 3.0, 1.0],
    "spans": [0.0, 6.0, 1.0],
    "wall": [2.0 * HOUR, 2.5 * HOUR, 60e9],
    "silent": [20 * 60e9, 20 * 60e9 + 1, 0.0],
    "state": ["active", "idle", "ended"],
    "project": ["", "shop", "shop"],
    "name": [None, "a", "b"],
    "tools": [[], ["find", "buy"], ["find"]],
    "flags": [["unpriced"], [], []],
}


def columns(name: str) -> Any:
    values = ROWS[name]
    if NAMES[name][0] == "set":
        return values
    out: Any = np.array(values, float) if isinstance(values[0], float) else np.empty(3, object)
    out[:] = values
    return out


MEANINGS = [
    ("cost > 5", [False, False, True]),
    ("cost >= 5", [False, True, True]),
    ("cost < 100", [False, True, True]),
    ("cost != 5", [False, False, True]),
    ("not cost > 5", [True, True, False]),
    ("errors >= 3 and wall > 2h", [False, True, False]),
    ("errors >= 3 or wall <= 1m", [False, True, True]),
    ("wall > 1h30m and wall < 2.2h", [True, False, False]),
    ('state == "active" and silent > 20m', [False, False, False]),
    ("20m < silent", [False, True, False]),
    ("silent >= 20m", [True, True, False]),
    ("silent > 10m + 2 * 5m", [False, True, False]),
    ('state == "idle" or state == "ended"', [False, True, True]),
    ("state != 'active'", [False, True, True]),
    ('project == "shop" and name != "a"', [False, False, True]),
    ("errors / spans > 0.4", [False, True, True]),
    ("wall / 2 > 1h", [False, True, False]),
    ("wall / 1h >= 2.5", [False, True, False]),
    ("-errors < -2", [False, True, False]),
    ("1 <= errors < 3", [False, False, True]),
    ('"buy" in tools', [False, True, False]),
    ('"find" not in tools', [True, False, False]),
    ('"unpriced" in flags', [True, False, False]),
    ("1 < 2", [True, True, True]),
    ("errors > 1 and 2 > 1", [False, True, False]),
    ("  (errors > 2)\n  and spans > 0", [False, True, False]),
    ('name == "2h"', [False, False, False]),
]


@pytest.mark.parametrize(("text", "expected"), MEANINGS)
def test_what_a_condition_means(text: str, expected: list[bool]) -> None:
    assert np.broadcast_to(parse(text).holds(columns), 3).tolist() == expected


def test_a_condition_knows_its_columns_and_the_silences_that_change_it() -> None:
    found = parse('errors > 1 and (silent > 20m or silent < 5m) and state == "idle" and errors < 9')
    assert found.names == ("errors", "silent", "state")
    assert found.silences == (5 * 60 * 10**9, 20 * 60 * 10**9)


MISTAKES = [
    ("cost > ", 7, "cannot be read from here"),
    ("cost > > 1", 8, "cannot be read from here"),
    ("cost", 1, "a number is not a condition"),
    ("cots > 5", 1, "there is no column cots: did you mean cost?"),
    ("cost > 5 and qqqq < 1", 14, "there is no column qqqq: there are active, cache_read_tokens"),
    ("wall > 2", 8, "a duration cannot be compared with a number: a duration has a unit, such as 2h"),
    ("errors > 2h", 10, "cannot be compared"),
    ("cost + wall > 5", 1, "a number + a duration means nothing"),
    ("errors ** 9 > 1", 1, "of arithmetic only"),
    ("errors and cost > 5", 1, "a number is neither true nor false"),
    ("__import__('os')", 1, "only comparisons"),
    ("cost.real > 1", 1, "only comparisons"),
    ("[1] == [1]", 1, "only comparisons"),
    ("(lambda: 1)() > 1", 1, "only comparisons"),
    ("cost > 5 if errors > 1 else 2", 1, "only comparisons"),
    ("True", 1, "True is not known here"),
    ("cost is None", 9, "None is not known here"),
    ("cost is 5", 9, "compare with <"),
    ('state == "actve"', 10, "state is never 'actve': it is one of active, idle, ended"),
    ('state > "active"', 9, "texts are equal or not"),
    ("silent > wall", 10, "silent is compared with < or > to a duration"),
    ("silent == 5m", 11, "silent is compared with < or > to a duration"),
    ("silent > 5m / 0", 10, "silent is compared"),
    ("silent + 5m > 10m", 1, "silent + a duration means nothing"),
    ("name in tools", 9, 'write "text" in flags'),
    ('"a" in name', 8, 'write "text" in flags'),
    ('name == "ü" and x > 1', 17, "there is no column x"),
    ("__ > 1", 1, "there is no column __"),
    ("2h > 1h; 1", 8, "cannot be read from here"),
    ("\0", 1, "cannot be read"),
    ("x" * 1001, 1001, "it is longer than 1000 characters"),
    ("(" * 500 + "1", 1, "cannot be read"),
]


@pytest.mark.parametrize(("text", "at", "says"), MISTAKES, ids=[text[:30] for text, *_ in MISTAKES])
def test_what_is_no_condition_is_refused_with_its_place(text: str, at: int, says: str) -> None:
    with pytest.raises(BadCondition) as refused:
        parse(text)
    assert says in str(refused.value)
    if says != "cannot be read":
        assert refused.value.at == at


@given(
    st.text(max_size=60) | st.lists(st.sampled_from([*NAMES, *"()+-*/<>=!'\"5.", " and ", "not ", "2h", " in "]), max_size=25).map("".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except BadCondition:
        return
    assert set(found.names) <= set(NAMES)


@pytest.mark.parametrize("text", ["not " * 240 + "cost > 5", "cost > 5" + "+1" * 480, "-" * 900 + "cost > 5"])
def test_deep_conditions_are_refused_or_work(text: str) -> None:
    try:
        holds = parse(text).holds
    except BadCondition:
        return
    assert np.shape(holds(columns)) == (3,)


def test_columns_are_called_as_in_json() -> None:
    """But for durations, which conditions write with a unit."""
    for name, (kind, column) in NAMES.items():
        if column:
            assert snake_case(column) == (f"{name}_ns" if kind == "duration" else name)
