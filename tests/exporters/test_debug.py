"""`debug` shows what passes, as much as is asked for and never without bound."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest

from sojourn import Batch, Raw
from sojourn.exporters.debug import MAX_TEXT, Debug, Printer

SPANS = Batch(
    "otel_traces",
    pa.record_batch(
        {"SpanName": ["chat", "x" * 1000], "StatusMessage": ["late", ""], "Duration": [0, 7], "_fact": [b"1", b"2"], "Raw": [b"\xff", b""]}
    ),
)


def printed(what: Batch | Raw, **settings: Any) -> list[str]:
    out = io.StringIO()
    Printer(Debug(**settings), out).export(what)
    return out.getvalue().splitlines()


def test_basic_counts() -> None:
    """One line per batch, whatever is in it."""
    assert printed(SPANS) == ["debug: otel_traces: 2 rows"]
    assert printed(Raw("logs", (b"ab", b"c"))) == ["debug: logs: 2 requests, 3 bytes"]


def test_normal_names_and_detailed_tells_all() -> None:
    """Empty columns and those that only travel between processors are left out; bytes are shown as hex."""
    assert printed(SPANS, verbosity="normal")[1] == '  {"SpanName": "chat"}'
    assert printed(SPANS, verbosity="detailed")[1] == '  {"SpanName": "chat", "StatusMessage": "late", "Raw": "ff"}'


@pytest.mark.parametrize("verbosity", ["normal", "detailed"])
def test_output_is_bounded(verbosity: str) -> None:
    """Long texts are cut, and so are long batches."""
    lines = printed(SPANS, verbosity=verbosity, rows=1)
    assert lines[-1] == "  … and 1 more"
    assert max(map(len, printed(SPANS, verbosity=verbosity))) < MAX_TEXT + 100
