"""Where messages stand: in attributes of spans, in their events, and in log records that name them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sojourn.sessions import attributes
from sojourn.web.messages.shapes import Message, said, unflattened

_SYSTEM: Final = "gen_ai.system_instructions"
_AI_SDK: Final = ("ai.response.", "ai.result.")
_FAMILIES: Final = {
    "llm.input_messages": "llm.input_messages.",
    "gen_ai.prompt": "gen_ai.prompt.",
    "llm.output_messages": "llm.output_messages.",
    "gen_ai.completion": "gen_ai.completion.",
}
"""Messages that are spread over keys with numbers in them."""
CONTENT: Final = (
    r"(^|[._-])(messages?|prompts?|completions?|inputs?|outputs?|contents?|arguments|args|parameters|result|final_result|choices?)([._]|$)"
    r"|system_instructions|^ai\.(response|result)\.|all_messages|user_prompt|llm_(request|response)$|(request|response)_(data|text)$"
    r"|spanInputs|spanOutputs|tool_response|input_json|output_json|^(role|id|name|tool_calls|function_args|tool_input)$"
)
"""Attributes that may hold messages, as a regular expression for the database: no others are read."""
EVENTS: Final = r"^gen_ai\.|\.(user_prompt|api_request|api_response|tool_result|tool_call)$"
"""Log records that may hold messages."""
_RECORDS: Final = re.compile(EVENTS)
_IN_TURN: Final = re.compile(r"gen_ai\.(system|user|assistant|tool|developer)\.message")


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a span, or a log record."""

    name: str
    attributes: Mapping[str, str]
    body: str = ""


def of_span(kind: str, attributes: Mapping[str, str], told: Sequence[Told]) -> tuple[list[Message], list[Message]]:
    """What went into a call and what came out of it: attributes before events, the first place that says something."""
    places: list[Mapping[str, str]] = [attributes, *(one.attributes for one in told if _holds_messages(one))]
    into = next(filter(None, (_side(place, _INPUTS, "tool" if kind == "tool" else "user") for place in places)), [])
    out = next(filter(None, (_output(place, kind) for place in places)), [])
    into = into or [message for one in told if _IN_TURN.fullmatch(one.name) for message in _event(one)]
    out = out or [message for one in told if one.name == "gen_ai.choice" for message in _event(one)]
    into = into or _of_events(told, _INPUT_EVENTS, "user")
    out = out or _of_events(told, _OUTPUT_EVENTS, "tool" if kind == "tool" else "assistant")
    if not any(message["role"] in ("system", "developer") for message in into):
        into = next((said(place[_SYSTEM], "system") for place in places if place.get(_SYSTEM)), []) + into
    return into, out


def of_record(told: Told) -> list[Message]:
    """What a log record says that may hold messages, without what was said before; nothing of other records."""
    if not _RECORDS.search(told.name):
        return []
    into, out = of_span("tool" if "tool" in told.name else "llm", {}, [told])
    return into[already_told(into) :] + out


def already_told(messages: Sequence[Message]) -> int:
    """How many of the messages that go into a call are history: up to the last answer of the model, if anything follows it."""
    last = max((place for place, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    return last + 1 if last + 1 < len(messages) else max(len(messages) - 1, 0)


def _holds_messages(told: Told) -> bool:
    return told.name == "gen_ai.client.inference.operation.details" or "gen_ai.input.messages" in told.attributes


def _side(place: Mapping[str, str], keys: Iterable[str], role: str) -> list[Message]:
    """The messages of the first key that has some."""
    for key in keys:
        family = _FAMILIES.get(key)
        found = []
        if family is not None:
            flat = ((name.removeprefix(family), value) for name, value in place.items() if name.startswith(family))
            found = said(unflattened(entry for entry in flat if entry[0][:1].isdigit()), role)
        if not found and place.get(key):
            found = said(place[key], role)
        if found:
            return found
    return []


def _output(place: Mapping[str, str], kind: str) -> list[Message]:
    for prefix in _AI_SDK:  # one answer over several keys
        parts = [
            part
            for name in ("reasoning", "text", "object", "toolCalls")
            if place.get(prefix + name)
            for message in said(_typed(name, place[prefix + name]), "assistant")
            for part in message["parts"]
        ]
        if parts:
            return [{"role": "assistant", "name": "", "parts": parts}]
    return _side(place, _OUTPUTS, "tool" if kind == "tool" else "assistant")


def _typed(name: str, value: str) -> Any:
    """Parts as the AI SDK writes them everywhere else."""
    if name == "reasoning":
        return [{"type": "reasoning", "text": value}]
    if name == "toolCalls":
        return '[{"role": "assistant", "tool_calls": ' + value + "}]"
    return value


def _event(told: Told) -> list[Message]:
    """A message that is an event: its content in attributes, or as the body of a record."""
    role = told.name.split(".")[1] if told.name != "gen_ai.choice" else "assistant"
    if told.body.startswith("{"):
        return [message | {"role": message["role"] if "choice" in told.name else role} for message in _body(told.body, role)]
    content = told.attributes.get("content") or told.attributes.get("message") or told.attributes.get("tool.result") or ""
    messages = said(content, role) if content else []
    if calls := told.attributes.get("tool_calls"):
        messages += said('[{"role": "assistant", "tool_calls": ' + calls + "}]", role)
    return messages


def _body(body: str, role: str) -> list[Message]:
    marked = body[:1] + f'"event.name": "gen_ai.{role}.message", ' + body[1:] if len(body) > 2 else body
    return said(marked, role)


def _of_events(told: Iterable[Told], entries: Sequence[attributes.Event], role: str) -> list[Message]:
    known = list(told)
    for entry in entries:
        found = [
            message
            for one in known
            if one.name == entry.event and one.attributes.get(entry.key)
            for message in said(one.attributes[entry.key], "assistant" if "tool" in one.name and role != "user" else role)
        ]
        if found:
            return found
    return []


def _keys(*lists: Iterable[Any]) -> tuple[str, ...]:
    """The keys of these fallback lists in their order, families of numbered keys by what stands before the number."""
    keys = (entry.partition(".N.")[0] for entry in itertools.chain(*lists) if isinstance(entry, str))
    return tuple(dict.fromkeys(keys))


def _events(*lists: Iterable[Any]) -> tuple[attributes.Event, ...]:
    return tuple(entry for entry in itertools.chain(*lists) if isinstance(entry, attributes.Event))


_REQUESTS: Final = (attributes.Event("gemini_cli.api_request", "request_text"),)
_INPUTS: Final = _keys(attributes.USER_INPUT, attributes.TOOL_INPUT)
_OUTPUTS: Final = _keys(attributes.OUTPUT)
_INPUT_EVENTS: Final = _events(attributes.USER_INPUT, attributes.TOOL_INPUT, _REQUESTS)
_OUTPUT_EVENTS: Final = _events(attributes.OUTPUT)
