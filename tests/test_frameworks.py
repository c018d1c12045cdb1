"""The configurations in config/ that are named after a producer, each with what that producer really sends: the figures come out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from sojourn.testing import run
from tests.documents import ROOT, blocks
from tests.recordings import figures, tape
from tests.recordings.test_recordings import ARRIVAL, send
from tests.signals import telling
from tests.signals.agents import CLAUDE_CODE_TOTALS, CODEX_TOTALS, claude_code_session, codex_conversation
from tests.signals.telling import Told

CONFIG = ROOT / "config"
RECORDED = {
    "agentmark": "agentmark-python",
    "gemini-cli": "gemini-cli",
    "google-adk": "google-adk",
    "langchain": "openinference-langchain",
    "openai-agents": "openai-agents-openinference",
    "opentelemetry-sdk": "otel-openai-v2",
    "pydantic-ai": "pydantic-ai",
    "strands": "strands-agents",
    "vercel-ai-sdk": "vercel-ai-sdk-6",
}
BUILT: dict[str, tuple[list[Told], str, dict[str, Any]]] = {
    "claude-code": (claude_code_session(), "cc-1", CLAUDE_CODE_TOTALS),
    "codex": (codex_conversation(), "0199-codex", CODEX_TOTALS),
}
_NANOSECONDS = "toUnixTimestamp64Nano(Start) AS StartNs, toUnixTimestamp64Nano(End) AS EndNs"


def configuration(name: str) -> Path:
    return CONFIG / f"{name}.yaml"


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_gives_every_attainable_figure(name: str) -> None:
    recording = RECORDED[name]
    want = figures.wanted(recording, all_signals=True)
    with run(configuration(name), now=ARRIVAL) as collector:
        for request in tape.requests(recording):
            send(collector, request)
        rows = {row["SessionId"]: row for row in collector.sessions()}
    assert {session: figures.found(rows[session], columns) for session, columns in want.items()} == want
    others = set(rows) - set(want)
    assert len(others) == (tape.expected(recording)["no_session"]["traces"] if name == "openai-agents" else 0)


@pytest.mark.parametrize("name", BUILT)
def test_an_agent_in_a_terminal_gives_every_figure(name: str) -> None:
    told, session, want = BUILT[name]
    with run(configuration(name)) as collector:
        for signal, body in telling.requests(told):
            collector.send(body, signal=signal)
        (row,) = collector.query(f"SELECT *, {_NANOSECONDS} FROM sessions WHERE SessionId = {{id:String}}", {"id": session})
    cost = None if row["Cost"] is None else int(row["Cost"].scaleb(12))
    shown = row | {"Start": row["StartNs"], "End": row["EndNs"], "CostPico": cost}
    assert {column: shown[column] for column in want} == want


CALL: dict[str, str | int] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 30,
}
TOLD = {
    "Traces": 1,
    "Turns": 1,
    "Spans": 2,
    "LlmCalls": 1,
    "InputTokens": 120,
    "OutputTokens": 30,
    "UserId": "jane",
    "Services": ["my-agent"],
}


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_the_sdk_of_opentelemetry_tells_all_signals(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "my-agent")
    with run(configuration("opentelemetry-sdk"), now=time.time_ns()) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{collector.endpoints[f'otlp_{transport}']}")
        monkeypatch.setenv("NO_PROXY", "*")
        _one_turn(transport)
        (row,) = collector.sessions()
        assert {column: row[column] for column in TOLD} == TOLD
        assert (row["LogRecords"], row["LogErrors"]) == (2, 1)
        assert collector.query("SELECT SessionId FROM otel_logs FINAL ORDER BY SessionId") == [{"SessionId": ""}, {"SessionId": "chat-1"}]
        assert collector.query("SELECT SessionId, Value FROM otel_metrics_sum FINAL") == [{"SessionId": "chat-1", "Value": 3.0}]


def _one_turn(transport: str) -> None:
    """A turn with a call, a log record that names the trace and one that names the session, and a counter of the session."""
    logs, metrics, traces = (grpc_logs, grpc_metrics, grpc_traces) if transport == "grpc" else (http_logs, http_metrics, http_traces)
    tracing, logging = TracerProvider(), LoggerProvider()
    tracing.add_span_processor(BatchSpanProcessor(traces.OTLPSpanExporter()))
    logging.add_log_record_processor(SimpleLogRecordProcessor(logs.OTLPLogExporter()))
    metering = MeterProvider([PeriodicExportingMetricReader(metrics.OTLPMetricExporter())])
    tracer, logger = tracing.get_tracer("test"), logging.get_logger("test")
    turn = tracer.start_as_current_span("turn", attributes={"session.id": "chat-1", "user.id": "jane"})
    with turn, tracer.start_as_current_span("chat gpt-4o", attributes=CALL):
        logger.emit(timestamp=time.time_ns(), severity_number=SeverityNumber.ERROR, body="the answer was cut")
    logger.emit(timestamp=time.time_ns(), body="rated", attributes={"session.id": "chat-1"})
    metering.get_meter("test").create_counter("pages.read").add(3, {"session.id": "chat-1"})
    for provider in (tracing, logging, metering):
        provider.shutdown()


PAGE = ROOT / "docs" / "frameworks.md"


def test_a_page_of_this_machine_may_send_and_another_may_not() -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    granted = {}
    with run(configuration("opentelemetry-sdk")) as collector:
        for origin in ("http://localhost:3000", "http://127.0.0.1:5173", "https://example.org"):
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
            question = urllib.request.Request(f"http://{collector.endpoints['otlp_http']}/v1/traces", headers=asked, method="OPTIONS")
            with direct.open(question, timeout=30) as answer:
                granted[origin] = answer.headers["Access-Control-Allow-Origin"]
    assert granted == {
        "http://localhost:3000": "http://localhost:3000",
        "http://127.0.0.1:5173": "http://127.0.0.1:5173",
        "https://example.org": None,
    }


def test_the_program_of_the_page_makes_the_session_that_the_page_says(tmp_path: Path) -> None:
    for block in blocks(PAGE):
        if block.note.startswith("file: "):
            (tmp_path / block.note.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
    with run(configuration("opentelemetry-sdk"), now=time.time_ns()) as collector:
        told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.endpoints['otlp_http']}",
            "OTEL_SERVICE_NAME": "my-agent",
            "NO_PROXY": "*",
        }
        subprocess.run([sys.executable, "app.py"], cwd=tmp_path, env=os.environ | told, check=True, timeout=60)
        (row,) = collector.sessions()
    assert {column: row[column] for column in TOLD} == TOLD


@pytest.mark.parametrize("name", [*RECORDED, *BUILT])
def test_page_and_configuration_say_the_same(name: str) -> None:
    """What is to be set stands in both places, for those who read only one of them."""
    head = configuration(name).read_text(encoding="utf-8").partition("\nreceivers:")[0]
    assert f"sojourn run --config config/{name}.yaml" in head
    table, *sections = PAGE.read_text(encoding="utf-8").split("\n### ")
    (section,) = (section for section in sections if f"](../config/{name}.yaml)" in section)
    assert f"](../config/{name}.yaml)" in table
    assert set(re.findall(r"\b[A-Z0-9]+(?:_[A-Z0-9]+)+=\S+", head)) <= set(re.findall(r"\b[A-Z0-9]+(?:_[A-Z0-9]+)+=\S+", section))


def test_every_piece_of_python_on_the_page_is_python() -> None:
    for block in blocks(PAGE):
        if block.language == "python":
            compile(block.text, str(PAGE), "exec", flags=PyCF_ALLOW_TOP_LEVEL_AWAIT)
