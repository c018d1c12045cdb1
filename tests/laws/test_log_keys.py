"""Every key, event and severity of log records is read by the product as by the oracle: one session per case, all in one request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from sojourn import _native
from tests.laws import comparing, log_worlds, worlds
from tests.laws.log_worlds import CLAUDE_SCOPE, Logged
from tests.laws.playing import decode_and_play, wanted
from tests.oracle import keys
from tests.oracle.records import MARKS, OWN_CALLS, PROMPTS, REFUSALS, TOOL_CALLS

pytestmark = pytest.mark.laws

Case = tuple[str, dict[str, Any], str, str, int]
"""What is tried, attributes, EventName, scope, severity."""
CALL: dict[str, Any] = {
    "session.id": "s",
    "event.name": "gen_ai.client.inference.operation.details",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
}
COUNTS = {
    "gemini_cli.api_response": ("input_token_count", "output_token_count", "cached_content_token_count", "thoughts_token_count"),
    "claude_code.api_request": ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"),
    "codex.sse_event": ("input_token_count", "output_token_count", "cached_token_count", "reasoning_token_count"),
}


def _said(key: str, value: Any) -> dict[str, Any]:
    name, *path = key.split(">")
    for part in reversed(path):
        value = [value] if part.isdigit() else {part: value}
    return {name: json.dumps(value) if path else value}


def _keys() -> list[Case]:
    told: list[tuple[str, dict[str, Any]]] = [(key, _said(key, "an id")) for key in keys.SESSION_ID]
    told += [(key, {"session.id": "s"} | _said(key, "text")) for key in (*keys.USER, *keys.SESSION_NAME, *keys.TAGS, "prompt")]
    told += [("accounts first", {"session.id": "s", "user.id": "device", "user.email": "a@b", "user.account_uuid": "person"})]
    counted = [*keys.INPUT_TOKENS, *keys.OUTPUT_TOKENS, *keys.CACHE_READ, *keys.CACHE_WRITE, *keys.REASONING, *keys.TOTAL_TOKENS]
    told += [(f"{key}={value}", CALL | _said(key, value)) for value in (7, "9", 0, "many") for key in (*counted, *keys.COST)]
    told += [(key, CALL | _said(key, "claude-sonnet-4-5")) for key in (*keys.MODEL, *keys.PROVIDER, *keys.RESPONSE_ID)]
    told += [(f"kind {word}", {"gen_ai.operation.name": word} | CALL) for word in " ".join(keys.OPERATIONS.values()).split()]
    return [(name, said, "", "a", 0) for name, said in told]


def _events() -> list[Case]:
    found: list[Case] = []
    for event in (*OWN_CALLS, *TOOL_CALLS, *PROMPTS, *REFUSALS, *MARKS, "gen_ai.choice", "gen_ai.evaluation.result", "anything", ""):
        said: dict[str, Any] = {"session.id": "s", "event.kind": "response.completed", "model": "gpt-5", "tool_name": "ls", "prompt": "hi"}
        for key, count in zip(COUNTS.get(event, COUNTS["claude_code.api_request"]), ("1200", 30, "800", 22), strict=True):
            said[key] = count
        found.append((f"attribute {event}", said | {"event.name": event}, "", "a", 0))
        found.append((f"field {event}", said, event, "a", 0))
        found.append((f"attribute before field {event}", said | {"event.name": event}, "gen_ai.choice", "a", 0))
        found.append((f"short {event}", said | {"event.name": event.split(".")[-1]}, "", CLAUDE_SCOPE, 0))
        found.append((f"short elsewhere {event}", said | {"event.name": event.split(".")[-1]}, "", "a", 0))
        found.append((f"ours {event}", said | {"event.name": event}, "", "sojourn", 0))
        found.append((f"without a kind {event}", {key: value for key, value in said.items() if key != "event.kind"}, event, "a", 0))
    return found


def _errors() -> list[Case]:
    found: list[Case] = [(f"severity {number}", {"session.id": "s"}, "", "a", number) for number in range(25)]
    for key in ("error.type", "exception.type", "exception.message", "exception.stacktrace", "error", "error.message"):
        found += [(f"{key}={value}", {"session.id": "s", key: value}, "", "a", 9) for value in ("no", "")]
    return found


def test_every_record_is_read_as_the_oracle_reads_it() -> None:
    cases, world = [*_keys(), *_events(), *_errors()], []
    for number, (_, attributes, event, scope, severity) in enumerate(cases):
        record = LogRecord(time_unix_nano=worlds.NOW - worlds.SECOND, event_name=event, severity_number=severity)  # type: ignore[arg-type]
        for key, value in attributes.items():
            worlds.put(record, key, value)
        plain = LogRecord(time_unix_nano=worlds.NOW - 2 * worlds.SECOND)  # so that there is a session in any case
        resource = (("service.name", "shop"), ("service.namespace", f"case {number}"), ("session.id", "s"))
        world += [Logged(resource, scope, record.SerializeToString()), Logged(resource, "a", plain.SerializeToString())]
    got = decode_and_play([[("logs", log_worlds.request(world), "application/x-protobuf")]]).sessions()
    want = {key[1:]: row for key, row in wanted(world, 0, _native.digest).items() if key[0] == "session"}
    found = comparing.differences(got, want)  # type: ignore[arg-type]
    assert {(cases[int(key[1].split()[1])][0], *key[2:]): values for key, values in found.items()} == {}
