"""One call of each framework as it is really told: every family of attribute keys reaches the columns that people query."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sojourn.testing import Collector, Span, at, run, span

PROMPT, ANSWER = "where is my parcel", "in Hamburg"
MESSAGES = json.dumps([{"role": "user", "content": PROMPT}])
OTHERS = {"thread": "t-1", "n": 7}
FAMILIES = ("Kind", "Model", "Provider", "Tool", "UserId", "InputTokens", "OutputTokens", "CacheReadTokens", "CacheWriteTokens")
FAMILIES += ("ReasoningTokens", "Cost", "CostSource", "Input", "Output", "TimeToFirstTokenNs")
MS = 1_000_000

CALL: dict[str, Any] = {"Kind": "llm", "Model": "gpt-4o", "Provider": "openai", "InputTokens": 120, "OutputTokens": 30}
SEMANTIC = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.operation.name": "chat"}
TOKENS = {"gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 30}
ADK_ANSWER = json.dumps({"content": ANSWER, "usage_metadata": {"cached_content_token_count": 100, "prompt_token_count": 120}})

# framework → (attributes of one span, what its session shall say, what the span shall say; events, scope)
TOLD: dict[str, dict[str, Any]] = {
    "opentelemetry": {
        "attributes": SEMANTIC
        | TOKENS
        | {
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.conversation.id": "opentelemetry",
            "gen_ai.conversation.name": "Parcels",
            "user.id": "jane",
            "gen_ai.usage.cache_read.input_tokens": 100,
            "gen_ai.usage.cache_creation.input_tokens": 10,
            "gen_ai.usage.reasoning.output_tokens": 20,
            "gen_ai.input.messages": MESSAGES,
            "gen_ai.output.messages": json.dumps([ANSWER]),
            "gen_ai.response.time_to_first_chunk": 0.25,
        },
        "events": [("gen_ai.evaluation.result", 0, {"gen_ai.evaluation.name": "polite", "gen_ai.evaluation.score.value": 0.5})],
        "session": {"Name": "Parcels", "UserId": "jane", "Scores": {"polite": (1, "0.5")}},
        "span": CALL
        | {"Model": "gpt-4o-2024-08-06", "CacheReadTokens": 100, "CacheWriteTokens": 10, "ReasoningTokens": 20}
        | {"CostSource": "computed", "Input": MESSAGES, "Output": json.dumps([ANSWER]), "TimeToFirstTokenNs": 250 * MS},
    },
    "agentmark": {
        "attributes": SEMANTIC
        | {
            "agentmark.session_id": "agentmark",
            "agentmark.session_name": "Parcels",
            "agentmark.user_id": "jane",
            "agentmark.span.kind": "llm",
            "agentmark.tags": '["beta","shop"]',
            "agentmark.metadata.thread": "t-1",
            "agentmark.metadata.n": "7",
            "agentmark.usage.cost_usd": 0.0125,
            "gen_ai.usage.input_tokens": "120",
            "gen_ai.usage.output_tokens": '{"intValue": "30"}',
            "agentmark.request.input": PROMPT,
            "agentmark.response.output": ANSWER,
        },
        "session": {"Name": "Parcels", "UserId": "jane", "Tags": ["beta", "shop"], "Metadata": {"n": "7", "thread": "t-1"}},
        "span": CALL | {"Cost": "0.0125", "CostSource": "reported", "Input": PROMPT, "Output": ANSWER},
    },
    "openinference": {
        "attributes": {
            "openinference.span.kind": "LLM",
            "session.id": "openinference",
            "user.id": "jane",
            "metadata": json.dumps(OTHERS),
            "tag.tags": ["shop", "beta"],
            "llm.model_name": "gpt-4o",
            "llm.provider": "openai",
            "llm.token_count.prompt": 120,
            "llm.token_count.completion": 30,
            "llm.token_count.prompt_details.cache_read": 100,
            "llm.token_count.prompt_details.cache_write": 10,
            "llm.token_count.completion_details.reasoning": 20,
            "llm.cost.total": 0.5,
            "input.value": PROMPT,
            "output.value": ANSWER,
            "annotations.0.annotation.name": "polite",
            "annotations.0.annotation.score": 1,
            "annotations.1.annotation.name": "polite",
            "annotations.1.annotation.score": 0.25,
            "evaluations.0.evaluation.name": "polite",
            "evaluations.0.evaluation.score": 1,
            "session.evaluations.0.evaluation.name": "solved",
            "session.evaluations.0.evaluation.score": -3,
            "annotations.2.annotation.name": "only a label",
            "annotations.2.annotation.label": "good",
        },
        "events": [("First Token Stream Event", 300 * MS, {}), ("First Token Stream Event", 200 * MS, {})],
        "session": {"UserId": "jane", "Tags": ["beta", "shop"], "Metadata": {"n": "7", "thread": "t-1"}}
        | {"Scores": {"polite": (2, "1.25"), "solved": (1, "-3")}},
        "span": CALL
        | {"CacheReadTokens": 100, "CacheWriteTokens": 10, "ReasoningTokens": 20, "Cost": "0.5", "CostSource": "reported"}
        | {"Input": PROMPT, "Output": ANSWER, "TimeToFirstTokenNs": 200 * MS},
    },
    "langfuse": {
        "attributes": {
            "langfuse.observation.type": "generation",
            "langfuse.session.id": "langfuse",
            "langfuse.user.id": "jane",
            "langfuse.trace.tags": ["beta"],
            "langfuse.trace.metadata.thread": '"t-1"',
            "langfuse.observation.metadata": json.dumps({"n": 7}),
            "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.usage_details": json.dumps(
                {"input": 120, "output": 30, "total": 150, "input_cached_tokens": 100, "output_reasoning_tokens": 20}
            ),
            "langfuse.observation.cost_details": json.dumps({"input": 0.25, "output": 0.5}),
            "langfuse.observation.input": PROMPT,
            "langfuse.observation.output": ANSWER,
            "langfuse.observation.completion_start_time": '"2026-01-05T09:00:00.125Z"',
            "langfuse.observation.prompt.name": "parcels",
        },
        "session": {"Name": "parcels", "UserId": "jane", "Tags": ["beta"], "Metadata": {"n": "7", "thread": "t-1"}},
        "span": CALL
        | {"CacheReadTokens": 100, "ReasoningTokens": 20, "Cost": "0.75", "CostSource": "reported"}
        | {"Input": PROMPT, "Output": ANSWER, "TimeToFirstTokenNs": 125 * MS},
    },
    "traceloop": {
        "attributes": {
            "traceloop.association.properties.session_id": "traceloop",
            "traceloop.association.properties.session_name": "Parcels",
            "traceloop.association.properties.user_id": "jane",
            "traceloop.association.properties.thread": "t-1",
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.prompt_tokens": 120,
            "gen_ai.usage.completion_tokens": 30,
            "gen_ai.usage.cache_read_input_tokens": 100,
            "gen_ai.usage.cache_creation_input_tokens": 10,
            "gen_ai.usage.reasoning_tokens": 20,
            "gen_ai.prompt.0.content": "be kind",
            "gen_ai.prompt.1.content": PROMPT,
            "gen_ai.completion.0.content": ANSWER,
        },
        "events": [("gen_ai.content.completion.chunk", 90 * MS, {})],
        "session": {"Name": "Parcels", "UserId": "jane", "Metadata": {"thread": "t-1"}},
        "span": CALL
        | {"CacheReadTokens": 100, "CacheWriteTokens": 10, "ReasoningTokens": 20, "Input": PROMPT, "Output": ANSWER}
        | {"TimeToFirstTokenNs": 90 * MS},
    },
    "openlit": {
        "attributes": SEMANTIC
        | TOKENS
        | {
            "gen_ai.conversation.id": "openlit",
            "gen_ai.request.user": "jane",
            "gen_ai.usage.cost": 0,
            "gen_ai.usage.prompt_tokens_details.cached_tokens": 100,
            "gen_ai.usage.completion_tokens_details.reasoning_tokens": 20,
            "gen_ai.server.time_to_first_token": 0.5,
        },
        "events": [
            ("gen_ai.content.prompt", 0, {"gen_ai.prompt": PROMPT}),
            ("gen_ai.content.completion", 0, {"gen_ai.completion": ANSWER}),
        ],
        "session": {"UserId": "jane"},
        "span": CALL
        | {"CacheReadTokens": 100, "ReasoningTokens": 20, "CostSource": "computed", "Input": PROMPT, "Output": ANSWER}
        | {"TimeToFirstTokenNs": 500 * MS},
    },
    "vercel-6": {
        "scope": "ai",
        "attributes": {
            "ai.operationId": "ai.streamText.doStream",
            "ai.telemetry.metadata.sessionId": "vercel-6",
            "ai.telemetry.metadata.sessionName": "Parcels",
            "ai.telemetry.metadata.userId": "jane",
            "ai.telemetry.metadata.tags": ["beta"],
            "ai.telemetry.metadata.thread": "t-1",
            "ai.model.id": "gpt-4o",
            "ai.model.provider": "openai.chat",
            "ai.usage.inputTokens": 120,
            "ai.usage.outputTokens": 30,
            "ai.usage.inputTokenDetails.cacheReadTokens": 100,
            "ai.usage.inputTokenDetails.cacheWriteTokens": 10,
            "ai.usage.outputTokenDetails.reasoningTokens": 20,
            "ai.prompt.messages": MESSAGES,
            "ai.response.text": ANSWER,
            "ai.response.msToFirstChunk": 33.5,
        },
        "session": {"Name": "Parcels", "UserId": "jane", "Tags": ["beta"], "Metadata": {"thread": "t-1"}},
        "span": CALL
        | {"CacheReadTokens": 100, "CacheWriteTokens": 10, "ReasoningTokens": 20, "Input": MESSAGES, "Output": ANSWER}
        | {"TimeToFirstTokenNs": 33_500_000},
    },
    "vercel-5-anthropic": {  # the input as Anthropic tells it: without the cached tokens, though a total agrees with it
        "scope": "ai",
        "attributes": {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.telemetry.metadata.session_id": "vercel-5-anthropic",
            "ai.model.id": "claude-sonnet-4-5",
            "ai.model.provider": "anthropic.messages",
            "ai.usage.inputTokens": 120,
            "ai.usage.outputTokens": 30,
            "ai.usage.totalTokens": 150,
            "ai.usage.cachedInputTokens": 100,
            "ai.response.providerMetadata": json.dumps({"anthropic": {"cacheCreationInputTokens": 10, "stopSequence": None}}),
        },
        "session": {},
        "span": CALL
        | {"Model": "claude-sonnet-4-5", "Provider": "anthropic", "InputTokens": 230, "CacheReadTokens": 100, "CacheWriteTokens": 10},
    },
    "vercel-6-anthropic": {  # v6 tells the parts of the input, which has them all; the provider's own figures are there as well
        "scope": "ai",
        "attributes": {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.telemetry.metadata.session_id": "vercel-6-anthropic",
            "ai.model.id": "claude-sonnet-4-5",
            "ai.model.provider": "anthropic.messages",
            "ai.usage.inputTokens": 230,
            "ai.usage.outputTokens": 30,
            "ai.usage.inputTokenDetails.cacheReadTokens": 100,
            "ai.response.providerMetadata": json.dumps({"anthropic": {"cacheCreationInputTokens": 10}}),
        },
        "session": {},
        "span": CALL
        | {"Model": "claude-sonnet-4-5", "Provider": "anthropic", "InputTokens": 230, "CacheReadTokens": 100, "CacheWriteTokens": 10},
    },
    "mastra": {
        "attributes": {
            "gen_ai.conversation.id": "mastra",
            "aisdk.model.id": "gpt-4o",
            "aisdk.model.provider": "openai",
            "stream.usage.inputTokens": 120,
            "stream.usage.outputTokens": 30,
        },
        "session": {},
        "span": CALL,
    },
    "langsmith": {
        "attributes": {
            "langsmith.span.kind": "llm",
            "langsmith.trace.session_id": "the project",
            "langsmith.metadata.thread_id": "langsmith",
            "langsmith.metadata.session_name": "Parcels",
            "langsmith.metadata.user_id": "jane",
            "langsmith.metadata.thread": "t-1",
            "langsmith.metadata.ls_model_name": "gpt-4o",
            "langsmith.metadata.ls_provider": "openai",
            "langsmith.span.tags": "shop, beta",
            "langsmith.usage_metadata": json.dumps(
                {
                    "input_tokens": 120,
                    "output_tokens": 30,
                    "input_token_details": {"cache_read": 100, "cache_creation": 10},
                    "output_token_details": {"reasoning": 20},
                }
            ),
            "gen_ai.prompt": PROMPT,
            "gen_ai.completion": ANSWER,
        },
        "session": {"Name": "Parcels", "UserId": "jane", "Tags": ["beta", "shop"]},
        "span": CALL | {"CacheReadTokens": 100, "CacheWriteTokens": 10, "ReasoningTokens": 20, "Input": PROMPT, "Output": ANSWER},
    },
    "pydantic-ai": {
        "attributes": SEMANTIC
        | TOKENS
        | {
            "gen_ai.conversation.id": "pydantic-ai",
            "metadata": json.dumps(OTHERS),
            "logfire.tags": ["beta"],
            "operation.cost": 0.25,
            "gen_ai.usage.details.cache_read_tokens": 100,
            "gen_ai.usage.details.cache_write_tokens": 10,
            "gen_ai.usage.details.reasoning_tokens": 20,
            "pydantic_ai.all_messages": MESSAGES,
            "final_result": ANSWER,
            "gen_ai.client.operation.time_to_first_chunk": 0.125,
        },
        "session": {"Tags": ["beta"], "Metadata": {"n": "7", "thread": "t-1"}},
        "span": CALL
        | {"CacheReadTokens": 100, "CacheWriteTokens": 10, "ReasoningTokens": 20, "Cost": "0.25", "CostSource": "reported"}
        | {"Input": MESSAGES, "Output": ANSWER, "TimeToFirstTokenNs": 125 * MS},
    },
    "logfire-openai-agents": {
        "attributes": {"group_id": "logfire-openai-agents", "request_data": PROMPT, "response_data": ANSWER},
        "session": {},
        "span": {"Kind": "span", "Input": PROMPT, "Output": ANSWER},
    },
    "google-adk-1": {
        "attributes": {
            "gcp.vertex.agent.session_id": "google-adk-1",
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gcp.vertex.agent.llm_request": PROMPT,
            "gcp.vertex.agent.llm_response": ADK_ANSWER,
        }
        | TOKENS,
        "session": {},
        "span": CALL
        | {"Model": "gemini-2.5-flash", "Provider": "gcp.gemini", "CacheReadTokens": 100, "Input": PROMPT, "Output": ADK_ANSWER},
    },
    "strands": {
        "scope": "strands.telemetry.tracer",
        "attributes": {
            "session.id": "strands",
            "user.id": "jane",
            "tags": ["beta"],
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "strands-agents",
            "gen_ai.request.model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "gen_ai.usage.prompt_tokens": 120,
            "gen_ai.usage.input_tokens": 120,
            "gen_ai.usage.completion_tokens": 30,
            "gen_ai.usage.total_tokens": 260,
            "gen_ai.usage.output_tokens": 30,
            "gen_ai.usage.cache_read_input_tokens": 100,
            "gen_ai.usage.cache_write_input_tokens": 10,
            "gen_ai.server.time_to_first_token": 500,
        },
        "events": [("gen_ai.user.message", 0, {"content": PROMPT}), ("gen_ai.choice", 0, {"message": ANSWER})],
        "session": {"UserId": "jane", "Tags": ["beta"]},
        "span": CALL
        | {"Model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "InputTokens": 230, "CacheReadTokens": 100, "CacheWriteTokens": 10}
        | {"Provider": "aws.bedrock", "Input": PROMPT, "Output": ANSWER, "TimeToFirstTokenNs": 500 * MS},
    },
    "laminar": {
        "attributes": SEMANTIC
        | TOKENS
        | {
            "lmnr.association.properties.session_id": "laminar",
            "lmnr.association.properties.user_id": "jane",
            "lmnr.association.properties.tags": ["beta"],
            "lmnr.association.properties.metadata.thread": "t-1",
            "lmnr.association.properties.metadata.sessionName": "Parcels",
            "lmnr.span.type": "LLM",
            "lmnr.span.input": PROMPT,
            "lmnr.span.output": ANSWER,
            "gen_ai.usage.input_cost": 0.25,
            "gen_ai.usage.output_cost": 0.5,
        },
        "session": {"Name": "Parcels", "UserId": "jane", "Tags": ["beta"], "Metadata": {"thread": "t-1"}},
        "span": CALL | {"Cost": "0.75", "CostSource": "reported", "Input": PROMPT, "Output": ANSWER},
    },
    "braintrust": {
        "attributes": SEMANTIC
        | {
            "braintrust.metrics": json.dumps(
                {"prompt_tokens": 120, "completion_tokens": 30, "tokens": 150}
                | {"prompt_cached_tokens": 100, "prompt_cache_creation_tokens": 10, "completion_reasoning_tokens": 20}
            ),
            "braintrust.metadata": json.dumps({"session_id": "braintrust", **OTHERS}),
            "braintrust.tags": '["beta"]',
            "braintrust.input_json": PROMPT,
            "braintrust.output_json": ANSWER,
        },
        "session": {"Tags": ["beta"], "Metadata": {"n": "7", "thread": "t-1"}},
        "span": CALL | {"CacheReadTokens": 100, "CacheWriteTokens": 10, "ReasoningTokens": 20, "Input": PROMPT, "Output": ANSWER},
    },
    "helicone": {
        "attributes": SEMANTIC
        | TOKENS
        | {
            "ai.request.headers.helicone-session-id": "helicone",
            "ai.request.headers.helicone-session-name": "Parcels",
            "ai.request.headers.helicone-user-id": "jane",
        },
        "session": {"Name": "Parcels", "UserId": "jane"},
        "span": CALL,
    },
    "weave": {
        "attributes": TOKENS
        | {
            "weave.conversation.id": "weave",
            "weave.conversation.name": "Parcels",
            "weave.span.kind": "llm",
            "gen_ai.request.model": "gpt-4o",
        },
        "session": {"Name": "Parcels"},
        "span": CALL,
    },
    "agentops": {
        "attributes": TOKENS
        | {
            "workflow.session_id": "agentops",
            "workflow.session_name": "Parcels",
            "workflow.user_id": "jane",
            "agentops.span.kind": "llm",
            "agentops.tags": ["beta"],
            "agentops.entity.input": PROMPT,
            "agentops.entity.output": ANSWER,
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.total_cost": "0.5",
            "gen_ai.streaming.time_to_first_token": 0.75,
        },
        "session": {"Name": "Parcels", "UserId": "jane", "Tags": ["beta"]},
        "span": CALL | {"Cost": "0.5", "CostSource": "reported", "Input": PROMPT, "Output": ANSWER, "TimeToFirstTokenNs": 750 * MS},
    },
    "mlflow": {  # every value is JSON
        "attributes": {
            "mlflow.trace.session": '"mlflow"',
            "mlflow.trace.user": '"jane"',
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.chat.tokenUsage": json.dumps({"input_tokens": 120, "output_tokens": 30, "total_tokens": 150}),
            "mlflow.spanInputs": json.dumps(PROMPT),
            "mlflow.spanOutputs": json.dumps(ANSWER),
            "model": "gpt-4o",
        },
        "session": {"UserId": "jane"},
        "span": CALL | {"Input": PROMPT, "Output": ANSWER},
    },
    "latitude": {
        "attributes": SEMANTIC
        | TOKENS
        | {"session.id": "latitude", "latitude.tags": '["beta"]', "latitude.metadata": json.dumps(OTHERS), "gen_ai.usage.cost": "0.25"},
        "session": {"Tags": ["beta"], "Metadata": {"n": "7", "thread": "t-1"}},
        "span": CALL | {"Cost": "0.25", "CostSource": "reported"},
    },
    "loongsuite": {
        "attributes": TOKENS
        | {
            "gen_ai.session.id": "loongsuite",
            "gen_ai.user.id": "jane",
            "gen_ai.span.kind": "LLM",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.time_to_first_token": 250 * MS,
        },
        "session": {"UserId": "jane"},
        "span": CALL | {"TimeToFirstTokenNs": 250 * MS},
    },
    "claude-code": {
        "scope": "com.anthropic.claude_code.tracing",
        "attributes": {
            "session.id": "claude-code",
            "user.id": "a device",
            "user.account_uuid": "jane",
            "span.type": "llm_request",
            "model": "claude-sonnet-4-5",
            "gen_ai.system": "anthropic",
            "input_tokens": "120",
            "output_tokens": "30",
            "cache_read_tokens": "100",
            "cache_creation_tokens": "10",
            "user_prompt": PROMPT,
            "ttft_ms": "450",
        },
        "session": {"UserId": "jane"},
        "span": CALL
        | {"Model": "claude-sonnet-4-5", "Provider": "anthropic", "InputTokens": 230, "CacheReadTokens": 100, "CacheWriteTokens": 10}
        | {"Input": PROMPT, "TimeToFirstTokenNs": 450 * MS},
    },
    "claude-code-tool": {
        "attributes": {"session.id": "claude-code-tool", "span.type": "claude_code.tool", "tool_name": "Bash"},
        "session": {"ToolCalls": 1, "Tools": ["Bash"]},
        "span": {"Kind": "tool", "Tool": "Bash"},
    },
    "claude-code-tool-execution": {
        "attributes": {"session.id": "claude-code-tool-execution", "span.type": "tool.execution", "tool_name": "Bash"},
        "session": {"ToolCalls": 0, "Tools": []},
        "span": {"Kind": "span", "Tool": "Bash"},
    },
    "openai-tool": {
        "attributes": {
            "gen_ai.conversation.id": "openai-tool",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "search",
            "gen_ai.tool.call.arguments": PROMPT,
            "gen_ai.tool.call.result": ANSWER,
        },
        "session": {"ToolCalls": 1, "Tools": ["search"]},
        "span": {"Kind": "tool", "Tool": "search", "Input": PROMPT, "Output": ANSWER},
    },
    "vercel-tool": {
        "attributes": {
            "ai.operationId": "ai.toolCall",
            "ai.telemetry.metadata.sessionId": "vercel-tool",
            "ai.toolCall.name": "search",
            "ai.toolCall.args": PROMPT,
            "ai.toolCall.result": ANSWER,
        },
        "session": {"ToolCalls": 1, "Tools": ["search"]},
        "span": {"Kind": "tool", "Tool": "search", "Input": PROMPT, "Output": ANSWER},
    },
    "somebody-new": {
        "attributes": SEMANTIC | TOKENS | {"acme.context.v2.sessionId": "somebody-new"},
        "session": {},
        "span": CALL,
    },
}


def told(framework: str) -> Span:
    start, said = at("09:00"), TOLD[framework]
    events = [(name, start + after, attributes) for name, after, attributes in said.get("events", ())]
    return span(
        "call",
        trace=framework,
        start=start,
        attributes=said["attributes"],
        events=events,
        scope=said.get("scope", "test"),
    )


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with run() as running:
        running.send(*(told(framework) for framework in TOLD))
        yield running


def plain(value: Any) -> Any:
    """Money and scores as short texts."""
    if isinstance(value, dict):
        return (
            (value["Count"], plain(value["Sum"])) if set(value) == {"Count", "Sum"} else {name: plain(each) for name, each in value.items()}
        )
    return f"{value.normalize():f}" if type(value).__name__ == "Decimal" else value


@pytest.mark.parametrize("framework", TOLD)
def test_every_family_of_keys_reaches_its_column(framework: str, collector: Collector) -> None:
    """What the framework does not say stays empty, but for a cost, which is computed."""
    want = dict.fromkeys(FAMILIES, "") | dict.fromkeys([name for name in FAMILIES if name.endswith("Tokens")], 0)
    want |= {"TimeToFirstTokenNs": None} | TOLD[framework]["span"]
    (row,) = collector.query(f"SELECT {', '.join(FAMILIES)} FROM spans WHERE SessionId = {{id:String}}", {"id": framework})
    if "Cost" not in TOLD[framework]["span"]:
        want |= {"Cost": plain(row["Cost"]), "CostSource": "computed" if row["Cost"] is not None else ""}
        assert (row["Cost"] is None) == (want["Kind"] != "llm")
    assert {name: plain(row[name]) for name in FAMILIES} == want | {"UserId": TOLD[framework]["session"].get("UserId", "")}


@pytest.mark.parametrize("framework", TOLD)
def test_the_session_says_what_the_framework_says(framework: str, collector: Collector) -> None:
    """Name, user, tags, metadata, scores and tools of the session."""
    (row,) = collector.query("SELECT * FROM sessions WHERE SessionId = {id:String}", {"id": framework})
    want = {"UserId": "", "Tags": [], "Scores": {}} | TOLD[framework]["session"]
    assert {name: plain(row[name]) for name in want} == want
