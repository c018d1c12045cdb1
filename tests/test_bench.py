"""The benchmark measures what it says: its requests have the promised shape, its configurations load, its table tells broken promises."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sojourn.cli import main
from tests.documents import ROOT

CONFIGURATIONS = sorted((ROOT / "bench" / "configs").glob("sojourn-*.yaml"))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the benchmark, whose scripts import each other."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    yield ROOT / "bench"
    for name in ("payloads", "table", "scenarios"):
        sys.modules.pop(name, None)


@pytest.fixture
def payloads(bench: Path) -> ModuleType:
    import payloads

    return payloads


def test_requests_are_the_same_every_time(payloads: ModuleType) -> None:
    assert payloads.Writer("w1").request(40, 0) == payloads.Writer("w1").request(40, 0)


def test_the_main_workload_has_the_promised_shape(payloads: ModuleType) -> None:
    """512 spans of about 510 bytes, 20 a trace, one root a trace, 12 attributes a span, every parent known and earlier."""
    body = payloads.Writer("w1").request(512, 0)
    spans = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    assert len(spans) == 512
    assert 500 <= len(body) / 512 <= 520
    assert {len(span.attributes) for span in spans} == {12}
    assert sum(not span.parent_span_id for span in spans) == len({span.trace_id for span in spans}) == 26
    known: set[tuple[bytes, bytes]] = set()
    for span in spans:
        assert not span.parent_span_id or (span.trace_id, span.parent_span_id) in known
        known.add((span.trace_id, span.span_id))


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=lambda file: file.name)
def test_every_measured_configuration_is_valid(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("GRPC", "HTTP", "CLICKHOUSE", "OTLP_SINK", "METRICS", "EMBEDDED", "WEB"), 14000):
        monkeypatch.setenv(f"BENCH_{name}", str(number))
    monkeypatch.setenv("BENCH_DATA_DIR", str(tmp_path / "data"))
    assert main(["validate", "--config", str(file)]) == 0


def test_every_scenario_has_its_configurations(bench: Path) -> None:
    from scenarios import SCENARIOS

    for scenario in SCENARIOS:
        for collector in ("sojourn", "otelcol") if scenario.peer else ("sojourn",):
            assert (bench / "configs" / f"{collector}-{scenario.configuration}.yaml").exists()


def test_the_table_tells_what_was_lost_and_which_promise_broke(bench: Path) -> None:
    import table

    row = {
        "scenario": "sessions",
        "subject": "sojourn",
        "start": 0.5,
        "start_cpu": 0.4,
        "idle": 80.0,
        "idle_share": 0.1,
        "accepted": 1000,
        "delivered": 900,
    }
    row |= {"refused": 0, "lost": 0, "cpu": 3.1, "share": 99.0, "rate": 100, "loaded": 90.0, "peak": 120.0, "p50": 1.0, "p99": 2.0}
    text = table.render([row])
    assert "1000 ≠ 900" in text
    assert "| ≤ 2.9 | 3.1 | **broken** |" in text
