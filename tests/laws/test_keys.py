"""Every attribute key that the facts page names is read by the product as by the oracle, which has its own lists."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sojourn import _native
from tests.laws import comparing, worlds
from tests.laws.playing import decode_and_play, wanted
from tests.oracle import keys

pytestmark = pytest.mark.laws

CALL = {"session.id": "s", "gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": 50, "gen_ai.usage.input_tokens": 100}


def _said(key: str, value: Any) -> dict[str, Any]:
    """An attribute, or for `a>b>c` one that holds JSON; list places count from 0."""
    name, *path = key.split(">")
    for part in reversed(path):
        value = [value] if part.isdigit() else {part: value}
    return {name: json.dumps(value) if path else value}


def _cases() -> list[tuple[str, dict[str, Any]]]:
    cases: list[tuple[str, dict[str, Any]]] = []
    for key in keys.SESSION_ID:
        cases.append((key, _said(key, "an id")))
    for key in (*keys.SESSION_NAME, *keys.PROMPT_NAME, *keys.USER):
        cases.append((key, {"session.id": "s", **_said(key, "text")}))
    for key in (
        *keys.MODEL,
        *keys.PROVIDER,
        *keys.RESPONSE_ID,
        *keys.COST,
        *keys.CACHE_READ,
        *keys.CACHE_WRITE,
        *keys.REASONING,
        *keys.TOTAL_TOKENS,
    ):
        cases.append((key, CALL | _said(key, 7)))
        cases.append((key, CALL | _said(key, "9")))
        cases.append((key, CALL | _said(key, "claude-sonnet-4-5")))
    for key in (*keys.INPUT_TOKENS, *keys.OUTPUT_TOKENS):
        cases.append((key, {"session.id": "s", "gen_ai.operation.name": "chat", **_said(key, 7)}))
    for key in keys.TAGS:
        for value in (("b", "a"), '["x", "y"]', "one, two"):
            cases.append((key, {"session.id": "s", key: value}))
    for key in (*keys.USER_INPUT, *keys.TOOL_INPUT, *keys.OUTPUT):
        cases.append((key, {"session.id": "s", key: "some text"}))
    for prefix in keys.METADATA_PREFIXES:
        cases.append((prefix, {"session.id": "s", prefix + "plan": "pro", prefix + "count": 3}))
    for key in keys.METADATA_JSON:
        cases.append((key, {"session.id": "s", key: '{"plan": "pro", "seats": 12, "beta": true, "none": null}'}))
    for key in keys.KIND:
        for word in " ".join([*keys.KINDS.values(), *keys.OPERATIONS.values()]).split():
            cases.append((f"{key}={word}", {"session.id": "s", key: word, "gen_ai.usage.input_tokens": 5}))
    for word in ("ai.generateText", "ai.generateText.doGenerate", "ai.embed.doEmbed", "ai.toolCall", "ai.streamText.doStream"):
        cases.append((word, {"session.id": "s", "ai.operationId": word, "ai.usage.inputTokens": 5}))
        cases.append((word, {"session.id": "s", "operation.name": word, "ai.usage.inputTokens": 5}))
    return cases


def test_every_key_is_read_as_the_oracle_reads_it() -> None:
    """One trace per key, all in one request: what differs is told by key."""
    cases, world = _cases(), []
    for number, (_, attributes) in enumerate(cases, start=1):
        span = Span(trace_id=number.to_bytes(16), span_id=bytes(7) + b"\1", name="x", start_time_unix_nano=worlds.NOW - worlds.SECOND)
        span.end_time_unix_nano = worlds.NOW
        for key, value in attributes.items():
            worlds.put(span, key, value)
        world.append(worlds.Sent((), "scope", span.SerializeToString()))
    got = decode_and_play([[("traces", worlds.request(world), "application/x-protobuf")]]).traces()
    want = {key[1:]: row for key, row in wanted(world, 0, _native.digest).items() if key[0] == "trace"}
    names = {number.to_bytes(16).hex(): cases[number - 1] for number in range(1, len(cases) + 1)}
    found = comparing.differences(got, want)
    assert {(*names[key[3]][:1], *key[4:], str(names[key[3]][1])): values for key, values in found.items()} == {}
