"""A plugin as a user writes it, from its file into a pipeline, and through the whole collector into the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sojourn.testing import Collector, at, run, span

TIDY = Path(__file__).parent / "plugins" / "tidy.py"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    (tmp_path / "tidy.py").write_text(TIDY.read_text())
    config = tmp_path / "main.yaml"
    config.write_text(
        """
receivers: {otlp: {protocols: {http: }}}
processors: {tidy: {type: ./tidy.py:Tidy, names: [GET /health, GET /live]}, session: , aggregate: , lifecycle: }
exporters: {clickhouse: }
service: {pipelines: {traces: {receivers: [otlp], processors: [tidy, session, aggregate, lifecycle], exporters: [clickhouse]}}}
"""
    )
    with run(config) as collector:
        yield collector


def test_plugin_drops_what_nobody_wants(collector: Collector) -> None:
    """Dropped spans are nowhere; the sessions of the others are right, although rows left in the midst of the batch."""
    turn = span("turn", session="s1", start=at("11:00"), lasts="10s")
    collector.send(
        span("GET /health", start=at("11:00"), session="probe"),
        turn,
        span("GET /live", start=at("11:00"), session="s1", trace="another"),
        span("chat", parent=turn, start=at("11:00:01"), tokens=(100, 20)),
        span("GET /ready", start=at("11:00:02"), parent=turn),
    )
    assert [row["SpanName"] for row in collector.query("SELECT SpanName FROM otel_traces ORDER BY SpanName")] == [
        "GET /ready",
        "chat",
        "turn",
    ]
    (session,) = collector.sessions()
    figures = (
        session["SessionId"],
        session["Spans"],
        session["Traces"],
        session["InputTokens"],
        session["OutputTokens"],
        session["WallNs"],
    )
    assert figures == ("s1", 3, 1, 100, 20, 10_000_000_000)
