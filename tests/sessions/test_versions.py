"""Versions grow, whatever the clock does."""

from sojourn.sessions.versions import Versions


def test_a_version_is_the_time_in_microseconds() -> None:
    assert Versions().next(1_700_000_000_123_456_789) == 1_700_000_000_123_456


def test_versions_grow_while_the_clock_stands_or_goes_back() -> None:
    versions = Versions(last=50)
    assert [versions.next(now) for now in (10_000, 10_000, 90_000, 90_000, 0)] == [51, 52, 90, 91, 92]
