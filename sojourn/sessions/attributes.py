"""Which attribute keys mean what: one table for all the frameworks in the world.

Each list is ordered: the first valid value on a span wins. An entry is a key, or `inside(key, names)` for values that are JSON objects in
texts. `N` between dots stands for any number. What a value must look like to be valid is said in `PLACEHOLDERS` and in the native core
(`native/src/lift/clean.rs`). What makes a kind of a span stands in `kinds`, what log records tell in `log_events`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Inside(NamedTuple):
    """A member of the JSON object that is the value of an attribute. Names of nested members are joined by dots; `*` sums all numbers."""

    key: str
    name: str


class Event(NamedTuple):
    """An attribute of the span's events of one name, or of log records that tell such an event (or a member of their body)."""

    event: str
    key: str


class Beside(NamedTuple):
    """The same as Inside, of cached tokens that the input leaves out, whatever total is told beside them."""

    key: str
    name: str


class Timed(NamedTuple):
    """Where a length of time is told, and in which unit."""

    entry: str | Event
    """An Event without a key is told by the time at which it happens."""
    unit: str
    """s, ms, ns; `moment` for a time in ISO 8601, from which the start of the span is taken."""
    scopes: Mapping[str, str] = {}
    """How the names of scopes begin that use another unit."""


class Score(NamedTuple):
    """Where the name and the value of a score stand."""

    name: str | Event
    value: str | Event


Entry = str | Inside | Event | Beside


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
    *inside("braintrust.metrics", "prompt_tokens"),
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
    *inside("braintrust.metrics", "completion_tokens"),
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
    *inside("braintrust.metrics", "tokens"),
    "codex.usage.total_tokens",
    "total_token_count",
]

_PROVIDER_CACHE: dict[str, list[Entry]] = {
    # Of Anthropic and Bedrock the AI SDK passed input tokens on as they came, without the cached ones, until v6 told the parts of them.
    "read": [
        Beside("ai.response.providerMetadata", "anthropic.cacheReadInputTokens"),
        Beside("ai.response.providerMetadata", "anthropic.usage.cache_read_input_tokens"),
        Beside("ai.response.providerMetadata", "bedrock.usage.cacheReadInputTokens"),
    ],
    "written": [
        Beside("ai.response.providerMetadata", "anthropic.cacheCreationInputTokens"),
        Beside("ai.response.providerMetadata", "anthropic.usage.cache_creation_input_tokens"),
        Beside("ai.response.providerMetadata", "bedrock.usage.cacheWriteInputTokens"),
    ],
}

CACHE_READ: list[Entry] = [
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.token_count.prompt_details.cache_input",
    "gen_ai.usage.prompt_tokens_details.cached_tokens",
    *inside("gen_ai.usage.prompt_tokens_details", "cached_tokens"),
    *inside("gen_ai.usage.input_token_details", "cache_read"),  # LangSmith
    "ai.usage.inputTokenDetails.cacheReadTokens",  # Vercel AI SDK v6
    *_PROVIDER_CACHE["read"],  # v4, v5
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
    *inside("ai.response.providerMetadata", "openai.cachedPromptTokens"),
    *inside("braintrust.metrics", "prompt_cached_tokens"),
    *inside("gcp.vertex.agent.llm_response", "usage_metadata.cached_content_token_count"),  # Google ADK before 2.13
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
    *_PROVIDER_CACHE["written"],
    "gen_ai.usage.details.cache_write_tokens",
    *inside("langfuse.observation.usage_details", "cache_creation_input_tokens", "input_cache_creation"),
    *inside("langsmith.usage_metadata", "input_token_details.cache_creation"),
    *inside("braintrust.metrics", "prompt_cache_creation_tokens"),
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
    *inside("braintrust.metrics", "completion_reasoning_tokens"),
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

FIRST_TOKEN: list[Timed] = [
    Timed("gen_ai.response.time_to_first_chunk", "s"),  # OpenTelemetry
    Timed("gen_ai.client.operation.time_to_first_chunk", "s"),  # Pydantic AI, AI SDK v7
    Timed("ai.response.msToFirstChunk", "ms"),  # Vercel AI SDK
    Timed("ai.stream.msToFirstChunk", "ms"),
    Timed("ttft_ms", "ms"),  # Claude Code
    Timed("gen_ai.streaming.time_to_first_token", "s"),  # AgentOps
    Timed("gen_ai.server.time_to_first_token", "s", {"strands": "ms"}),  # OpenLIT; Strands
    Timed("gen_ai.response.time_to_first_token", "ns"),  # Alibaba loongsuite
    Timed("langfuse.observation.completion_start_time", "moment"),
    *(
        Timed(Event(event, ""), "ns")
        for event in (
            "ai.stream.firstChunk",
            "First Token Stream Event",  # OpenInference
            "llm.content.completion.chunk",  # Traceloop
            "gen_ai.content.completion.chunk",
        )
    ),
]
"""From the start of a call to its first token. A time that is longer than its span is none."""

SCORES: list[Score] = [
    *(
        Score(f"{whole}{some}s.N.{some}.name", f"{whole}{some}s.N.{some}.score")  # OpenInference
        for some in ("annotation", "evaluation")
        for whole in ("", "trace.", "session.")
    ),
    Score(*(Event("gen_ai.evaluation.result", f"gen_ai.evaluation.{part}") for part in ("name", "score.value"))),  # OpenTelemetry
]
"""Judgements with a number. What a span tells in one of these ways and again in a later one counts once."""

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
