"""Real telemetry of real frameworks decodes: every span, every id, every token."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tests.native.decoding import Decoder
from tests.recordings import tape


def decoded(name: str) -> pa.RecordBatch:
    decoder = Decoder()
    for request in tape.traces(name):
        decoder.push(request.body, request.content_type)
    columns = decoder.columns()
    assert columns is not None
    columns.validate(full=True)
    return columns


@pytest.mark.parametrize("name", tape.NAMES)
def test_every_span_arrives(name: str) -> None:
    """As many as the reference decoder finds, in order."""
    spans = [
        span.span_id.hex()
        for request in tape.traces(name)
        for holder in tape.parsed(request).resource_spans
        for scope in holder.scope_spans
        for span in scope.spans
    ]
    assert decoded(name).column("SpanId").to_pylist() == spans


@pytest.mark.parametrize("name", tape.NAMES)
def test_every_session_is_named(name: str) -> None:
    """Each expected id stands on some span, except those that the recording lost."""
    found = set(decoded(name).column("SessionId").to_pylist())
    assert set(tape.expected(name)["sessions"]) <= found


@pytest.mark.parametrize("name", tape.NAMES)
def test_what_is_told_about_sessions_is_found(name: str) -> None:
    """User, name, metadata and tags of each session stand on its spans, where the spans tell them."""
    rows = decoded(name).to_pylist()
    for session, expected in tape.expected(name)["sessions"].items():
        traces = {row["TraceId"] for row in rows if row["SessionId"] == session}
        mine = [row for row in rows if row["TraceId"] in traces]
        attainable = expected.get("attainable") or {}
        if expected.get("user_id") and "record" not in attainable.get("user_id", {}).get("why", ""):
            assert expected["user_id"] in {row["UserId"] for row in mine}
        if "tags" not in attainable:
            assert {*(expected.get("tags") or [])} <= _facets(mine, 2)
        for key, value in (expected.get("metadata") or {}).items():
            assert (key, str(value).lower()) in {(key, text.lower()) for key, text in _metadata(mine)}
        if expected.get("name"):
            assert expected["name"] in _facets(mine, 3)


def _facets(rows: list[dict[str, Any]], what: int) -> set[str]:
    return {value for row in rows for kind, value in zip(row["Facets.What"], row["Facets.Value"], strict=True) if kind == what}


def _metadata(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {
        (key, value)
        for row in rows
        for kind, key, value in zip(row["Facets.What"], row["Facets.Key"], row["Facets.Value"], strict=True)
        if kind == 1
    }
