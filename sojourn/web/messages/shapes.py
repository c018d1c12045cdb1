"""Messages as providers and frameworks write them, in one form. What comes in is hostile: nothing here recurses without a bound."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Part = dict[str, str]
Message = dict[str, Any]

_MOST: Final = 2_000  # messages of one side of a call, and parts of one message
_DEEPEST: Final = 4
_LINE: Final = 100
_ROLES: Final = {
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "humanmessage": "user",
    "systemmessage": "system",
    "toolmessage": "tool",
    "function": "tool",
    "tool-call": "assistant",
    "tool-response": "tool",
}
_KNOWN: Final = {"system", "developer", "user", "assistant", "tool", *_ROLES}
_CALLS: Final = {"tool_call", "tool-call", "tool_use", "function_call", "functioncall", "tooluse", "toolcall"}
_RESULTS: Final = {
    *("tool_call_response", "tool-result", "tool_result", "function_call_output", "functionresponse", "toolresult", "tool_response"),
}
_THOUGHTS: Final = {"reasoning", "thinking", "reasoningcontent", "redacted_thinking", "redacted-reasoning"}
_TEXTS: Final = {"text", "input_text", "output_text", "refusal", "summary_text"}
_MEDIA: Final = {
    *("image", "image_url", "input_image", "audio", "input_audio", "video", "file", "input_file", "document", "blob", "uri", "media"),
    *("inlinedata", "inline_data", "filedata", "file_data"),
}
_LISTS: Final = ("messages", "contents", "input", "output", "choices", "candidates", "generations", "prompt", "message", "content")
"""Members of requests and answers that hold their messages, whichever comes first."""
_SYSTEM: Final = ("system", "instructions", "system_instruction", "systemInstruction", "system_instructions")


def said(value: object, role: str) -> list[Message]:
    """The messages in what an attribute says: JSON of any of the known forms, else text that `role` said."""
    return [message for message in _messages(_parsed(value), role, 0) if message["parts"]][:_MOST]


def unflattened(flat: Iterable[tuple[str, str]]) -> list[Any]:
    """A list of messages from keys behind its prefix: `0.message.role`, `0.message.tool_calls.1.tool_call.function.name`."""
    tree: dict[Any, Any] = {}
    for key, value in list(flat)[: 20 * _MOST]:
        node, (*path, last) = tree, [int(step) if step.isdigit() and len(step) < 6 else step for step in key.split(".")]
        for step in path:
            if step in ("message", "message_content", "tool_call"):
                continue
            below = node.setdefault(step, {}) if isinstance(node, dict) else None
            node = below if isinstance(below, dict) else {}
        node[last] = value
    found = _listed(tree, 0)
    return found if isinstance(found, list) else []


def cut(message: Message, longest: int) -> Message:
    """The same with texts of at most so many characters; a part that was cut tells its `length`."""
    parts = [
        part if len(part["text"]) <= longest else part | {"text": part["text"][:longest], "length": len(part["text"])}
        for part in message["parts"]
    ]
    return message | {"parts": parts}


def _parsed(value: object) -> Any:
    """JSON as what it means; also of a text in JSON that is JSON once more."""
    for _ in range(2):
        if not isinstance(value, str) or not value[:1] or value.lstrip()[:1] not in ("{", "[", '"'):
            return value
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _listed(node: Any, depth: int) -> Any:
    """Dictionaries whose keys are numbers as lists, in their order."""
    if not isinstance(node, dict) or depth > 12:
        return node
    if node and all(isinstance(key, int) for key in node):
        return [_listed(node[key], depth + 1) for key in sorted(node)]
    return {str(key): _listed(below, depth + 1) for key, below in node.items()}


def _messages(value: Any, role: str, depth: int) -> list[Message]:
    if isinstance(value, list):
        return _of_list(value[:_MOST], role, depth)
    if isinstance(value, dict):
        return _of_dict(value, role, depth)
    return [_message(role, [_text(value)])] if value not in (None, "") else []


def _of_list(value: list[Any], role: str, depth: int) -> list[Message]:
    value = [_unwrapped(item) if isinstance(item, dict) else item for item in value]
    if any(isinstance(item, list) or (isinstance(item, dict) and (_is_message(item) or _holder(item))) for item in value):
        if depth > _DEEPEST:
            return [_message(role, [_data(value)])]
        return [message for item in value for message in _messages(item, role, depth + 1)]
    return [_message(role, _parts(value))]


def _of_dict(value: dict[str, Any], role: str, depth: int) -> list[Message]:
    value = _unwrapped(value)
    if _is_message(value):
        return [_one(value, role)]
    holder = _holder(value)
    if holder is None or depth > _DEEPEST:
        return [_message(role, _parts([value]))]
    config = value.get("config")
    told = [value, config] if isinstance(config, dict) else [value]
    system = next((said for place in told for key in _SYSTEM if (said := place.get(key))), None)
    before = [_message("system", _parts(system if isinstance(system, list) else [_plain(system)]))] if system else []
    return before + _messages(
        _parsed(value[holder]), "assistant" if holder in ("output", "choices", "candidates", "generations") else role, depth + 1
    )


def _holder(value: Mapping[str, Any]) -> str | None:
    """The member that holds the messages of a request or answer; None if this is neither."""
    if "type" in value and "messages" not in value and value["type"] != "message":
        return None
    for key in _LISTS:
        below = value.get(key)
        whole = isinstance(below, list | dict) and bool(below)
        if whole or (key in ("input", "prompt") and isinstance(below, str) and below and not {"name", "args", "id"} & value.keys()):
            return key
    return None


def _unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """LangChain writes `{"lc": 1, "id": [..., "HumanMessage"], "kwargs": {...}}`, or `{"type": "human", "data": {...}}`."""
    inner, name = value.get("kwargs"), value.get("id")
    if isinstance(inner, dict) and isinstance(name, list) and name:
        return {"type": str(name[-1])} | inner
    if isinstance(value.get("data"), dict) and str(value.get("type", "")).lower() in _ROLES:
        value = {"type": value["type"]} | value["data"]
    return value


def _is_message(value: Mapping[str, Any]) -> bool:
    if isinstance(value.get("role"), str) and ({"content", "contents", "parts", "tool_calls", "message"} & value.keys()):
        return True
    kind = str(value.get("type", "")).lower()
    if kind in ("function_call", "function_call_output", "reasoning") and {"call_id", "summary", "encrypted_content"} & value.keys():
        return True  # an item of OpenAI's responses
    named = kind in _ROLES or kind in ("system", "tool", "message")
    return (named and "content" in value) or "event.name" in value


def _one(value: dict[str, Any], role: str) -> Message:
    if isinstance(value.get("message"), dict):
        value = {key: said for key, said in value.items() if key != "message"} | value["message"]
    kind = str(value.get("type", "")).lower()
    told = value.get("role") or (kind if kind in _KNOWN else "") or str(value.get("event.name", "")).split(".")[-2:][0]
    told = "tool" if kind in _RESULTS else "assistant" if kind in _CALLS | _THOUGHTS else str(told or role).lower()
    parts: list[Part] = []
    if kind in _CALLS | _RESULTS | _THOUGHTS:
        parts += _parts([value])
    else:
        for key in ("reasoning_content", "reasoning", "thinking"):
            if isinstance(value.get(key), str) and value[key]:
                parts.append(_part("thinking", value[key]))
                break
        content = next((value[key] for key in ("parts", "contents", "content", "message") if value.get(key) not in (None, "", [])), None)
        parts += _parts(content if isinstance(content, list) else [content] if content is not None else [])
        parts += [_part("text", value["refusal"])] if isinstance(value.get("refusal"), str) else []
        parts += [_call(_parsed(call)) for call in _tool_calls(value)]
    role = _ROLES.get(told, told if told in _KNOWN else role if not told else told[:40])
    answered = value.get("tool_call_id") or (value.get("id") if role == "tool" else "")
    if role == "tool":
        parts = [part | {"type": "tool_result", "id": _short(answered)} if part["type"] in ("text", "data") else part for part in parts]
    return _message(role, parts, _short(value.get("name")))


def _tool_calls(value: Mapping[str, Any]) -> list[Any]:
    beside = value.get("additional_kwargs")
    calls = value.get("tool_calls") or (beside.get("tool_calls") if isinstance(beside, dict) else None)
    return calls[:_MOST] if isinstance(calls, list) else []


def _parts(content: Sequence[Any]) -> list[Part]:
    return [part for item in list(content)[:_MOST] if (part := _of_part(_parsed(item) if isinstance(item, str) else item)) is not None]


def _of_part(item: Any) -> Part | None:
    if item is None or item == "":
        return None
    if not isinstance(item, dict):
        return _text(item)
    kind = str(item.get("type", "")).lower()
    if not kind:
        named = next((key for key in item if key.lower() in _CALLS | _RESULTS | _THOUGHTS | _MEDIA and isinstance(item[key], dict)), None)
        if named is not None:
            kind, item = named.lower(), item[named]
    if kind in _CALLS:
        return _call(item)
    if kind in _RESULTS:
        return _result(item)
    if kind in _THOUGHTS or item.get("thought") is True:
        return _part("thinking", _first(item, "content", "text", "thinking", "reasoningText", "summary", "reasoning"))
    if kind in _MEDIA:
        return _part("media", _media(kind, item))
    if kind in _TEXTS or (not kind and isinstance(item.get("text"), str)):
        return _part("text", _first(item, "content", "text", "refusal"))
    if kind == "json" and "value" in item:
        return _part("text", _plain(item["value"]))
    return _data(item)


def _call(item: Any) -> Part:
    item = item if isinstance(item, dict) else {"arguments": item}
    inner = item["function"] if isinstance(item.get("function"), dict) else item
    name = _first(inner, "name", "toolName", "tool_name")
    return _part("tool_call", _first(inner, "arguments", "input", "args"), name, _first(item, "id", "toolCallId", "call_id", "toolUseId"))


def _result(item: Mapping[str, Any]) -> Part:
    said = _first(item, "result", "response", "output", "content")
    return _part(
        "tool_result", said, _first(item, "name", "toolName"), _first(item, "tool_use_id", "toolCallId", "call_id", "toolUseId", "id")
    )


def _media(kind: str, item: Mapping[str, Any]) -> str:
    """What kind of thing it is and where it lies; never the thing itself, which may be very long."""
    below = next((item[key] for key in ("image_url", "file", "source", "input_audio") if isinstance(item.get(key), dict)), item)
    form = _first(below, "mime_type", "mimeType", "media_type", "mediaType", "modality", "format") or kind
    place = _first(below, "uri", "url", "fileUri", "file_uri", "file_id", "filename", "image")
    return form if not place or place.startswith("data:") else f"{form} {place[:2_000]}"


def _first(item: Mapping[str, Any], *keys: str) -> str:
    return next((_plain(item[key]) for key in keys if item.get(key) not in (None, "", [], {})), "")


def _plain(value: Any) -> str:
    """Text as it is, the text of parts, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and set(value) <= {"type", "value"} and "value" in value:  # AI SDK: {"type": "text", "value": ...}
        return _plain(value["value"]) if not isinstance(value["value"], dict) else _json(value["value"])
    if isinstance(value, dict) and set(value) <= {"type", "text"} and isinstance(value.get("text"), str):
        return str(value["text"])
    if isinstance(value, list) and value and all(isinstance(item, dict) and isinstance(item.get("text"), str) for item in value):
        return "\n".join(item["text"] for item in value)
    return _json(value)


def _json(value: Any) -> str:
    """On one line if that is short."""
    try:
        line = json.dumps(value, ensure_ascii=False)
        return line if len(line) <= _LINE else json.dumps(value, ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return "…"


def _text(value: Any) -> Part:
    return _part("text", _plain(value))


def _data(value: Any) -> Part:
    return _part("data", _json(value))


def _part(kind: str, text: str, name: str = "", identity: str = "") -> Part:
    return {"type": kind, "text": text, "name": name[:500], "id": identity[:500]}


def _short(value: Any) -> str:
    return value[:500] if isinstance(value, str) else ""


def _message(role: str, parts: list[Part], name: str = "") -> Message:
    return {"role": role, "name": name, "parts": parts}
