"""Which attribute keys mean what: one table for all the frameworks in the world, and the plan that the native core makes columns after.

Each list is ordered: the first valid value on a span wins. An entry is a key, or `inside(key, names)` for values that are JSON objects in
texts. `N` between dots stands for any number. What a value must look like to be valid is said in `PLACEHOLDERS` and in the native core
(`native/src/lift/clean.rs`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple


class Inside(NamedTuple):
    """A member of the JSON object that is the value of an attribute. Names of nested members are joined by dots; `*` sums all numbers."""

    key: str
    name: str


class Event(NamedTuple):
    """An attribute of the span's events of one name, or of log records that tell such an event (or a member of their body)."""

    event: str
    key: str


Entry = str | Inside | Event


def inside(key: str, *names: str) -> list[Entry]:
    return [Inside(key, name) for name in names]


def below(prefixes: Iterable[str], *names: str) -> list[Entry]:
    """All names below the first prefix, then below the second, and so on."""
    return [f"{prefix}.{name}" for prefix in prefixes for name in names]


PLACEHOLDERS = ("null", "none", "undefined", "unknown", "nan", "<null>", "{}", "<redacted>", "[redacted]", "__redacted__")
"""Values that say nothing, in any case; so do asterisks alone and blanks."""

QUOTED = ("mlflow.", "langfuse.trace.metadata.", "langfuse.observation.metadata.")
"""Keys that begin so have JSON values: a plain text comes in double quotes."""

_AI_SDK = ("ai.telemetry.metadata", "ai.settings.context", "ai.settings.runtimeContext")
_LANGFUSE = ("langfuse.observation.metadata", "langfuse.trace.metadata")

SESSION_ID: list[Entry] = [
    "agentmark.session_id",  # AgentMark
    "langfuse.session.id",  # Langfuse, compatibility
    "session.id",  # OpenTelemetry, OpenInference, Langfuse, Strands, AgentCore, Claude Code, browsers
    *below(["agentmark.metadata"], "session_id", "sessionId"),
    *below(_AI_SDK, "session_id", "sessionId"),  # Vercel AI SDK: v4 to v6, v7 opt-in
    "traceloop.association.properties.session_id",  # Traceloop
    "lmnr.association.properties.session_id",  # Laminar
    *below(["langsmith.metadata"], "session_id", "thread_id", "conversation_id"),  # LangSmith threads
    *below(_LANGFUSE, "langfuse_session_id"),
    *below(["langfuse.trace.metadata"], "session_id", "sessionId"),
    "gcp.vertex.agent.session_id",  # Google ADK before 2.13
    "gen_ai.conversation.id",  # OpenTelemetry, Pydantic AI, Google ADK, Microsoft, Traceloop, OpenLIT
    "conversation.id",  # Codex
    "gen_ai.session.id",  # Alibaba loongsuite
    "wandb.thread_id",  # Weave
    "weave.conversation.id",
    "mlflow.trace.session",  # MLflow
    *below(["traceloop.association.properties"], "thread_id", "conversation_id"),  # LangChain below Traceloop
    *below(["ai.telemetry.metadata"], "conversationId", "threadId", "chatId", "thread_id", "conversation_id"),
    "workflow.session_id",  # AgentOps
    "gen_ai.agent.session_id",  # OpenLIT
    "group_id",  # OpenAI Agents by Logfire
    "ai.request.headers.helicone-session-id",  # Helicone
    *inside("metadata", "session_id", "sessionId", "thread_id", "conversation_id"),  # OpenInference, Pydantic AI
    *inside("braintrust.metadata", "session_id", "sessionId", "thread_id", "conversation_id"),
]
"""Who the session is. After this list: any key that ends in one of GENERIC_LAST below a part of GENERIC_PARTS; last, `session.id` of the
resource."""

GENERIC_LAST = ("session_id", "sessionId")
GENERIC_PARTS = ("metadata", "context", "properties", "association")

NEVER_SESSION = ("langsmith.trace.session_id", "langsmith.trace.session_name", "mcp.session.id")
"""A LangSmith "session" is a project; an MCP session is a transport."""

SESSION_NAME: list[Entry] = [
    "agentmark.session_name",
    *below(["agentmark.metadata", *_AI_SDK], "session_name", "sessionName"),
    *below(["traceloop.association.properties", "lmnr.association.properties.metadata"], "session_name", "sessionName"),
    *below(["langsmith.metadata"], "session_name", "sessionName"),
    "weave.conversation.name",
    "gen_ai.conversation.name",
    "ai.request.headers.helicone-session-name",
    "workflow.session_name",
]

PROMPT_NAME: list[Entry] = [
    "agentmark.prompt_name",
    "gen_ai.prompt.name",
    "langfuse.observation.prompt.name",
    *below(["ai.telemetry.metadata"], "prompt_name", "promptName"),
]
"""A name to fall back on where the session has none."""

USER: list[Entry] = [
    "agentmark.user_id",
    "langfuse.user.id",
    "user.account_uuid",  # Claude Code, whose user.id is a device
    "user.id",  # OpenTelemetry, OpenInference, Langfuse, Strands
    *below(["agentmark.metadata", *_AI_SDK], "user_id", "userId"),
    *below(["traceloop.association.properties", "lmnr.association.properties"], "user_id"),
    "enduser.id",  # OpenTelemetry
    "langsmith.metadata.user_id",
    *below(_LANGFUSE, "langfuse_user_id"),
    "gen_ai.user.id",  # Alibaba loongsuite
    "gen_ai.user",  # the provider's parameter `user`
    "gen_ai.request.user",
    "llm.user",
    "mlflow.trace.user",
    "workflow.user_id",  # AgentOps
    "ai.request.headers.helicone-user-id",
    *inside("metadata", "user_id", "userId"),  # OpenInference with LangChain
    "user.account_id",  # Codex
    "user.email",
    "enduser.pseudo.id",
    "user.anonymous_id",  # Splunk
    "installation.id",  # Gemini CLI
]

_ACCOUNTS: list[Entry] = ["user.account_uuid", "user.account_id"]
RECORD_USER: list[Entry] = [*_ACCOUNTS, *(entry for entry in USER if entry not in (*_ACCOUNTS, "installation.id"))]
"""The user of a log record: accounts first, since `user.id` may be a device there, and an installation is nobody."""

MODEL: list[Entry] = [
    # the one that answered
    "gen_ai.response.model",
    "ai.response.model",
    "llm.response.model_name",
    "langfuse.observation.model.name",
    *inside("output.value", "generations.0.0.generation_info.model_name"),  # OpenInference, streamed by LangChain
    "llm.model_name",  # OpenInference
    # the one asked for
    "gen_ai.request.model",
    "ai.model.id",
    "llm.request.model_name",
    "embedding.model_name",
    "langsmith.metadata.ls_model_name",
    "aisdk.model.id",  # Mastra
    "model_name",
    "model",  # Claude Code, Codex
]

PROVIDER: list[Entry] = [
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "ai.model.provider",
    "langsmith.metadata.ls_provider",
    "aisdk.model.provider",
]

TOOL: list[Entry] = [
    "gen_ai.tool.name",
    "tool.name",  # OpenInference, AgentOps
    "ai.toolCall.name",
    "tool_call.function.name",
    "tool_name",  # Claude Code
    "function_name",  # Gemini CLI
]
TOOL_ENTITY: list[Entry] = ["traceloop.entity.name"]
"""Names the tool on spans of kind tool; there, else, what stands behind `execute_tool ` in the span's name."""

RESPONSE: list[Entry] = [
    "gen_ai.response.id",
    "ai.response.id",
    "llm.response.id",
    Event("claude_code.api_request", "request_id"),
]
RESPONSE_INSIDE: list[Entry] = inside("output.value", "id")
"""The provider's id of the response; OpenInference has it only in the raw response (believed of model spans alone)."""

INPUT_TOKENS: list[Entry] = [
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    *inside("langfuse.observation.usage_details", "input", "prompt_tokens", "input_tokens"),
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",  # embeddings
    "llm.usage.prompt_tokens",
    *inside("mlflow.chat.tokenUsage", "input_tokens"),
    *inside("langsmith.usage_metadata", "input_tokens"),
    "input_tokens",  # Claude Code
    "input_token_count",  # Codex, Gemini CLI
    "stream.usage.inputTokens",  # Mastra
]

OUTPUT_TOKENS: list[Entry] = [
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    *inside("langfuse.observation.usage_details", "output", "completion_tokens", "output_tokens"),
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "llm.usage.completion_tokens",
    *inside("mlflow.chat.tokenUsage", "output_tokens"),
    *inside("langsmith.usage_metadata", "output_tokens"),
    "output_tokens",
    "output_token_count",
    "stream.usage.outputTokens",
]

TOTAL_TOKENS: list[Entry] = [
    "gen_ai.usage.total_tokens",
    "llm.usage.total_tokens",
    "llm.token_count.total",
    *inside("langfuse.observation.usage_details", "total", "total_tokens"),
    "ai.usage.totalTokens",
    *inside("mlflow.chat.tokenUsage", "total_tokens"),
    *inside("langsmith.usage_metadata", "total_tokens"),
    "codex.usage.total_tokens",
    "total_token_count",
]

CACHE_READ: list[Entry] = [
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.token_count.prompt_details.cache_input",
    "gen_ai.usage.prompt_tokens_details.cached_tokens",
    *inside("gen_ai.usage.prompt_tokens_details", "cached_tokens"),
    *inside("gen_ai.usage.input_token_details", "cache_read"),  # LangSmith
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "ai.usage.cachedInputTokens",
    *below(["gen_ai.usage.details"], "cache_read_tokens", "cached_tokens"),  # Pydantic AI
    *inside(
        "langfuse.observation.usage_details",
        "cache_read_input_tokens",
        "input_cached_tokens",
        "input_cache_read",
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
    ),
    *inside("langsmith.usage_metadata", "input_token_details.cache_read"),
    *inside("ai.response.providerMetadata", "anthropic.cacheReadInputTokens", "openai.cachedPromptTokens"),
    "cache_read_tokens",  # Claude Code
    "cached_token_count",  # Codex
    "cached_content_token_count",  # Gemini CLI
]

CACHE_WRITE: list[Entry] = [
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
    *inside("gen_ai.usage.prompt_tokens_details", "cache_creation_tokens"),
    *inside("gen_ai.usage.input_token_details", "cache_creation"),
    "ai.usage.inputTokenDetails.cacheWriteTokens",
    "gen_ai.usage.details.cache_write_tokens",
    *inside("langfuse.observation.usage_details", "cache_creation_input_tokens", "input_cache_creation"),
    *inside("langsmith.usage_metadata", "input_token_details.cache_creation"),
    *inside("ai.response.providerMetadata", "anthropic.cacheCreationInputTokens"),
    "cache_creation_tokens",
]

REASONING: list[Entry] = [
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.usage.reasoning_tokens",
    "gen_ai.usage.completion_tokens_details.reasoning_tokens",
    *inside("gen_ai.usage.completion_tokens_details", "reasoning_tokens"),
    *inside("gen_ai.usage.output_token_details", "reasoning"),
    "llm.token_count.completion_details.reasoning",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "ai.usage.reasoningTokens",
    "gen_ai.usage.details.reasoning_tokens",
    *inside(
        "langfuse.observation.usage_details",
        "output_reasoning_tokens",
        "output_reasoning",
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
    ),
    *inside("langsmith.usage_metadata", "output_token_details.reasoning"),
    "codex.usage.reasoning_output_tokens",
    "reasoning_token_count",
    "thoughts_token_count",
]

COST: list[Entry] = [
    "agentmark.usage.cost_usd",
    *inside("langfuse.observation.cost_details", "total", "*"),
    "gen_ai.usage.cost",  # OpenLIT, Laminar
    "gen_ai.usage.total_cost",  # AgentOps
    "operation.cost",  # Pydantic AI
    "llm.cost.total",  # OpenInference
    "cost_usd",  # Claude Code
]
"""US dollars. Where there is none, the sum of INPUT_COST and OUTPUT_COST."""
INPUT_COST: list[Entry] = ["gen_ai.usage.input_cost"]
OUTPUT_COST: list[Entry] = ["gen_ai.usage.output_cost"]

ERROR: list[Entry] = ["error.type"]
"""Present: an error, besides status ERROR and an exception event."""

_COMMON_KINDS = {
    **dict.fromkeys(("llm", "generation", "chat", "completion", "chat_model", "model", "llm_request"), "llm"),
    **dict.fromkeys(("embedding", "embeddings", "embed"), "embedding"),
    **dict.fromkeys(("reranker", "rerank"), "rerank"),
    **dict.fromkeys(("tool", "tool_call", "execute_tool", "tool.execution"), "tool"),
    **dict.fromkeys(("agent", "invoke_agent", "create_agent"), "agent"),
    **dict.fromkeys(("chain", "workflow", "task", "operation", "session", "invoke_workflow", "interaction", "parser"), "chain"),
    **dict.fromkeys(("retriever", "retrieval"), "retriever"),
    **dict.fromkeys(("guardrail", "evaluator", "prompt"), None),
}
_KINDS = {value: kind or value for value, kind in _COMMON_KINDS.items()}

_OPERATIONS = {
    **dict.fromkeys(("chat", "generate_content", "text_completion", "completion", "llm_call"), "llm"),
    **dict.fromkeys(("embeddings", "embedding"), "embedding"),
    "rerank": "rerank",
    "retrieval": "retriever",
    **dict.fromkeys(("execute_tool", "tool_call"), "tool"),
    **dict.fromkeys(("invoke_agent", "create_agent", "agent_call"), "agent"),
    **dict.fromkeys(("invoke_workflow", "handle_conversation_turn", "plan"), "chain"),
    **dict.fromkeys(("schedule_tool_calls", "user_prompt"), "span"),  # Gemini CLI
}

_AI_SDK_OPERATIONS = {
    **{f"ai.{name}": "chain" for name in ("generateText", "streamText", "generateObject", "streamObject", "embed", "embedMany", "rerank")},
    **{f"ai.{name}.doGenerate": "llm" for name in ("generateText", "generateObject")},
    **{f"ai.{name}.doStream": "llm" for name in ("streamText", "streamObject")},
    **{f"ai.{name}.doEmbed": "embedding" for name in ("embed", "embedMany")},
    "ai.rerank.doRerank": "rerank",
    "ai.toolCall": "tool",
}

KIND: list[tuple[str, Mapping[str, str]]] = [
    ("langfuse.observation.type", _KINDS),
    ("openinference.span.kind", _KINDS),
    ("agentmark.span.kind", _KINDS),
    ("gen_ai.operation.name", _OPERATIONS),
    ("langsmith.span.kind", _KINDS),
    ("lmnr.span.type", _KINDS),
    ("traceloop.span.kind", _KINDS),
    ("mlflow.spanType", _KINDS),
    ("weave.span.kind", _KINDS),
    ("agentops.span.kind", _KINDS),
    ("gen_ai.span.kind", _KINDS),
    ("span.type", _KINDS | {f"claude_code.{value}": kind for value, kind in _KINDS.items()}),  # Claude Code
    ("ai.operationId", _AI_SDK_OPERATIONS),
    ("operation.name", _AI_SDK_OPERATIONS),
    ("llm.request.type", _OPERATIONS),  # Traceloop
]
"""Which values of which keys name a kind (`schema.KINDS`), in any case; the first key that names one wins."""

NEVER_MODEL: list[Entry] = ["gen_ai.operation.name"]
NEVER_MODEL_VALUES = ("invoke_agent", "invoke_workflow", "create_agent")
AGENT_NAMES = ("agent_step",)
"""Spans of these operations and names are no model calls, whatever else they say and whatever usage they carry: it is their children's."""

USER_INPUT: list[Entry] = [
    *(Event(f"{agent}.user_prompt", "prompt") for agent in ("claude_code", "codex", "gemini_cli")),
    "gen_ai.input.messages",  # OpenTelemetry, Pydantic AI, Traceloop, Microsoft
    "llm.input_messages.N.message.content",  # OpenInference
    "llm.input_messages.N.message.contents.0.message_content.text",
    "gen_ai.prompt.N.content",  # Traceloop before 0.5
    "langfuse.observation.input",
    "langfuse.trace.input",
    "input.value",  # OpenInference
    "ai.prompt.messages",  # Vercel AI SDK, inner spans
    "ai.prompt",  # … outer spans
    "agentmark.request.input",
    "agentmark.input",
    "gen_ai.request.input",
    "gen_ai.prompt",
    "pydantic_ai.all_messages",
    "all_messages_events",
    "lmnr.span.input",
    "traceloop.entity.input",
    "braintrust.input_json",
    "braintrust.input",
    "mlflow.spanInputs",
    "agentops.entity.input",
    "gcp.vertex.agent.llm_request",
    "request_data",  # Logfire
    "user_prompt",  # Claude Code
    Event("gen_ai.user.message", "content"),  # Strands, older OpenTelemetry
    Event("gen_ai.content.prompt", "gen_ai.prompt"),  # OpenLIT
    Event("gen_ai.client.inference.operation.details", "gen_ai.input.messages"),
]
TOOL_INPUT: list[Entry] = [
    "gen_ai.tool.call.arguments",
    "ai.toolCall.args",
    "tool.parameters",
    "gcp.vertex.agent.tool_call_args",
    "tool_arguments",
    "gen_ai.tool.input",
    Event("gen_ai.tool.message", "content"),
    Event("claude_code.tool_result", "tool_input"),
    Event("claude_code.tool_result", "tool_parameters"),
    Event("codex.tool_result", "arguments"),
    Event("gemini_cli.tool_call", "function_args"),
]
"""What a tool was given: an input to show, but no turn of a user."""

OUTPUT: list[Entry] = [
    "gen_ai.output.messages",
    "llm.output_messages.N.message.content",
    "llm.output_messages.N.message.contents.0.message_content.text",
    "gen_ai.completion.N.content",
    "langfuse.observation.output",
    "langfuse.trace.output",
    "output.value",
    *[f"ai.{part}.{name}" for part in ("response", "result") for name in ("text", "object", "toolCalls")],
    "agentmark.response.output",
    "agentmark.output",
    "gen_ai.response.output",
    "gen_ai.completion",
    "final_result",
    "lmnr.span.output",
    "traceloop.entity.output",
    "braintrust.output_json",
    "braintrust.output",
    "mlflow.spanOutputs",
    "agentops.entity.output",
    "gcp.vertex.agent.llm_response",
    "response_data",
    "gen_ai.tool.call.result",
    "ai.toolCall.result",
    "tool.result",
    "gcp.vertex.agent.tool_response",
    "tool_response",
    "gen_ai.tool.output",
    Event("gen_ai.choice", "message"),
    Event("gen_ai.choice", "content"),
    Event("gen_ai.content.completion", "gen_ai.completion"),
    Event("gen_ai.client.inference.operation.details", "gen_ai.output.messages"),
    Event("gemini_cli.api_response", "response_text"),
    Event("codex.tool_result", "output"),
]

TAGS: list[Entry] = [
    "agentmark.tags",  # JSON
    "langfuse.trace.tags",
    "tag.tags",  # OpenInference
    "ai.telemetry.metadata.tags",
    "lmnr.association.properties.tags",
    "langsmith.span.tags",  # separated by commas
    "logfire.tags",
    "agentops.tags",
    "braintrust.tags",  # JSON
    "latitude.tags",  # JSON
    "langfuse.tags",
    "tags",  # Strands
]
"""Lists, JSON arrays in texts, or texts separated by commas."""

METADATA_PREFIXES = (
    "agentmark.metadata.",
    "ai.telemetry.metadata.",
    "ai.settings.context.",
    "ai.settings.runtimeContext.",
    "langfuse.trace.metadata.",
    "langfuse.observation.metadata.",
    "langsmith.metadata.",
    "lmnr.association.properties.metadata.",
    "traceloop.association.properties.",
)
"""What stands behind one of these is a metadata key."""

METADATA: list[Entry] = ["metadata", "langfuse.trace.metadata", "langfuse.observation.metadata", "braintrust.metadata", "latitude.metadata"]
"""JSON objects of metadata. What serves as session, session name, prompt name, user or tag is not told again as metadata."""

ENDED: list[Entry] = ["session.end"]
"""True on a span: the session ends with it."""


class Record(NamedTuple):
    """What log records of one event tell."""

    kind: str = "span"
    """llm or tool: the record tells a call. One of a model needs usage; without it, it tells none."""
    flag: str = ""
    """A bit of `schema.FLAGS`: prompt, session_start, session_end or error."""
    only: Mapping[str, tuple[str, ...]] = {}
    """Attribute → values: if there are any, one must be there."""
    beside: tuple[str, ...] = ()
    """Parts that the figures leave out: `cached` of the input, `thoughts` of the output."""


_COMPLETED = ("response.completed",)

RECORDS: dict[str, Record] = {
    "gemini_cli.api_response": Record("llm", beside=("thoughts",)),
    "claude_code.api_request": Record("llm", beside=("cached",)),
    "codex.sse_event": Record("llm", only={"event.kind": _COMPLETED, "kind": _COMPLETED}),
    "gemini_cli.tool_call": Record("tool"),
    "claude_code.tool_result": Record("tool"),
    "codex.tool_result": Record("tool"),
    **{f"{agent}.user_prompt": Record(flag="prompt") for agent in ("claude_code", "codex", "gemini_cli")},
    **{f"{agent}.api_error": Record(flag="error") for agent in ("claude_code", "gemini_cli")},  # they carry no other sign of it
    "session.start": Record(flag="session_start"),
    "session.end": Record(flag="session_end"),
}
"""By event name: the attribute `event.name`, else the record's EventName."""

EVENT_PREFIXES = {"com.anthropic.claude_code": "claude_code."}
"""Scopes that begin so leave the prefix out of the names of their events."""
GENERIC_CALLS = "gen_ai."
"""Events whose names begin so tell a call of a model, unless their operation is another one. Gemini CLI has them beside its own."""

_COLUMNS: dict[str, list[Entry]] = {
    "session_name": SESSION_NAME,
    "prompt_name": PROMPT_NAME,
    "user": USER,
    "model": MODEL,
    "provider": PROVIDER,
    "tool": TOOL,
    "tool_entity": TOOL_ENTITY,
    "response": RESPONSE,
    "response_inside": RESPONSE_INSIDE,
    "input_tokens": INPUT_TOKENS,
    "output_tokens": OUTPUT_TOKENS,
    "total_tokens": TOTAL_TOKENS,
    "cache_read": CACHE_READ,
    "cache_write": CACHE_WRITE,
    "reasoning": REASONING,
    "cost": COST,
    "input_cost": INPUT_COST,
    "output_cost": OUTPUT_COST,
    "error": ERROR,
    "ended": ENDED,
    "record_user": RECORD_USER,
    "never_model": NEVER_MODEL,
    "output": OUTPUT,
    "tags": TAGS,
    "metadata": METADATA,
}


def id_class(key: str) -> int:
    """The rank of a session id by the key that gave it: 0 for a session, 1 for a conversation, thread or group."""
    last = key.rsplit(".", 1)[-1]
    return 0 if last in ("session_id", "sessionId", "session") or key == "session.id" or key.endswith(".session.id") else 1


def lift_plan(
    id_attributes: Sequence[str] | None = None,
    project: Mapping[str, str] | None = None,
    id_max_length: int = 256,
    max_future_skew: int = 600_000_000_000,
) -> str:
    """The plan as JSON, for `_native.Lane(lift=...)`.

    `id_attributes` replaces SESSION_ID. `project` is {"attribute": resource attribute} or {"value": constant}. `max_future_skew` in ns:
    times further ahead of arrival are flagged.
    """
    ids: list[Entry] = list(SESSION_ID if id_attributes is None else id_attributes)
    ids = [entry for entry in ids if entry not in NEVER_SESSION]
    columns: dict[str, list[dict[str, object]]] = {
        "session": [_entry(entry) | {"class": id_class(entry if isinstance(entry, str) else entry[1])} for entry in ids],
        "kind": [{"key": key, "values": values} for key, values in KIND],
        "input": [*(_entry(entry) | {"user": True} for entry in USER_INPUT), *(_entry(entry) | {"user": False} for entry in TOOL_INPUT)],
        **{column: [_entry(entry) for entry in entries] for column, entries in _COLUMNS.items()},
    }
    plan = {
        "id_max_length": id_max_length,
        "max_future_skew": max_future_skew,
        "project": project or {"attribute": "service.namespace"},
        "columns": columns,
        "records": {event: record._asdict() for event, record in RECORDS.items()},
        "event_prefixes": EVENT_PREFIXES,
        "generic_calls": GENERIC_CALLS,
        "resource_session": ["session.id"] if "session.id" in ids else [],
        **{name.lower(): list(texts) for name, texts in _texts()},
    }
    return json.dumps(plan)


def _entry(entry: Entry) -> dict[str, object]:
    match entry:
        case Inside(key, name):
            return {"key": key, "path": name}
        case Event(event, key):
            return {"key": key, "event": event}
        case key:
            return {"key": key}


def _texts() -> Iterator[tuple[str, Iterable[str]]]:
    yield "placeholders", PLACEHOLDERS
    yield "quoted", QUOTED
    yield "never_model", NEVER_MODEL_VALUES
    yield "agent_names", AGENT_NAMES
    yield "metadata_prefixes", METADATA_PREFIXES
    yield "never_session", NEVER_SESSION
    yield "generic_parts", GENERIC_PARTS
    yield "generic_last", GENERIC_LAST
