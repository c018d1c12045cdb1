"""How far a copy of the embedded database has come: lines of JSON beside it, each on the disk before the work goes on."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from sojourn.errors import SojournError

FORMAT: Final = 1
Place = tuple[str, ...]
"""A row's place in the order of its table: the parts of its key as text."""


@dataclass(slots=True)
class Progress:
    """Of one portion."""

    attempt: int = 0
    """How often it was begun again, because it was found to differ."""
    pieces: int = 0
    after: Place | None = None
    """Everything up to here is stored."""
    upto: Place | None = None
    """The piece that is being stored ends here; it may be stored already."""
    size: int = 0
    """Rows of that piece."""
    rows: int = 0
    """Rows that are stored."""
    finished: bool = False

    def follow(self, what: str, upto: Place | None, size: int) -> None:
        if what == "begun":
            self.upto, self.size = upto, size
        elif what == "stored":
            self.after, self.upto, self.pieces, self.rows = self.upto, None, self.pieces + 1, self.rows + self.size
        elif what == "finished":
            self.finished = True
        else:
            self.attempt, self.pieces, self.after, self.upto, self.rows, self.finished = self.attempt + 1, 0, None, None, 0, False


class Copied:
    """The record of one copy. SojournError if it is not one."""

    def __init__(self, path: Path, into: str) -> None:
        """`into` names the server and the database there; the record is kept at `path`, and made with the first line."""
        self._path = path
        self._progress: dict[str, Progress] = {}
        self.id = ""
        """Made up for this copy; '' until something has been written."""
        if path.exists():
            self._read()
        self._into = into
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)

    def begin(self) -> None:
        """From now on the server may hold rows of this copy."""
        if not self.id:
            self.id = secrets.token_hex(8)
            self._write({"format": FORMAT, "id": self.id, "into": self._into})

    def of(self, portion: str) -> Progress:
        return self._progress.setdefault(portion, Progress())

    def rows(self) -> int:
        """Rows that are stored already."""
        return sum(progress.rows for progress in self._progress.values())

    def tell(self, portion: str, what: str, upto: Sequence[str] | None = None, size: int = 0) -> None:
        """`begun` (a piece, with its end and its rows), `stored` (that piece), `finished` (the portion) or `again` (from its start)."""
        self.of(portion).follow(what, None if upto is None else tuple(upto), size)
        self._write({"portion": portion, "what": what} | ({} if upto is None else {"upto": list(upto), "rows": size}))

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")
        os.fsync(self._file)

    def _read(self) -> None:
        text = self._path.read_bytes()
        whole = text.rfind(b"\n") + 1  # of a last line that was cut off nothing was done yet
        if whole < len(text):
            os.truncate(self._path, whole)
        try:
            lines = [json.loads(line) for line in text[:whole].splitlines()]
            if not lines:
                return
            if lines[0]["format"] != FORMAT:
                raise SojournError(f"{self._path}: was written by another version: remove it, and copy into an empty database")
            for line in lines[1:]:
                upto = line.get("upto")
                self.of(line["portion"]).follow(line["what"], None if upto is None else tuple(map(str, upto)), line.get("rows", 0))
            self.id = str(lines[0]["id"])
        except (ValueError, LookupError, TypeError) as error:
            raise SojournError(f"{self._path}: is damaged: remove it, and copy into an empty database") from error

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Copied:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
