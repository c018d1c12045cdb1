"""3.8 and 3.9: names, users, tags, metadata, inputs and outputs."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.oracle import keys
from tests.oracle.facts import Fact
from tests.oracle.identity import is_generic_id
from tests.oracle.values import attributes_of, first_text, from_json, number_text, plain_text, valid_text


def read_descriptions(fact: Fact, attributes: dict[str, Any], span: Any) -> None:
    fact.user = first_text(attributes, keys.USER)
    fact.session_name = first_text(attributes, keys.SESSION_NAME)
    fact.prompt_name = first_text(attributes, keys.PROMPT_NAME)
    for key in keys.TAGS:
        fact.tags += _tags(attributes.get(key))
    fact.metadata = _metadata(attributes, fact)
    events = [(event.name, attributes_of(event)) for event in span.events]
    given = content(attributes, keys.USER_INPUT) or _told_by(events, keys.INPUT_EVENTS)
    fact.input_text = (given or content(attributes, keys.TOOL_INPUT))[:500]
    fact.output_text = (content(attributes, keys.OUTPUT) or _told_by(events, keys.OUTPUT_EVENTS))[:500]
    messages = any(re.match(keys.INPUT_MESSAGES, key) for key in attributes)
    told = [attributes[key] for key in keys.USER_INPUT if key in attributes]
    told += [said[keys.INPUT_EVENTS[name]] for name, said in events if keys.INPUT_EVENTS.get(name) in said]
    if messages or any(_is_input(value) for value in told):
        fact.flags.add("input")


def _is_input(value: Any) -> bool:
    """3.6: an empty prompt is an input too; a placeholder is none."""
    return isinstance(value, (list, dict)) or (isinstance(value, str) and (value == "" or bool(valid_text(value))))


def _told_by(events: list[tuple[str, dict[str, Any]]], wanted: dict[str, str]) -> str:
    for name, attributes in events:
        if name in wanted and (text := content(attributes, [wanted[name]])):
            return text
    return ""


def content(attributes: dict[str, Any], names: list[str]) -> str:
    for name in names:
        value = attributes.get(name)
        text = (_unquoted(value) if isinstance(value, str) else _as_text(value)).strip()
        if valid_text(text) and text != "[]":
            return text
    return ""


def _tags(value: Any) -> list[str]:
    if isinstance(value, str):
        parsed = from_json(value, None)
        value = parsed if isinstance(parsed, list) else value.split(",")
    return [tag for tag in (plain_text(item).strip() for item in value) if tag] if isinstance(value, list) else []


_USED = {*keys.SESSION_ID, *keys.SESSION_NAME, *keys.PROMPT_NAME, *keys.USER, *keys.TAGS}
_USED_MEMBERS = {"session_id", "sessionId", "thread_id", "conversation_id", "user_id"}


def _metadata(attributes: dict[str, Any], fact: Fact) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for key, value in attributes.items():
        for prefix in keys.METADATA_PREFIXES:
            if key.startswith(prefix) and key not in _USED and not is_generic_id(key) and key != prefix:
                metadata.setdefault(key.removeprefix(prefix), _metadata_text(value))
        if key in keys.METADATA_JSON:
            held = from_json(value, None) if isinstance(value, str) else value
            for name, member in held.items() if isinstance(held, dict) else ():
                if name not in _USED_MEMBERS:
                    metadata.setdefault(name, _metadata_text(member))
    for name, text in metadata.items():
        if len(text) > 256:
            metadata[name] = text[:256]
            fact.flags.add("truncated")
    return metadata


def _metadata_text(value: Any) -> str:
    return _unquoted(value) if isinstance(value, str) else _as_text(value)


def _unquoted(text: str) -> str:
    """What a JSON string holds; any other text as it is."""
    held = from_json(text, text) if text.startswith('"') else text
    return held if isinstance(held, str) else text


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, bytes):
        return ""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
