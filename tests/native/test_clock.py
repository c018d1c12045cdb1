"""The clock: the system's, or one that a test sets."""

from __future__ import annotations

import time

import pytest

from sojourn._native import Clock


def test_the_system_clock_tells_the_time() -> None:
    """Nanoseconds since 1970, between two looks at Python's own clock."""
    before = time.time_ns()
    assert before <= Clock().now() <= time.time_ns()


def test_a_fixed_clock_stands_until_it_is_set() -> None:
    """Tests own the time."""
    clock = Clock(5)
    assert clock.now() == 5
    clock.set(-7)
    assert clock.now() == -7


def test_nobody_sets_the_system_clock() -> None:
    """Setting it is a mistake of the caller."""
    with pytest.raises(ValueError, match="system"):
        Clock().set(1)
