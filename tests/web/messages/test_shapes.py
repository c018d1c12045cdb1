"""Messages of all providers and frameworks come out in one form, and nothing that comes in is too much."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sojourn.web.messages import Told, already_told, cut, of_record, of_span
from sojourn.web.messages.shapes import said, unflattened

CALL = ("tool_call", "weather", "call_1")
MEDIA, THOUGHT = ("media", "", ""), ("thinking", "", "")


def short(messages: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """(role, parts): a text as it is, other parts as (type, name, id)."""
    return [
        (one["role"], *(part["text"] if part["type"] == "text" else (part["type"], part["name"], part["id"]) for part in one["parts"]))
        for one in messages
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain words", [("user", "plain words")]),
        ('"words in JSON"', [("user", "words in JSON")]),
        ('{"prompt": "hi", "system": "Be brief."}', [("system", "Be brief."), ("user", "hi")]),
        ('[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]', [("user", "hi")]),  # OpenTelemetry
        (
            '[{"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {}}]}]',
            [("assistant", CALL)],
        ),
        (
            '[{"role": "model", "parts": [{"functionCall": {"name": "weather", "id": "call_1", "args": {"a": 1}}}]}]',
            [("assistant", CALL)],
        ),
        (
            '[{"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "function": {"name": "weather"}}]}]',
            [("assistant", CALL)],
        ),
        ('[{"role": "tool", "tool_call_id": "call_1", "content": "rain"}]', [("tool", ("tool_result", "", "call_1"))]),
        (
            '[{"role": "assistant", "content": [{"toolUse": {"toolUseId": "call_1", "name": "weather"}}]}]',
            [("assistant", CALL)],  # Bedrock
        ),
        (
            '[{"role": "user", "content": [{"type": "image", "source": {"data": "AAAA", "media_type": "image/png"}}]}]',
            [("user", MEDIA)],
        ),
        ('{"choices": [{"message": {"role": "assistant", "content": "yes"}}]}', [("assistant", "yes")]),
        ('{"candidates": [{"content": {"role": "model", "parts": [{"text": "yes"}]}}]}', [("assistant", "yes")]),
        (
            '{"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]}]}',
            [("assistant", "yes")],
        ),
        ('{"output": [{"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}]}', [("assistant", CALL)]),
        ('[[{"lc": 1, "id": ["a", "HumanMessage"], "kwargs": {"content": "hi"}}]]', [("user", "hi")]),  # LangChain
        ('[{"type": "ai", "data": {"content": "yes"}}]', [("assistant", "yes")]),
        (
            '[{"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "call_1", "toolName": "weather", "input": {}}]}]',
            [("assistant", CALL)],
        ),
        (
            '[{"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}]}]',
            [("assistant", THOUGHT, "yes")],
        ),
        ('{"order": 81}', [("user", ("data", "", ""))]),
    ],
)  # fmt: skip
def test_one_form(value: str, expected: list[tuple[Any, ...]]) -> None:
    assert short(said(value, "user")) == expected


def test_messages_over_many_keys() -> None:
    """OpenInference and the older Traceloop number their keys; ten comes behind nine."""
    flat = [(f"{n}.message.{key}", value) for n in (10, 2) for key, value in (("role", "user"), ("content", f"words {n}"))]
    flat += [("11.message.tool_calls.0.tool_call.function.name", "weather"), ("11.message.tool_calls.0.tool_call.id", "call_1")]
    flat += [("11.message.role", "assistant"), ("11.message.contents.0.message_content.type", "text")]
    flat += [("11.message.contents.0.message_content.text", "let me see")]
    found = said(unflattened(flat), "user")
    assert short(found) == [("user", "words 2"), ("user", "words 10"), ("assistant", "let me see", CALL)]


def test_attributes_before_events_before_records() -> None:
    events = [Told("gen_ai.user.message", {"content": "from an event"}), Told("gen_ai.choice", {"message": "answered"})]
    attributes = {"gen_ai.input.messages": '[{"role": "user", "content": "from an attribute"}]', "gen_ai.system_instructions": "Be brief."}
    into, out = of_span("llm", attributes, events)
    assert short(into) == [("system", "Be brief."), ("user", "from an attribute")]
    assert short(out) == [("assistant", "answered")]


def test_records_with_a_body() -> None:
    """The older events of OpenTelemetry carry what was said in the body of log records."""
    body = {"index": 0, "message": {"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"name": "weather"}}]}}
    records = [Told("gen_ai.system.message", {}, '{"content": "Be brief."}'), Told("gen_ai.user.message", {}, '{"content": "hi"}')]
    records += [Told("gen_ai.tool.message", {}, '{"content": "rain", "id": "call_0"}'), Told("gen_ai.choice", {}, json.dumps(body))]
    into, out = of_span("llm", {}, records)
    assert short(into) == [("system", "Be brief."), ("user", "hi"), ("tool", ("tool_result", "", "call_0"))]
    assert short(out) == [("assistant", CALL)]


def test_the_ai_sdk_tells_an_answer_over_several_keys() -> None:
    calls = '[{"toolCallId": "call_1", "toolName": "weather", "input": "{}"}]'
    _, out = of_span("llm", {"ai.response.text": "Let me see.", "ai.response.toolCalls": calls}, [])
    assert short(out) == [("assistant", "Let me see.", CALL)]


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        ("claude_code.user_prompt", {"prompt": "mend it"}, [("user", "mend it")]),
        ("codex.tool_result", {"arguments": '{"a": 1}', "output": "done"}, [("tool", ("data", "", "")), ("assistant", "done")]),
        ("http.request", {"content": "no message"}, []),
    ],
)
def test_records_of_command_line_agents(name: str, attributes: dict[str, str], expected: list[tuple[Any, ...]]) -> None:
    found = short(of_record(Told(name, attributes)))
    assert [one[1:] for one in found] == [one[1:] for one in expected]


def test_what_was_told_before() -> None:
    """What stands up to the model's last answer is history; of what ends with an answer the last message is new."""
    assert already_told([{"role": role} for role in ("system", "user", "assistant", "tool")]) == 3
    assert already_told([{"role": "system"}, {"role": "user"}]) == 0
    assert already_told([{"role": "user"}, {"role": "assistant"}]) == 1
    assert already_told([]) == 0


def test_what_is_cut_tells_its_length() -> None:
    message = said("a" * 50, "user")[0]
    assert cut(message, 10)["parts"] == [{"type": "text", "text": "a" * 10, "name": "", "id": "", "length": 50}]
    assert cut(message, 50)["parts"][0].get("length") is None


DEEP = "[" * 5_000 + "]" * 5_000
NAMES = ["role", "content", "parts", "type", "text", "tool_calls", "function", "id", "name", "message", "messages", "kwargs", "choices"]
NAMES += ["input", "output", "data", "functionCall", "toolUse", "additional_kwargs", "event.name", "system", "config", "contents"]
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.sampled_from(NAMES), inner, max_size=5),
    max_leaves=25,
)
KEY = some.from_regex(r"([0-9]{1,7}|message|role|content|tool_calls)(\.([0-9]{1,3}|role|content|message)){0,5}", fullmatch=True)


@given(JSON)
def test_anything_at_all(value: Any) -> None:
    """Whatever an attribute says, messages of texts come out of it."""
    for text in (json.dumps(value), json.dumps(json.dumps(value))):
        for message in said(text, "user"):
            assert isinstance(message["role"], str)
            assert all(isinstance(said, str) for part in message["parts"] for said in part.values())


@pytest.mark.parametrize("value", [DEEP, '{"content":' * 2_000 + "1" + "}" * 2_000, "[" + "0," * 100_000 + "0]", "{" * 10, '"\\ud800"'])
def test_hostile_values(value: str) -> None:
    assert isinstance(said(value, "user"), list)


@given(some.lists(some.tuples(KEY, some.text(max_size=5)), max_size=20))
def test_hostile_keys(flat: list[tuple[str, str]]) -> None:
    assert isinstance(said(unflattened(flat), "user"), list)
