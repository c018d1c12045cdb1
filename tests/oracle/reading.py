"""OTLP spans → facts: what one span says about itself, before anything is known of its trace."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.oracle import keys

DAY = 86_400 * 10**9


OWN_SCOPE = "sojourn"


@dataclass(frozen=True)
class Mark:
    """4: something that ends a session, or says which other session goes on in this one."""

    what: str
    """session.start or session.end"""
    time: int
    previous: str = ""
    """Of session.start: the id of the session that ends here."""


@dataclass
class Fact:
    """One span, or one log record, read."""

    tenant: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    scope: str
    service: str
    project: str
    arrival: int
    start: int
    end: int
    sent_end: int
    digest: int
    event: str = ""
    """Of a log record: the name of the event."""
    session: str = ""
    id_class: int = 255
    kind: str = "span"
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    cost: int | None = None
    """As reported, in picodollars."""
    price: tuple[int, str] | None = None
    """What it costs and whether that was reported or computed."""
    model: str = ""
    provider: str = ""
    tool: str = ""
    user: str = ""
    response: str = ""
    error: bool = False
    session_name: str = ""
    prompt_name: str = ""
    input_text: str = ""
    output_text: str = ""
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    marks: list[Mark] = field(default_factory=list)

    @property
    def is_model(self) -> bool:
        return self.kind in ("llm", "embedding", "rerank")

    @property
    def has_usage(self) -> bool:
        return bool(self.input or self.output or self.cache_read or self.cache_write or self.reasoning or self.cost)

    @property
    def version(self) -> tuple[int, int]:
        return (self.sent_end, self.digest)


def read_request(request: Any, arrival: int, digest: Callable[[bytes], int], tenant: str = "") -> list[Fact]:
    """Facts of all spans of an ExportTraceServiceRequest that arrived at `arrival` (ns since 1970)."""
    facts = []
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                parts = (resource_spans.resource, scope_spans.scope, span)
                content = b"".join(part.SerializeToString() for part in parts)
                facts.append(_read(span, scope_spans.scope.name, attributes_of(resource_spans.resource), arrival, digest(content), tenant))
    return facts


def _read(span: Any, scope: str, resource: dict[str, Any], arrival: int, digest: int, tenant: str) -> Fact:
    attributes = attributes_of(span)
    start, end, flags = _times(span, arrival)
    fact = Fact(
        tenant=tenant,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id="" if not any(span.parent_span_id) else span.parent_span_id.hex(),
        name=span.name,
        scope=scope,
        service=plain_text(resource.get("service.name")),
        project=plain_text(resource.get("service.namespace")),
        arrival=arrival,
        start=start,
        end=end,
        sent_end=span.end_time_unix_nano,
        digest=digest,
        flags=flags,
    )
    read_identity(fact, attributes, resource)
    read_call(fact, attributes, span.name)
    # 3.7
    fact.error = span.status.code == 2 or "error.type" in attributes or any(event.name == "exception" for event in span.events)
    _read_descriptions(fact, attributes, span)
    fact.marks = [] if scope == OWN_SCOPE else _marks(fact, attributes, span)
    return fact


def _marks(fact: Fact, attributes: dict[str, Any], span: Any) -> list[Mark]:
    """4: a span attribute `session.end=true` is a mark at the span's end; span events are marks at their time."""
    marks = [Mark("session.end", fact.end)] if _is_true(attributes.get("session.end")) else []
    for event in span.events:
        if event.name in ("session.start", "session.end"):
            marks.append(Mark(event.name, clamped(event.time_unix_nano, fact.arrival), previous_id(attributes_of(event))))
    return marks


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def previous_id(attributes: dict[str, Any]) -> str:
    return shortened(valid_text(attributes.get("session.previous_id")))


def attributes_of(holder: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for attribute in holder.attributes:
        attributes.setdefault(attribute.key, value_of(attribute.value))
    return attributes


def value_of(value: Any) -> Any:
    which = value.WhichOneof("value")
    if which is None:
        return None
    if which == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return {item.key: value_of(item.value) for item in value.kvlist_value.values}
    return getattr(value, which)


def _times(span: Any, arrival: int) -> tuple[int, int, set[str]]:
    """4.5: times outside [arrival - 400 d, arrival + 1 d] are clamped and flagged."""
    flags = set()
    start, end = clamped(span.start_time_unix_nano, arrival), clamped(span.end_time_unix_nano, arrival)
    if (start, end) != (span.start_time_unix_nano, span.end_time_unix_nano):
        flags.add("bad_time")
    if span.end_time_unix_nano < span.start_time_unix_nano:
        flags.add("bad_time")
    return start, max(start, end), flags


def clamped(time: int, arrival: int) -> int:
    return min(max(time, arrival - 400 * DAY), arrival + DAY)


# --- texts


def plain_text(value: Any) -> str:
    return value if isinstance(value, str) else _number_text(value)


def _number_text(value: Any) -> str:
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return shortest(value)
    return ""


def shortest(number: float) -> str:
    """The shortest decimal text that reads back as the same double; whole numbers without a point."""
    if math.isnan(number) or math.isinf(number):
        return str(number)
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


_INVALID = {"", "null", "none", "undefined", "unknown", "nan", "<null>", "{}", "<redacted>", "[redacted]", "__redacted__"}


def valid_text(value: Any) -> str:
    """2.1: trimmed; integers and doubles as text; '' for everything that is as if absent."""
    text = plain_text(value).strip()
    if text.lower() in _INVALID or not text.strip("*"):
        return ""
    return text


def _member(attributes: dict[str, Any], key: str) -> Any:
    """The value of an attribute, or of a member of the JSON in it (`a>b>c`)."""
    name, *path = key.split(">")
    value = attributes.get(name)
    if name.startswith("mlflow.") and isinstance(value, str):
        value = _json(value, value)
    for part in path:
        if isinstance(value, str):
            value = _json(value, None)
        if isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def _json(text: str, otherwise: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return otherwise


def first_text(attributes: dict[str, Any], names: list[str]) -> str:
    for name in names:
        if text := valid_text(_member(attributes, name)):
            return text
    return ""


# --- 2.1 identity


def _candidates(attributes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in keys.SESSION_ID:
        yield key, _member(attributes, key)
    generic = [key for key in attributes if _is_generic_id(key)]
    for key in sorted(generic, key=str.encode):
        yield key, attributes[key]


def _is_generic_id(key: str) -> bool:
    *above, last = key.split(".")
    below = any(part in ("metadata", "context", "properties", "association") for part in above)
    return last in ("session_id", "sessionId") and below and key not in keys.NEVER_AN_ID


def read_identity(fact: Fact, attributes: dict[str, Any], resource: dict[str, Any]) -> None:
    for key, value in _candidates(attributes):
        if text := valid_text(value):
            fact.session, fact.id_class = text, id_class(key)
            break
    else:
        if text := valid_text(resource.get("session.id")):
            fact.session, fact.id_class = text, 2
    if fact.session != shortened(fact.session):
        fact.session = shortened(fact.session)
        fact.flags.add("truncated_id")


def shortened(session: str) -> str:
    return session if len(session) <= 256 else session[:200] + "~" + hashlib.sha256(session.encode()).hexdigest()[:16]


def id_class(key: str) -> int:
    parts = re.split(r"[.>]", key)
    return 0 if parts[-1] in ("session_id", "sessionId", "session") or parts[-2:] == ["session", "id"] else 1


# --- 3.2 to 3.4 what a call says


def _count(fact: Fact, attributes: dict[str, Any], names: list[str]) -> int | None:
    for name in names:
        number = whole(_member(attributes, name))
        if number is not None:
            count = min(max(number, 0), 2**32 - 1)
            if count != number:
                fact.flags.add("limited")
            return count
    return None


def whole(value: Any) -> int | None:
    """3.3: numbers, numbers as strings, JSON integer wrappers."""
    if isinstance(value, dict):
        value = value.get("intValue", value.get("doubleValue", value.get("stringValue")))
    if isinstance(value, str):
        text = value.strip()
        if text.startswith(("{", '"')):
            return whole(_json(text, None))
        try:
            value = int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return round(value)


def picodollars(value: Any) -> int | None:
    """3.4: US dollars → whole picodollars, rounded once, half to even."""
    if isinstance(value, str):
        value = value.strip()
        if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", value):
            return None
        exact = Fraction(value)
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    else:
        exact = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
    if exact < 0:
        return None
    return round(exact * 10**12)


def read_call(fact: Fact, attributes: dict[str, Any], name: str) -> None:
    """`name` is the span's; a log record has none."""
    fact.input = _count(fact, attributes, keys.INPUT_TOKENS) or 0
    fact.output = _count(fact, attributes, keys.OUTPUT_TOKENS) or 0
    fact.cache_read = _count(fact, attributes, keys.CACHE_READ) or 0
    fact.cache_write = _count(fact, attributes, keys.CACHE_WRITE) or 0
    fact.reasoning = _count(fact, attributes, keys.REASONING) or 0
    _normalise(fact, attributes)
    fact.cost = _reported_cost(attributes)
    if fact.cost == 0 and (fact.input or fact.output):  # 3.4: 0 with tokens > 0 is not reported
        fact.cost = None
    fact.model = first_text(attributes, keys.MODEL)
    fact.provider = provider(attributes, fact.model)
    fact.response = first_text(attributes, keys.RESPONSE_ID)
    fact.kind = kind(attributes, fact, name)
    if fact.kind == "tool":
        fact.tool = first_text(attributes, keys.TOOL)
        if not fact.tool and valid_text(attributes.get("traceloop.span.kind")) == "tool":
            fact.tool = first_text(attributes, ["traceloop.entity.name"])
        if not fact.tool and name.startswith("execute_tool "):
            fact.tool = name.removeprefix("execute_tool ").strip()


def _reported_cost(attributes: dict[str, Any]) -> int | None:
    for name in keys.COST:
        cost = picodollars(_member(attributes, name))
        if cost is not None:
            return cost
        if name == "langfuse.observation.cost_details>total":
            details = _member(attributes, "langfuse.observation.cost_details")
            details = _json(details, None) if isinstance(details, str) else details
            parts = [picodollars(part) for part in details.values()] if isinstance(details, dict) else []
            if any(part is not None for part in parts):
                return sum(part for part in parts if part is not None)
    parts = [picodollars(attributes.get(f"gen_ai.usage.{side}_cost")) for side in ("input", "output")]
    return sum(part for part in parts if part is not None) if any(part is not None for part in parts) else None


ADDITIVE_SCOPES = ("openinference.instrumentation.claude_agent_sdk", "com.anthropic.claude_code", "com.anthropic.claude_code.tracing")
"""Producers whose input leaves the cached tokens out (attributes 18c)."""
ADDITIVE_EVENT = "claude_code.api_request"
"""The same, told in log records (attributes 16)."""
WITHOUT_THOUGHTS = "gemini_cli.api_response"
"""A record whose output leaves the thoughts out (attributes 16)."""


def _normalise(fact: Fact, attributes: dict[str, Any]) -> None:
    """3.3: cached tokens are part of the input afterwards, reasoning part of the output."""
    total, cache, plain = _count(fact, attributes, keys.TOTAL_TOKENS), fact.cache_read + fact.cache_write, fact.input + fact.output
    additive = fact.scope in ADDITIVE_SCOPES or fact.event == ADDITIVE_EVENT
    cache_is_extra = cache > 0 and (cache > fact.input or (total != plain and (total == plain + cache or additive)))
    thoughts_apart = fact.event == WITHOUT_THOUGHTS and total != plain
    reasoning_is_extra = fact.reasoning > fact.output or (fact.reasoning > 0 and (thoughts_apart or total == plain + fact.reasoning))
    if cache_is_extra:
        fact.input = min(fact.input + cache, 2**32 - 1)
    if reasoning_is_extra:
        fact.output = min(fact.output + fact.reasoning, 2**32 - 1)


_DOTTED = {  # providers whose proper name has a dot
    "aws.bedrock",
    "azure.ai.openai",
    "azure.ai.inference",
    "gcp.gemini",
    "gcp.vertex_ai",
    "gcp.gen_ai",
    "ibm.watsonx.ai",
}
_PROVIDER_ALIASES = {
    "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "xai": "x_ai",
    "x-ai": "x_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
}
_FRAMEWORKS = {"strands-agents", "gcp.vertex.agent", "langchain", "autogen", "unknown", "litellm", "crewai", "llama_index"}
_FAMILIES = {  # what a model's name begins with → who makes it
    "gpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "text-embedding-": "openai",
    "claude": "anthropic",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "deepseek": "deepseek",
    "grok": "x_ai",
    "command": "cohere",
}


def provider(attributes: dict[str, Any], model: str) -> str:
    for name in keys.PROVIDER:
        text = valid_text(attributes.get(name)).lower()
        if text and text not in _DOTTED and text not in _PROVIDER_ALIASES and text not in _FRAMEWORKS:
            text = text.split(".")[0]
        if text and text not in _FRAMEWORKS:
            return _PROVIDER_ALIASES.get(text, text)
    for beginning, maker in _FAMILIES.items():
        if model.lower().startswith(beginning):
            return maker
    return ""


def kind(attributes: dict[str, Any], fact: Fact, name: str) -> str:
    told = _told_kind(attributes)
    never_llm = valid_text(attributes.get("gen_ai.operation.name")) in ("invoke_agent", "invoke_workflow", "create_agent")
    if (never_llm or name == "agent_step") and told in ("llm", "embedding", "rerank", ""):
        return "agent"
    if told:
        return told
    if valid_text(attributes.get("gen_ai.tool.name")):
        return "tool"
    return "llm" if fact.model and fact.has_usage else "span"


def _told_kind(attributes: dict[str, Any]) -> str:
    for key in keys.KIND:
        word = valid_text(_member(attributes, key)).lower().removeprefix("claude_code.")
        if key in ("ai.operationId", "operation.name"):
            if told := _ai_sdk_kind(word):
                return told
            continue
        for told, words in (keys.OPERATIONS if key in keys.OPERATION_KEYS else keys.KINDS).items():
            if word in words.split():
                return told
    return ""


def _ai_sdk_kind(operation: str) -> str:
    operation = operation.split(" ")[0]
    if not operation.startswith("ai."):
        return ""
    step = operation.split(".")[-1]
    if step == "toolcall":
        return "tool"
    if step in ("doembed", "doembedmany"):
        return "embedding"
    if step.startswith("dorerank"):
        return "rerank"
    return "llm" if step.startswith("do") else "chain"


# --- 3.8, 3.9 descriptions


def _read_descriptions(fact: Fact, attributes: dict[str, Any], span: Any) -> None:
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
        parsed = _json(value, None)
        value = parsed if isinstance(parsed, list) else value.split(",")
    return [tag for tag in (plain_text(item).strip() for item in value) if tag] if isinstance(value, list) else []


_USED = {*keys.SESSION_ID, *keys.SESSION_NAME, *keys.PROMPT_NAME, *keys.USER, *keys.TAGS}
_USED_MEMBERS = {"session_id", "sessionId", "thread_id", "conversation_id", "user_id"}


def _metadata(attributes: dict[str, Any], fact: Fact) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for key, value in attributes.items():
        for prefix in keys.METADATA_PREFIXES:
            if key.startswith(prefix) and key not in _USED and not _is_generic_id(key) and key != prefix:
                metadata.setdefault(key.removeprefix(prefix), _metadata_text(value))
        if key in keys.METADATA_JSON:
            held = _json(value, None) if isinstance(value, str) else value
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
    held = _json(text, text) if text.startswith('"') else text
    return held if isinstance(held, str) else text


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number_text(value)
    if isinstance(value, bytes):
        return ""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
