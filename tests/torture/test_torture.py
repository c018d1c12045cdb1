"""What was acknowledged is stored exactly once: a short run of what `make torture` does for long."""

from __future__ import annotations

from pathlib import Path

from tests.torture.killed import cut_network, full_disk, killed_collector, killed_database, killed_with_database

SEED = 20261123


def test_collector_killed_at_any_moment(tmp_path: Path) -> None:
    """SIGKILL thirty times under load, while it starts and while it replays: nothing missing, nothing doubled, the same totals."""
    killed_collector(tmp_path, 30, SEED)


def test_collector_killed_with_its_embedded_database(tmp_path: Path) -> None:
    """The same where the database dies in the middle of its inserts."""
    killed_with_database(tmp_path, 2, SEED)


def test_database_killed_at_any_moment(tmp_path: Path) -> None:
    """The collector starts without its database, takes data while it is away, and delivers when it is back."""
    killed_database(tmp_path, 5, SEED)


def test_network_that_resets_stalls_and_truncates(tmp_path: Path) -> None:
    """An insert whose answer is lost is sent again, and stored once."""
    cut_network(tmp_path, 5, SEED)


def test_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    """Senders are told to come again, and it goes on by itself."""
    full_disk(tmp_path, 8, SEED)
