"""Masking: what nobody may know is in no column, no digest and no request that is sent on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from pydantic import ValidationError

from sojourn import _native
from sojourn.cli import main
from sojourn.processors.redact import Redact
from sojourn.testing import request, run, span
from tests.signals.telling import Point, log, requests

SECRET = "sk-abcdefghijklmnopqrstuvwxyz"
KEY = {"patterns": [r"sk-[a-z]{10,}", r"\b4[0-9]{15}\b"], "keys": ["*.password", "http.request.header.*", "Pin"]}


def masked(message: Any, signal: str, **settings: Any) -> Any:
    """The request as a lane takes it."""
    plan = Redact(**(settings or KEY)).plan(["traces", "logs", "metrics"])
    return type(message).FromString(_native.redact(plan, signal, message.SerializeToString()))


def value(of: Any) -> AnyValue:
    return AnyValue(string_value=of)


def everywhere(secret: str) -> list[tuple[str, Any]]:
    """Requests that have a secret wherever a text may stand, in a value and behind a key that names one."""
    pairs = [
        KeyValue(key="note", value=value(f"it is {secret}, keep it")),
        KeyValue(key="DB.Password", value=value("hunter2")),
        KeyValue(key="pin", value=AnyValue(int_value=1234)),
        KeyValue(key="card", value=AnyValue(int_value=4111111111111111)),
        KeyValue(key="raw", value=AnyValue(bytes_value=secret.encode())),
        KeyValue(key="list", value=AnyValue(array_value=ArrayValue(values=[value(secret), value("fine")]))),
        KeyValue(key="map", value=AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="x.password", value=value("hunter2"))]))),
        KeyValue(key="http.request.header.cookie", value=AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a")]))),
    ]
    traces = ExportTraceServiceRequest()
    resource = traces.resource_spans.add()
    resource.resource.attributes.extend(pairs)
    scope = resource.scope_spans.add()
    scope.scope.attributes.extend(pairs)
    one = scope.spans.add(name=f"GET {secret}", trace_id=b"t" * 16, span_id=b"s" * 8, attributes=pairs)
    one.status.message = secret
    one.events.add(name=secret, attributes=pairs)
    one.links.add(trace_id=b"u" * 16, span_id=b"v" * 8, attributes=pairs)
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(body=value(secret), attributes=pairs)
    metrics = ExportMetricsServiceRequest()
    several = metrics.resource_metrics.add().scope_metrics.add().metrics
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        point = getattr(several.add(name="m"), kind).data_points.add(attributes=pairs)
        if kind != "summary":
            point.exemplars.add(filtered_attributes=pairs)
    return [("traces", traces), ("logs", logs), ("metrics", metrics)]


@pytest.mark.parametrize("action", ["replace", "hash"])
def test_a_secret_is_nowhere(action: str) -> None:
    """Names, messages, bodies, values of every kind and depth, resources, scopes, events, links, points and exemplars."""
    for signal, message in everywhere(SECRET):
        settings = KEY | {"action": action} | ({"hash_key": "k"} if action == "hash" else {})
        after = masked(message, signal, **settings)
        text = str(after)
        assert not any(secret in text for secret in (SECRET, "hunter2", "4111111111111111", "1234", 'key: "a"'))
        assert "fine" in text
        assert "it is <masked" in text


def test_what_is_not_secret_stays_bit_for_bit() -> None:
    """Fields that nobody knows as well."""
    for signal, message in everywhere("harmless"):
        before = message.SerializeToString() + b"\xf8\x07\x01"  # field 127
        plan = Redact(patterns=("never there",)).plan([signal])
        assert _native.redact(plan, signal, before) == before
    assert _native.redact(Redact(keys=("x",)).plan(["traces"]), "logs", b"not looked at") == b"not looked at"


def test_digests_are_those_of_equal_values() -> None:
    """The same value has the same mask, with another key another one; the replacement is the configuration's."""
    pairs = [KeyValue(key=key, value=value(text)) for key, text in (("a.password", "x"), ("b.password", "x"), ("c.password", "y"))]
    message = ExportLogsServiceRequest()
    message.resource_logs.add().resource.attributes.extend(pairs)

    def masks(**settings: Any) -> list[str]:
        after = masked(message, "logs", keys=["*.password"], **settings)
        return [pair.value.string_value for pair in after.resource_logs[0].resource.attributes]

    one, two = masks(action="hash", hash_key="k"), masks(action="hash", hash_key="l")
    assert one[0] == one[1] != one[2]
    assert not set(one) & set(two)
    assert masks(replacement="***") == ["***"] * 3


def test_what_cannot_be_looked_through_is_masked() -> None:
    """A value that is nested too deeply, or no value at all, never passes as it is."""
    deep = value(SECRET)
    for _ in range(40):
        deep = AnyValue(array_value=ArrayValue(values=[deep]))
    message = ExportLogsServiceRequest()
    message.resource_logs.add().scope_logs.add().log_records.add(body=deep)
    after = str(masked(message, "logs"))
    assert "<masked: failed>" in after
    assert SECRET not in after
    body = b"\x0a\x0a\x12\x08\x12\x06\x2a\x04\x0a\xffsk"  # a body whose text is longer than the body
    plan = Redact(**KEY).plan(["logs"])
    assert b"<masked: failed>" in _native.redact(plan, "logs", body)
    with pytest.raises(ValueError, match="not a protobuf"):
        _native.redact(plan, "logs", b"\x0a\xff")


@given(st.binary(max_size=300), st.sampled_from(["traces", "logs", "metrics"]))
def test_any_bytes_never_crash(body: bytes, signal: str) -> None:
    plan = Redact(**KEY).plan([signal])
    try:
        after = _native.redact(plan, signal, body)
    except ValueError:
        return
    assert b"sk-abcdefghij" not in after


@given(st.text(max_size=200))
def test_any_text_is_masked_wherever_the_pattern_fits(text: str) -> None:
    """As Python's own expressions find it."""
    message = ExportLogsServiceRequest()
    message.resource_logs.add().scope_logs.add().log_records.add(body=value(f"{text}{SECRET}{text}"))
    after = masked(message, "logs", patterns=[SECRET]).resource_logs[0].scope_logs[0].log_records[0].body.string_value
    assert after == f"{text}{SECRET}{text}".replace(SECRET, "<masked>")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "masks nothing"),
        ({"keys": ["*"]}, "fits everything"),
        ({"patterns": ["("]}, "pattern"),
        ({"patterns": ["(?=x)"]}, "pattern"),
        ({"keys": ["a"], "action": "hash"}, "hash needs hash_key"),
        ({"keys": ["a"], "replacement": ""}, "replacement"),
    ],
)
def test_mistakes_are_told(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Redact(**settings)


def test_it_stands_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What stood before it would see what nobody may know, and a lane masks in one way."""
    file = tmp_path / "config.yaml"
    for chains, words in (
        ("traces: {receivers: [otlp], processors: [session, redact], exporters: [debug]}", "redact has to be the first"),
        (
            "traces: {receivers: [otlp], processors: [redact, session], exporters: [debug]}, "
            "logs: {receivers: [otlp], processors: [redact/b, session], exporters: [debug]}",
            "have another redact (redact, redact/b)",
        ),
    ):
        file.write_text(
            "receivers: {otlp: {protocols: {http: }}}\nexporters: {debug: }\n"
            f"processors: {{redact: {{keys: [a]}}, redact/b: {{keys: [b]}}, session: }}\nservice: {{pipelines: {{{chains}}}}}\n"
        )
        assert main(["validate", "--config", str(file)]) == 2
        assert words in capsys.readouterr().err


def test_nothing_of_it_is_stored() -> None:
    """Through a whole collector: lifted columns, previews, session rows, search; the session is found as before."""
    processors = '{redact: {keys: ["*.password"], patterns: ["sk-[a-z]{10,}"]}, session: , aggregate: , lifecycle: }'
    chain = "[redact, session, aggregate, lifecycle]"
    settings = [f"processors={processors}", *(f"service.pipelines.{signal}.processors={chain}" for signal in ("traces", "logs"))]
    with run(settings=[*settings, "service.pipelines.metrics.processors=[redact, session]"]) as collector:
        attributes = {"gen_ai.prompt": f"use {SECRET}", "input.value": SECRET, "db.password": "hunter2", "metadata.note": SECRET}
        collector.send(span(f"ask {SECRET}", session="s", user=SECRET, tokens=(3, 1), attributes=attributes))
        for signal, body in requests(
            [log("note", "12:00", session="s", body=SECRET), Point("m", 1, 1.0, {"session.id": "s", "k": SECRET})]
        ):
            collector.send(body, signal=signal)
        (session,) = collector.sessions()
        assert (session["SessionId"], session["InputTokens"], session["UserId"]) == ("s", 3, "<masked>")
        tables = [row["name"] for row in collector.query("SELECT name FROM system.tables WHERE database = currentDatabase()")]
        for table in tables:
            if table not in ("session_previews", "session_prompts"):
                rows = json.dumps(collector.query(f"SELECT * FROM {table}"), default=str)
                assert SECRET not in rows, table
                assert "hunter2" not in rows, table


def test_what_is_only_sent_on_is_masked_too(tmp_path: Path) -> None:
    """A sidecar with `redact` alone: the requests go on as they came, but for what is masked, and nothing is decoded."""
    keep = Path(__file__).parents[1] / "plugins" / "keep.py"
    config = f"""
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:0"}}}}}}}}
processors: {{redact: {{patterns: ["sk-[a-z]{{10,}}"]}}}}
exporters: {{keep: {{type: "{keep}:Keep", path: "{tmp_path}/kept", away: "{tmp_path}/away"}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], processors: [redact], exporters: [keep]}}}}}}
"""
    sent = request(span(f"ask {SECRET}", session="s"))
    with run(config) as collector:
        collector.send(sent)
        collector.settle()
    expected = masked(sent, "traces", patterns=["sk-[a-z]{10,}"])
    assert (tmp_path / "kept").read_text() == f"traces {expected.ByteSize()}\n"
    assert expected.ByteSize() < sent.ByteSize()
