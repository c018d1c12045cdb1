"""What happened, told in the words of many frameworks: the truth first, then the telling, so that totals are known without any rule.

A `Call` is what a model really did. A `Framework` says which attributes its spans carry. `Conversation` plays calls and tools through one
framework with some of the habits that make totals wrong elsewhere: sums on agents, outer spans, second instrumentations, refusals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

SECOND = 10**9
Attributes = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """Cached tokens are part of the input, reasoning of the output."""

    model: str
    input: int
    output: int
    read: int = 0
    write: int = 0
    reasoning: int = 0
    response: str = ""


def total(calls: list[Call]) -> Call:
    """What an agent adds up."""
    sums = {name: sum(getattr(call, name) for call in calls) for name in ("input", "output", "read", "write", "reasoning")}
    return Call(calls[0].model if calls else "", **sums)


@dataclass(frozen=True)
class Framework:
    scope: str
    call: Callable[[Call], Attributes]
    agent: Callable[[Call], Attributes]
    """What stands on the span above, given the sum of the calls."""
    tool: Attributes
    session: tuple[str, ...]
    """Keys in which it names the session."""
    knows: frozenset[str] = frozenset({"read", "write", "reasoning"})
    """Which parts of a call it tells."""
    outer: Callable[[Call], Attributes] | None = None
    """It tells each call on an outer span too."""

    def known(self, call: Call) -> Call:
        return replace(call, **{name: 0 for name in ("read", "write", "reasoning") if name not in self.knows})


def _semconv(call: Call) -> Attributes:
    return {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": call.model, "gen_ai.usage.input_tokens": call.input,
        "gen_ai.usage.output_tokens": call.output, "gen_ai.usage.cache_read.input_tokens": call.read,
        "gen_ai.usage.cache_creation.input_tokens": call.write,
        "gen_ai.usage.reasoning.output_tokens": call.reasoning,
    } | ({"gen_ai.response.id": call.response} if call.response else {})  # fmt: skip


def _agent(call: Call) -> Attributes:
    kept = {key: value for key, value in _semconv(call).items() if key.startswith("gen_ai.usage.")}
    return kept | {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner", "gen_ai.request.model": "gpt-4o"}


def _openinference(call: Call) -> Attributes:
    return {
        "openinference.span.kind": "LLM", "llm.model_name": call.model, "llm.provider": "openai",
        "llm.token_count.prompt": call.input, "llm.token_count.completion": call.output, "llm.token_count.total": call.input + call.output,
        "llm.token_count.prompt_details.cache_read": call.read, "llm.token_count.prompt_details.cache_write": call.write,
        "llm.token_count.completion_details.reasoning": call.reasoning,
    }  # fmt: skip


def _traceloop(call: Call) -> Attributes:
    return {
        "llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": call.model,
        "gen_ai.usage.prompt_tokens": call.input, "gen_ai.usage.completion_tokens": call.output,
        "llm.usage.total_tokens": call.input + call.output, "gen_ai.usage.cache_read_input_tokens": call.read,
        "gen_ai.usage.cache_creation_input_tokens": call.write, "llm.usage.reasoning_tokens": call.reasoning,
    } | ({"gen_ai.response.id": call.response} if call.response else {})  # fmt: skip


def _langfuse(call: Call) -> Attributes:
    """Its input leaves the cache out, and its total holds everything."""
    usage = {
        "input": call.input - call.read - call.write, "output": call.output, "total": call.input + call.output,
        "cache_read_input_tokens": call.read, "cache_creation_input_tokens": call.write,
    }  # fmt: skip
    told = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": call.model}
    return told | {"langfuse.observation.usage_details": json.dumps(usage)}


def _ai_sdk_inner(call: Call) -> Attributes:
    return {
        "ai.operationId": "ai.streamText.doStream", "operation.name": "ai.streamText.doStream planner", "ai.model.id": "gpt-4o",
        "ai.model.provider": "openai.chat", "ai.response.model": call.model, "ai.usage.inputTokens": call.input,
        "ai.usage.outputTokens": call.output, "ai.usage.totalTokens": call.input + call.output, "ai.usage.cachedInputTokens": call.read,
        "ai.usage.inputTokenDetails.cacheReadTokens": call.read, "ai.usage.inputTokenDetails.cacheWriteTokens": call.write,
        "ai.usage.reasoningTokens": call.reasoning, "gen_ai.system": "openai.chat", "gen_ai.usage.input_tokens": call.input,
        "gen_ai.usage.output_tokens": call.output,
    }  # fmt: skip


def _ai_sdk_outer(call: Call) -> Attributes:
    return {
        "ai.operationId": "ai.streamText", "operation.name": "ai.streamText planner", "ai.model.id": "gpt-4o",
        "ai.usage.promptTokens": call.input, "ai.usage.completionTokens": call.output, "ai.usage.totalTokens": call.input + call.output,
    }  # fmt: skip


def _mlflow(call: Call) -> Attributes:
    usage = {"input_tokens": call.input, "output_tokens": call.output, "total_tokens": call.input + call.output}
    return {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.chat.tokenUsage": json.dumps(usage), "gen_ai.response.model": call.model}


def _langsmith(call: Call) -> Attributes:
    return {
        "langsmith.span.kind": "llm", "langsmith.metadata.ls_provider": "openai", "langsmith.metadata.ls_model_name": call.model,
        "gen_ai.usage.input_tokens": call.input, "gen_ai.usage.output_tokens": call.output,
        "gen_ai.usage.total_tokens": call.input + call.output,
        "gen_ai.usage.input_token_details": json.dumps({"cache_read": call.read, "cache_creation": call.write}),
        "gen_ai.usage.output_token_details": json.dumps({"reasoning": call.reasoning}),
    }  # fmt: skip


def _claude_code(call: Call) -> Attributes:
    return {
        "span.type": "llm_request", "model": call.model, "gen_ai.system": "anthropic", "input_tokens": call.input - call.read - call.write,
        "output_tokens": call.output, "cache_read_tokens": call.read, "cache_creation_tokens": call.write, "request_id": call.response,
    }  # fmt: skip


def _texts(told: Callable[[Call], Attributes]) -> Callable[[Call], Attributes]:
    """Micrometer and others write numbers as texts."""
    return lambda call: {key: str(value) for key, value in told(call).items()}


def _with(told: Callable[[Call], Attributes], **more: Any) -> Callable[[Call], Attributes]:
    return lambda call: {key: value for key, value in told(call).items() if not key.startswith("gen_ai.operation")} | more


_TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
_ALL = frozenset({"read", "write", "reasoning"})

FRAMEWORKS: Mapping[str, Framework] = {
    "semantic conventions": Framework(
        "opentelemetry.instrumentation.openai_v2", _semconv, _agent, _TOOL, ("session.id", "gen_ai.conversation.id")
    ),
    "numbers as texts": Framework("org.springframework.ai", _texts(_semconv), _texts(_agent), _TOOL, ("gen_ai.conversation.id",)),
    "openinference": Framework(
        "openinference.instrumentation.langchain", _openinference,
        lambda call: _openinference(call) | {"openinference.span.kind": "AGENT"},
        {"openinference.span.kind": "TOOL", "tool.name": "search"}, ("session.id",),
    ),
    "openinference chain": Framework(
        "openinference.instrumentation.crewai", _openinference,
        lambda call: {"openinference.span.kind": "CHAIN", "llm.token_count.total": call.input + call.output},
        {"openinference.span.kind": "TOOL", "tool.name": "search"}, ("session.id",),
    ),
    "traceloop": Framework(
        "opentelemetry.instrumentation.openai", _traceloop, lambda call: _with(_traceloop)(call) | {"traceloop.span.kind": "agent"},
        {"traceloop.span.kind": "tool", "traceloop.entity.name": "search"},
        ("traceloop.association.properties.session_id", "traceloop.association.properties.thread_id"),
    ),
    "langfuse": Framework(
        "langfuse-sdk", _langfuse, lambda call: _langfuse(call) | {"langfuse.observation.type": "agent"},
        {"langfuse.observation.type": "tool"}, ("session.id", "langfuse.session.id"), frozenset({"read", "write"}),
    ),
    "ai sdk": Framework(
        "ai", _ai_sdk_inner, _ai_sdk_outer, {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "search"},
        ("ai.telemetry.metadata.sessionId", "ai.telemetry.metadata.session_id"),
    ),
    "ai sdk with outer spans": Framework(
        "ai", _ai_sdk_inner, lambda _: {}, {"operation.name": "ai.toolCall planner", "ai.toolCall.name": "search"},
        ("ai.telemetry.metadata.conversationId",), outer=_ai_sdk_outer,
    ),
    "mlflow": Framework(
        "mlflow", _mlflow, lambda call: _mlflow(call) | {"mlflow.spanType": '"AGENT"'}, {"mlflow.spanType": '"TOOL"'},
        ("mlflow.trace.session",), frozenset(),
    ),
    "langsmith": Framework(
        "langsmith", _langsmith, lambda call: _langsmith(call) | {"langsmith.span.kind": "chain"}, {"langsmith.span.kind": "tool"},
        ("langsmith.metadata.session_id", "langsmith.metadata.thread_id"),
    ),
    "claude code": Framework(
        "com.anthropic.claude_code.tracing", _claude_code, lambda _: {"span.type": "interaction"},
        {"span.type": "tool", "tool_name": "search"}, ("session.id",), frozenset({"read", "write"}),
    ),
    "google adk": Framework(
        "gcp.vertex.agent", _with(_semconv, **{"gen_ai.operation.name": "generate_content", "gen_ai.system": "gemini"}), _agent, _TOOL,
        ("gen_ai.conversation.id", "gcp.vertex.agent.session_id"),
        outer=lambda call: {"gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": call.model,
                            "gen_ai.usage.input_tokens": call.input, "gen_ai.usage.output_tokens": call.output},
    ),
    "strands": Framework(
        "strands.telemetry.tracer",
        lambda call: _semconv(call) | {"gen_ai.system": "strands-agents", "gen_ai.usage.prompt_tokens": call.input,
                                       "gen_ai.usage.completion_tokens": call.output,
                                       "gen_ai.usage.total_tokens": call.input + call.output},
        lambda call: _agent(replace(call, input=call.input * 3, output=call.output * 3)), _TOOL, ("session.id",),
    ),
    "laminar": Framework(
        "lmnr", _with(_semconv, **{"lmnr.span.type": "LLM"}), lambda call: _agent(call) | {"lmnr.span.type": "DEFAULT"},
        {"lmnr.span.type": "TOOL"}, ("lmnr.association.properties.session_id",),
    ),
    "nobody has heard of it": Framework(
        "tomorrow", _semconv, lambda call: _agent(call) | {"gen_ai.operation.name": "invoke_workflow"}, _TOOL,
        ("tomorrow.run.metadata.sessionId", "acme.context.session_id"),
    ),
}  # fmt: skip


@dataclass
class Told:
    """One span to be sent; `below` is its place in the list."""

    name: str
    below: int | None
    start: int
    end: int
    scope: str
    attributes: Attributes
    failed: bool = False


@dataclass
class Turn:
    """One trace."""

    spans: list[Told] = field(default_factory=list)

    def add(self, *said: Any, **more: Any) -> int:
        self.spans.append(Told(*said, **more))
        return len(self.spans) - 1


class Conversation:
    """A session: what was sent, and what its totals really are."""

    def __init__(self, session: str, random: Random, start: int) -> None:
        self.session, self._random = session, random
        self.name = random.choice(sorted(FRAMEWORKS))
        self.framework = FRAMEWORKS[self.name]
        self.truth = dict.fromkeys(
            (
                "Traces",
                "Errors",
                "LlmCalls",
                "ToolCalls",
                "InputTokens",
                "OutputTokens",
                "CacheReadTokens",
                "CacheWriteTokens",
                "ReasoningTokens",
            ),
            0,
        )
        self.habits: list[str] = []
        self.turns = [self._turn(start + number * 120 * SECOND) for number in range(random.randint(1, 3))]

    def _turn(self, start: int) -> Turn:
        turn, random = Turn(), self._random
        calls = [self._call() for _ in range(random.randint(1, 4))]
        root = turn.add("ask", None, start, start + 100 * SECOND, "app", {})
        top = turn.add("agent", root, start + SECOND, start + 99 * SECOND, self.framework.scope, self.framework.agent(total(calls)))
        for number, call in enumerate(calls):
            self._tell(turn, top, call, start + (2 + 20 * number) * SECOND)
        self._name_session(turn)
        self.truth["Traces"] += 1
        return turn

    def _call(self) -> Call:
        random = self._random
        read, write = random.choice(((0, 0), (0, 0), (700, 0), (0, 90), (700, 90)))
        reasoning = random.choice((0, 0, 40))
        input, output = read + write + random.randint(1, 2000), reasoning + random.randint(1, 300)
        response = random.choice(("", f"resp-{random.getrandbits(40):x}"))
        call = self.framework.known(
            Call(random.choice(("gpt-4o-2024-08-06", "claude-sonnet-4-5")), input, output, read, write, reasoning, response)
        )
        for column, part in (
            ("InputTokens", call.input), ("OutputTokens", call.output), ("CacheReadTokens", call.read),
            ("CacheWriteTokens", call.write), ("ReasoningTokens", call.reasoning), ("LlmCalls", 1),
        ):  # fmt: skip
            self.truth[column] += part
        return call

    def _tell(self, turn: Turn, top: int, call: Call, start: int) -> None:
        """One call in its own way, and perhaps a second time; before it a refused one, behind it a tool, if it so happens."""
        random, framework = self._random, self.framework
        if random.random() < 0.15:
            self._refused(turn, top, start)
        above = top
        if framework.outer:
            above = turn.add("outer", top, start + 2 * SECOND, start + 10 * SECOND, framework.scope, framework.outer(call))
        said = framework.call(call)
        habit = random.choice(("plain", "plain", "sdk below", "sdk beside", "framework above"))
        if habit == "framework above":
            above = turn.add("around", above, start + 2 * SECOND, start + 9 * SECOND, "another framework", _bare(call))
        at = turn.add("call", above, start + 3 * SECOND, start + 8 * SECOND, framework.scope, said)
        if habit == "sdk below":
            turn.add("POST", at, start + 4 * SECOND, start + 7 * SECOND, "com.openai.sdk", _bare(call))
        elif habit == "sdk beside":
            turn.add("POST", above, start + 4 * SECOND, start + 7 * SECOND, "com.openai.sdk", _bare(call))
        self.habits.append(habit)
        if random.random() < 0.4:
            turn.add("tool", top, start + 11 * SECOND, start + 12 * SECOND, framework.scope, framework.tool)
            self.truth["ToolCalls"] += 1

    def _refused(self, turn: Turn, top: int, start: int) -> None:
        said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "error.type": "RateLimitError"}
        turn.add("call", top, start, start + SECOND, "opentelemetry.instrumentation.openai_v2", said, failed=True)
        self.truth["LlmCalls"] += 1
        self.truth["Errors"] += 1
        self.habits.append("refused")

    def _name_session(self, turn: Turn) -> None:
        """On one span, on some, or on all; sometimes with what is no id beside it."""
        random, spans = self._random, turn.spans
        where = random.choice(("root", "one", "all", "last"))
        chosen = {"root": spans[:1], "one": [random.choice(spans)], "all": spans, "last": spans[-1:]}[where]
        for told in chosen:
            told.attributes = told.attributes | {random.choice(self.framework.session): self.session}
        for told in random.sample(spans, len(spans) // 2):
            told.attributes = {
                "langsmith.trace.session_id": "a project",
                "mcp.session.id": "a transport",
                "session.id": "null",
            } | told.attributes
        self.habits.append(f"id on {where}")


def _bare(call: Call) -> Attributes:
    """Another instrumentation of the same call: it knows less."""
    told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": call.model, "gen_ai.system": "openai"}
    told |= {"gen_ai.usage.input_tokens": call.input, "gen_ai.usage.output_tokens": call.output}
    return told | ({"gen_ai.response.id": call.response} if call.response else {})
