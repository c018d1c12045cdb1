"""`debug`: prints what passes, to see a pipeline work."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, TextIO

from pydantic import Field

from sojourn.component import Batch, Exporter, Host, Raw

MAX_TEXT = 200


class Debug(Exporter):
    """Prints what arrives to stderr: how many rows for which table, and the first rows of each batch if asked."""

    verbosity: Literal["basic", "normal", "detailed"] = "basic"
    """basic: one line per batch. normal: one line per row with its names and ids. detailed: every column of the row that is not empty."""
    rows: int = Field(default=20, ge=0, le=10_000)
    """How many rows of a batch are printed at most, with normal and detailed."""

    @contextmanager
    def open(self, host: Host) -> Iterator[Printer]:
        yield Printer(self, sys.stderr)


class Printer:
    """The running exporter."""

    _SHORT = (
        "TraceId",
        "SpanId",
        "SpanName",
        "Kind",
        "ServiceName",
        "SessionId",
        "Name",
        "State",
        "Event",
        "Body",
        "MetricName",
        "Duration",
    )

    def __init__(self, settings: Debug, out: TextIO) -> None:
        self._settings = settings
        self._out = out

    def export(self, batch: Batch | Raw) -> None:
        if isinstance(batch, Raw):
            self._say(f"debug: {batch.signal}: {len(batch.requests)} requests, {sum(map(len, batch.requests))} bytes")
        else:
            self._say("\n".join(self._lines(batch)))

    def _say(self, text: str) -> None:
        self._out.write(text + "\n")  # one write, since tables come side by side
        self._out.flush()

    def _lines(self, batch: Batch) -> Iterator[str]:
        count = batch.records.num_rows
        yield f"debug: {batch.table}: {count} rows"
        if self._settings.verbosity == "basic":
            return
        for row in batch.records.slice(0, self._settings.rows).to_pylist():
            shown = {name: _cut(value) for name, value in row.items() if self._wanted(name, value)}
            yield f"  {json.dumps(shown, ensure_ascii=False, default=str)}"
        if count > self._settings.rows:
            yield f"  … and {count - self._settings.rows} more"

    def _wanted(self, name: str, value: Any) -> bool:
        if name.startswith("_") or value in (None, "", 0, [], {}):
            return False
        return self._settings.verbosity == "detailed" or name in self._SHORT


def _cut(value: Any) -> Any:
    """A value of bounded length that JSON can hold."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
    if isinstance(value, bytes):
        return value[:MAX_TEXT].hex()
    if isinstance(value, list | tuple):
        return [_cut(item) for item in value[:20]]
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in list(value.items())[:50]}
    return value
