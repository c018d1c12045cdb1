"""Which words of which keys make a kind of a span (`schema.KINDS`): data, not code."""

from __future__ import annotations

from collections.abc import Mapping

_COMMON_KINDS = {
    **dict.fromkeys(("llm", "generation", "chat", "completion", "chat_model", "model", "llm_request"), "llm"),
    **dict.fromkeys(("embedding", "embeddings", "embed"), "embedding"),
    **dict.fromkeys(("reranker", "rerank"), "rerank"),
    **dict.fromkeys(("tool", "tool_call", "execute_tool"), "tool"),
    **dict.fromkeys(("agent", "invoke_agent", "create_agent"), "agent"),
    **dict.fromkeys(("chain", "workflow", "task", "operation", "session", "invoke_workflow", "interaction", "parser"), "chain"),
    **dict.fromkeys(("retriever", "retrieval"), "retriever"),
    **dict.fromkeys(("guardrail", "evaluator", "prompt"), None),
}
_KINDS = {value: kind or value for value, kind in _COMMON_KINDS.items()}

_CLAUDE_CODE = {**_KINDS, **dict.fromkeys(("tool.execution", "tool.blocked_on_user", "hook"), "span")}
"""A call of a tool is one span `tool`; below it stand the waiting for a person's permission and the work itself."""

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
    ("span.type", _CLAUDE_CODE | {f"claude_code.{value}": kind for value, kind in _CLAUDE_CODE.items()}),
    ("ai.operationId", _AI_SDK_OPERATIONS),
    ("operation.name", _AI_SDK_OPERATIONS),
    ("llm.request.type", _OPERATIONS),  # Traceloop
]
"""Which values of which keys name a kind (`schema.KINDS`), in any case; the first key that names one wins."""

NEVER_MODEL = ("gen_ai.operation.name",)
NEVER_MODEL_VALUES = ("invoke_agent", "invoke_workflow", "create_agent")
AGENT_NAMES = ("agent_step",)
"""Spans of these operations and names are no model calls, whatever else they say and whatever usage they carry: it is their children's."""
