"""The write-ahead log of a lane: where it lies, and what is told about it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from sojourn.errors import SojournError

if TYPE_CHECKING:
    from sojourn import _native

log = logging.getLogger(__name__)
FOLDER: Final = "log"
"""In the data directory."""


def open_log(data_dir: Path | None, lane: str, max_size: int, wanted: bool) -> _native.Log | None:
    """The log of a lane if it wants one, or if an earlier process left something in it. Raises SojournError."""
    from sojourn import _native

    if data_dir is None:
        return None
    path = data_dir / FOLDER / _directory(lane)
    if not wanted and not path.exists():
        return None
    try:
        opened = _native.Log(str(path), max_size)
    except ValueError as error:
        advice = "start the version that wrote it, or move the file away: what is in it is not stored then"
        raise SojournError(f"service::data_dir: {error}: {advice}") from error
    except OSError as error:
        advice = "choose a directory that can be written, on a disk with room"
        raise SojournError(f"service::data_dir: {path}: {error.strerror}: {advice}") from error
    found = opened.report()
    if not wanted and not found["requests"]:
        opened.close()
        return None
    _tell(lane, found)
    return opened


def move_old_logs(data_dir: Path | None, lanes: Mapping[str, Mapping[str, list[_native.Lane]]], max_size: int) -> None:
    """What is left in the logs of lanes that are no more goes to those that take its signals now. `lanes`: by name, by signal."""
    if data_dir is None or not (data_dir / FOLDER).is_dir():
        return
    names = {_directory(lane) for lane in lanes}
    signals: dict[str, list[_native.Lane]] = {}
    for by_signal in lanes.values():
        for signal, queues in by_signal.items():
            signals.setdefault(signal, []).extend(queues)
    for path in sorted(path for path in (data_dir / FOLDER).iterdir() if path.is_dir() and path.name not in names):
        old = open_log(data_dir, unquote(path.name), max_size, wanted=False)
        left = 0
        if old is not None:
            left = old.move_to(signals)
            old.close()
        if left:
            message = "%s: %d requests stay there: no pipeline takes them, or not now; the next start tries again"
            log.warning(message, path, left)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _directory(lane: str) -> str:
    return quote(lane, safe="+")


def _tell(lane: str, found: dict[str, int]) -> None:
    if found["damaged"]:
        log.error("lane %s: %d requests in the write-ahead log are damaged and lost: check the disk", lane, found["damaged"])
    if found["unfinished"]:
        message = "lane %s: %d requests of the last write are not whole: nobody was told that they are safe, or the disk is damaged"
        log.warning(message, lane, found["unfinished"])
    if found["requests"]:
        log.info("lane %s: %s from the write-ahead log come first", lane, amount(found["requests"], found["bytes"]))


def amount(requests: float, size: float) -> str:
    return f"{requests:.0f} requests ({size / (1 << 20):.1f} MiB)"
