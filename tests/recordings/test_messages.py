"""What was said is found whole in the recordings of all producers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sojourn.web.messages import Told, of_span
from tests.recordings import tape

SAID = {
    "agentmark-python": [("user", "A flight to Lisbon please"), ("assistant", "Where would you like to go?")],
    "gemini-cli": [("system", "You answer questions about the files of this folder."), ("assistant", "There is one file, notes.md.")],
    "google-adk": [("user", "capital of Norway"), ("tool_call", "capital"), ("assistant", "Oslo.")],
    "langfuse": [("user", "weather in Rome?"), ("tool_call", "weather"), ("assistant", "Sunny in Rome.")],
    "openai-agents-openinference": [("system", "Short."), ("tool_call", "transfer_to_billing"), ("assistant", "grouped again")],
    "openinference-langchain": [("system", "You run a shop."), ("tool_call", "stock"), ("assistant", "Bonjour le monde")],
    "openinference-openai": [("user", "vpn?"), ("tool_call", "lookup"), ("assistant", "Anthropic says hi.")],
    "otel-genai-openai": [("user", "time?"), ("tool_result", "12:00"), ("assistant", "It is noon.")],
    "otel-openai-v2": [("system", "You are a game master."), ("tool_call", "dice"), ("tool_result", "4"), ("assistant", "You rolled 4.")],
    "pydantic-ai": [("system", "You help customers."), ("user", "policy?"), ("assistant", "Second cached answer. ")],
    "smolagents-openinference": [("user", "New task:\nbolts?"), ("tool_call", "final_answer"), ("tool_result", "Observation:\n40")],
    "strands-agents": [("system", "Be short."), ("user", "hi"), ("assistant", "Cached again. ")],
    "traceloop-openai": [("user", "ticket 5?"), ("tool_call", "ticket"), ("assistant", "cached one")],
    "vercel-ai-sdk-6": [("user", "how do I reset it"), ("tool_call", "orderStatus"), ("assistant", "Found in the manual.")],
}


@pytest.mark.parametrize("name", tape.NAMES)
def test_what_was_said(name: str) -> None:
    found = set()
    for into, out in _sides(name):
        for message in into + out:
            for part in message["parts"]:
                found.add((message["role"], part["text"]))
                found.add((part["type"], part["name"] if part["type"] == "tool_call" else part["text"]))
    assert [said for said in SAID[name] if said not in found] == []


def _sides(name: str) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    requests = [tape.parsed(request) for request in tape.requests(name) if request.signal != "metrics"]
    records: dict[bytes, list[Told]] = {}
    for request in requests:
        for resource in getattr(request, "resource_logs", ()):
            for record in (record for scope in resource.scope_logs for record in scope.log_records):
                said = _texts(record.attributes)
                told = Told(said.get("event.name") or record.event_name, said, _text(record.body))
                records.setdefault(record.span_id, []).append(told)
    for request in requests:
        for resource in getattr(request, "resource_spans", ()):
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                events = [Told(event.name, _texts(event.attributes)) for event in span.events]
                yield of_span("llm", _texts(span.attributes), events + records.get(span.span_id, []))


def _texts(attributes: Any) -> dict[str, str]:
    return {one.key: _text(one.value) for one in attributes}


def _text(value: Any) -> str:
    """As it is stored: text as it is, anything else as JSON."""
    plain = _plain(value)
    return plain if isinstance(plain, str) else "" if plain is None else json.dumps(plain)


def _plain(value: Any) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_plain(one) for one in value.array_value.values]
        case "kvlist_value":
            return {one.key: _plain(one.value) for one in value.kvlist_value.values}
        case "bytes_value":
            return value.bytes_value.hex()
        case kind:
            return getattr(value, kind)
