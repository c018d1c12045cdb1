"""Rows that can never be stored: written down with the reason, so that somebody can put them right."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any, Final

from sojourn.component import Batch
from sojourn.errors import Unavailable

FOLDER: Final = "dead-letters"
"""In the data directory."""
FULL: Final = 1 << 28
"""Bytes that the folder holds at most."""


class DeadLetters:
    """A file for each day, one JSON object per row: time, lane, reason, table, row."""

    def __init__(self, data_dir: FilePath | None) -> None:
        self.folder = data_dir / FOLDER if data_dir is not None else None

    def bury(self, lane: str, batch: Batch, reason: str) -> bool:
        """Write the rows down; they were masked when they arrived. False if there is no place for them. Raises Unavailable."""
        if self.folder is None:
            return False
        now = datetime.datetime.now(datetime.UTC)
        about = {"time": now.isoformat(), "lane": lane, "reason": reason[:2000], "table": batch.table}
        lines = [json.dumps({**about, "row": row}, default=_text) for row in _rows(batch)]
        data = "".join(f"{line}\n" for line in lines).encode()
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            if sum(file.stat().st_size for file in self.folder.iterdir()) + len(data) > FULL:
                return False
            file = os.open(self.folder / f"{now:%Y-%m-%d}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                _write(file, data)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise Unavailable(f"{self.folder}: rows that cannot be stored cannot be written down either: {error.strerror}") from error
        return True


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def read(data_dir: FilePath) -> Iterator[dict[str, Any]]:
    """All of them, oldest first; a line that was cut off is left out."""
    for file in sorted((data_dir / FOLDER).glob("*.jsonl")):
        for line in file.read_bytes().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _rows(batch: Batch) -> list[dict[str, Any]]:
    records = batch.records
    shown = records.select([name for name in records.schema.names if not name.startswith("_")])
    return [{name: _plain(value) for name, value in zip(shown.schema.names, row, strict=True)} for row in _values(shown)]


def _values(records: Any) -> Iterator[tuple[Any, ...]]:
    import pyarrow as pa

    def whole(type_: Any) -> Any:  # nanoseconds as they are: Python's own times have none
        if pa.types.is_timestamp(type_) or pa.types.is_duration(type_):
            return pa.int64()
        return pa.list_(whole(type_.value_type)) if pa.types.is_list(type_) else type_

    return zip(*(column.cast(whole(column.type)).to_pylist() for column in records.columns), strict=True)


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _text(value: object) -> str:
    return str(value)
