"""Nothing is merged while the disk of the embedded engine may become full before a merge has ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.storage import room
from tests.storage.test_embedded import child

GIB = 1 << 30

MERGED = """
import logging
from sojourn.errors import Unavailable
from sojourn.storage import embedded, room

logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)
logging.getLogger("sojourn.storage.room").setLevel(logging.INFO)
room._disk = lambda path: (left, 1 << 40)
left = {before}
migrate.apply(database)
watch = embedded._watches[database.path]
watch._ended.set()
watch._thread.join()

def merge():
    database.command("INSERT INTO otel.session_rows (SessionId, Version) VALUES ('s', 1)")
    try:
        database.command("OPTIMIZE TABLE session_rows FINAL")
        print("merged")
    except Unavailable:
        print("not merged")

database.command("INSERT INTO otel.session_rows (SessionId, Version) VALUES ('r', 1)")
merge()
for left in {later}:
    watch.look()
    merge()
database.close()
"""


def said(path: Path, before: int, *later: int) -> list[str]:
    lines = child(path, MERGED.format(before=before, later=later)).communicate(timeout=60)[0].splitlines()
    return [line.replace(str(path), "DB") for line in lines]


def test_merges_are_ended_before_the_disk_is_full_and_go_on_when_it_has_room(tmp_path: Path) -> None:
    """The engine would take a part for written that is empty, and let go of those that it was made of."""
    assert said(tmp_path / "db", 2 * GIB, room.LOW - 1, room.LOW + 1, room.LOW + room.KEPT) == [
        "merged",
        "WARNING DB: only 255 MiB of its disk are free: nothing is merged until there is more",
        "not merged",
        "not merged",
        "INFO DB: its disk has room again: parts are merged",
        "merged",
    ]


def test_tables_that_are_made_while_the_disk_is_full_are_not_merged_either(tmp_path: Path) -> None:
    """And it is said once."""
    assert said(tmp_path / "db", 0, 0, 1 << 20)[0::2] == [
        "WARNING DB: only 0 MiB of its disk are free: nothing is merged until there is more",
        "not merged",
    ]


@pytest.mark.parametrize(
    ("left", "whole", "due"),
    [
        (1000 * GIB, 2000 * GIB, 5.0),
        (room.LOW + 4 * GIB, 100 * GIB, 1.0),
        (room.LOW, 100 * GIB, 0.05),
        (2 * room.KEPT + 4 * GIB, 5 * room.KEPT, 1.0),
    ],
)
def test_it_looks_the_oftener_the_less_room_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, whole: int, due: float
) -> None:
    """It costs nothing on a disk that cannot be full soon; a small disk may be fuller."""
    monkeypatch.setattr(room, "_disk", lambda _: (left, whole))
    watch = room.Watch(tmp_path)
    try:
        assert watch.look() == due
    finally:
        watch.close()


def test_a_directory_that_is_gone_is_no_full_disk(tmp_path: Path) -> None:
    assert room.free(tmp_path / "gone") > 1 << 60
    assert 0 < room.free(tmp_path) < 1 << 60
