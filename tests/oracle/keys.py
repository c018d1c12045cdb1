"""Attribute keys by meaning, in order of preference. `a>b>c` is member c of member b of the JSON that attribute a holds."""

from __future__ import annotations


def _each(prefixes: str, names: str) -> list[str]:
    return [f"{prefix}.{name}" for prefix in prefixes.split() for name in names.split()]


_JSON_IDS = ["session_id", "sessionId", "thread_id", "conversation_id"]

SESSION_ID = [
    "agentmark.session_id",
    "langfuse.session.id",
    "session.id",
    *_each("agentmark.metadata ai.telemetry.metadata ai.settings.context ai.settings.runtimeContext", "session_id sessionId"),
    "traceloop.association.properties.session_id",
    "lmnr.association.properties.session_id",
    *_each("langsmith.metadata", "session_id thread_id conversation_id"),
    "langfuse.observation.metadata.langfuse_session_id",
    "langfuse.trace.metadata.langfuse_session_id",
    *_each("langfuse.trace.metadata", "session_id sessionId"),
    "gcp.vertex.agent.session_id",
    "gen_ai.conversation.id",
    "conversation.id",
    "gen_ai.session.id",
    "wandb.thread_id",
    "weave.conversation.id",
    "mlflow.trace.session",
    *_each("traceloop.association.properties", "thread_id conversation_id"),
    *_each("ai.telemetry.metadata", "conversationId threadId chatId thread_id conversation_id"),
    "workflow.session_id",
    "gen_ai.agent.session_id",
    "group_id",
    "ai.request.headers.helicone-session-id",
    *[f"metadata>{name}" for name in _JSON_IDS],
    *[f"braintrust.metadata>{name}" for name in _JSON_IDS],
]
NEVER_AN_ID = ["langsmith.trace.session_id", "langsmith.trace.session_name", "mcp.session.id"]

SESSION_NAME = [
    "agentmark.session_name",
    *_each(
        "agentmark.metadata ai.telemetry.metadata ai.settings.context traceloop.association.properties "
        "lmnr.association.properties.metadata langsmith.metadata",
        "session_name sessionName",
    ),
    "weave.conversation.name",
    "gen_ai.conversation.name",
    "ai.request.headers.helicone-session-name",
    "workflow.session_name",
]
PROMPT_NAME = [
    "agentmark.prompt_name",
    "gen_ai.prompt.name",
    "langfuse.observation.prompt.name",
    "ai.telemetry.metadata.prompt_name",
    "ai.telemetry.metadata.promptName",
]
USER = [
    "agentmark.user_id",
    "langfuse.user.id",
    "user.id",
    *_each("agentmark.metadata ai.telemetry.metadata ai.settings.context", "user_id userId"),
    "traceloop.association.properties.user_id",
    "lmnr.association.properties.user_id",
    "enduser.id",
    "langsmith.metadata.user_id",
    "langfuse.observation.metadata.langfuse_user_id",
    "langfuse.trace.metadata.langfuse_user_id",
    "gen_ai.user.id",
    "gen_ai.user",
    "gen_ai.request.user",
    "llm.user",
    "mlflow.trace.user",
    "workflow.user_id",
    "ai.request.headers.helicone-user-id",
    "metadata>user_id",
    "user.account_uuid",
    "user.account_id",
    "user.email",
    "enduser.pseudo.id",
    "user.anonymous_id",
    "installation.id",
]
_ACCOUNTS = ["user.account_uuid", "user.account_id"]
LOG_USER = [*_ACCOUNTS, *[key for key in USER if key not in (*_ACCOUNTS, "installation.id")]]
TAGS = [  # 3.8: all of them, not the first
    "agentmark.tags",
    "langfuse.trace.tags",
    "langfuse.tags",
    "tag.tags",
    "ai.telemetry.metadata.tags",
    "lmnr.association.properties.tags",
    "langsmith.span.tags",
    "logfire.tags",
    "agentops.tags",
    "braintrust.tags",
    "latitude.tags",
    "tags",
]
METADATA_PREFIXES = [
    "agentmark.metadata.",
    "ai.telemetry.metadata.",
    "ai.settings.context.",
    "langfuse.trace.metadata.",
    "langfuse.observation.metadata.",
    "langsmith.metadata.",
    "traceloop.association.properties.",
    "lmnr.association.properties.metadata.",
]
METADATA_JSON = ["metadata", "langfuse.trace.metadata", "braintrust.metadata", "latitude.metadata"]

INPUT_TOKENS = [
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    *[f"langfuse.observation.usage_details>{name}" for name in ("input", "prompt_tokens", "input_tokens")],
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
    "llm.usage.prompt_tokens",
    "mlflow.chat.tokenUsage>input_tokens",
    "langsmith.usage_metadata>input_tokens",
    "input_tokens",
    "input_token_count",
    "stream.usage.inputTokens",
]
OUTPUT_TOKENS = [
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    *[f"langfuse.observation.usage_details>{name}" for name in ("output", "completion_tokens", "output_tokens")],
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "llm.usage.completion_tokens",
    "mlflow.chat.tokenUsage>output_tokens",
    "langsmith.usage_metadata>output_tokens",
    "output_tokens",
    "output_token_count",
    "stream.usage.outputTokens",
]
TOTAL_TOKENS = [
    "gen_ai.usage.total_tokens",
    "llm.usage.total_tokens",
    "llm.token_count.total",
    "langfuse.observation.usage_details>total",
    "langfuse.observation.usage_details>total_tokens",
    "ai.usage.totalTokens",
    "mlflow.chat.tokenUsage>total_tokens",
    "langsmith.usage_metadata>total_tokens",
    "total_token_count",
]
CACHE_READ = [
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.token_count.prompt_details.cache_input",
    "gen_ai.usage.prompt_tokens_details.cached_tokens",
    "gen_ai.usage.prompt_tokens_details>cached_tokens",
    "gen_ai.usage.input_token_details>cache_read",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "ai.response.providerMetadata>anthropic>cacheReadInputTokens",
    "ai.response.providerMetadata>anthropic>usage>cache_read_input_tokens",
    "ai.response.providerMetadata>bedrock>usage>cacheReadInputTokens",
    "ai.usage.cachedInputTokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cached_tokens",
    *[f"langfuse.observation.usage_details>{name}" for name in ("cache_read_input_tokens", "input_cached_tokens", "input_cache_read")],
    "langfuse.observation.usage_details>prompt_tokens_details>cached_tokens",
    "langfuse.observation.usage_details>input_tokens_details>cached_tokens",
    "langsmith.usage_metadata>input_token_details>cache_read",
    "ai.response.providerMetadata>openai>cachedPromptTokens",
    "cache_read_tokens",
    "cached_token_count",
    "cached_content_token_count",
]
CACHE_WRITE = [
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
    "gen_ai.usage.prompt_tokens_details>cache_creation_tokens",
    "gen_ai.usage.input_token_details>cache_creation",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
    "ai.response.providerMetadata>anthropic>cacheCreationInputTokens",
    "ai.response.providerMetadata>anthropic>usage>cache_creation_input_tokens",
    "ai.response.providerMetadata>bedrock>usage>cacheWriteInputTokens",
    "gen_ai.usage.details.cache_write_tokens",
    *[f"langfuse.observation.usage_details>{name}" for name in ("cache_creation_input_tokens", "input_cache_creation")],
    "langsmith.usage_metadata>input_token_details>cache_creation",
    "cache_creation_tokens",
]
REASONING = [
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.usage.reasoning_tokens",
    "gen_ai.usage.completion_tokens_details.reasoning_tokens",
    "gen_ai.usage.completion_tokens_details>reasoning_tokens",
    "gen_ai.usage.output_token_details>reasoning",
    "llm.token_count.completion_details.reasoning",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "ai.usage.reasoningTokens",
    "gen_ai.usage.details.reasoning_tokens",
    "codex.usage.reasoning_output_tokens",
    "langfuse.observation.usage_details>completion_tokens_details>reasoning_tokens",
    "langfuse.observation.usage_details>output_tokens_details>reasoning_tokens",
    "langfuse.observation.usage_details>output_reasoning_tokens",
    "langsmith.usage_metadata>output_token_details>reasoning",
    "reasoning_token_count",
    "thoughts_token_count",
]
COST = [
    "agentmark.usage.cost_usd",
    "langfuse.observation.cost_details>total",
    "gen_ai.usage.cost",
    "gen_ai.usage.total_cost",
    "operation.cost",
    "llm.cost.total",
    "cost_usd",
]
MODEL = [
    "gen_ai.response.model",
    "ai.response.model",
    "llm.response.model_name",
    "langfuse.observation.model.name",
    "output.value>generations>0>0>generation_info>model_name",  # where OpenInference leaves the model that answered a streamed call
    "llm.model_name",
    "gen_ai.request.model",
    "ai.model.id",
    "llm.request.model_name",
    "embedding.model_name",
    "langsmith.metadata.ls_model_name",
    "aisdk.model.id",
    "model_name",
    "model",
]
PROVIDER = [
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "ai.model.provider",
    "langsmith.metadata.ls_provider",
    "aisdk.model.provider",
]
RESPONSE_ID = ["gen_ai.response.id", "ai.response.id", "llm.response.id"]
TOOL = ["gen_ai.tool.name", "tool.name", "ai.toolCall.name", "tool_call.function.name", "tool_name", "function_name"]
KIND = [
    "langfuse.observation.type",
    "openinference.span.kind",
    "agentmark.span.kind",
    "gen_ai.operation.name",
    "langsmith.span.kind",
    "lmnr.span.type",
    "traceloop.span.kind",
    "mlflow.spanType",
    "weave.span.kind",
    "agentops.span.kind",
    "gen_ai.span.kind",
    "span.type",
    "ai.operationId",
    "operation.name",
    "llm.request.type",
]
KINDS = {  # what the keys that name a kind say
    "llm": "llm generation chat completion llm_request chat_model",
    "embedding": "embedding embeddings embed",
    "rerank": "rerank reranker",
    "tool": "tool execute_tool tool_call",
    "agent": "agent invoke_agent create_agent",
    "chain": "chain workflow task invoke_workflow interaction",
    "retriever": "retriever retrieval",
    "guardrail": "guardrail",
    "evaluator": "evaluator",
    "prompt": "prompt",
}
OPERATION_KEYS = ["gen_ai.operation.name", "llm.request.type"]
OPERATIONS = {  # what the keys that name an operation say
    "llm": "chat generate_content text_completion completion llm_call",
    "embedding": "embeddings embedding",
    "rerank": "rerank",
    "tool": "execute_tool tool_call",
    "agent": "invoke_agent create_agent agent_call",
    "chain": "invoke_workflow",
    "retriever": "retrieval",
}
USER_INPUT = [
    "gen_ai.input.messages",
    "langfuse.observation.input",
    "langfuse.trace.input",
    "input.value",
    "ai.prompt.messages",
    "ai.prompt",
    "agentmark.request.input",
    "agentmark.input",
    "gen_ai.prompt",
    "pydantic_ai.all_messages",
    "lmnr.span.input",
    "traceloop.entity.input",
    "braintrust.input_json",
    "braintrust.input",
    "mlflow.spanInputs",
    "gcp.vertex.agent.llm_request",
    "request_data",
    "user_prompt",
]
TOOL_INPUT = [  # no input of a user
    "gen_ai.tool.call.arguments",
    "ai.toolCall.args",
    "tool.parameters",
    "gcp.vertex.agent.tool_call_args",
    "tool_arguments",
]
INPUT_MESSAGES = r"(llm\.input_messages|gen_ai\.prompt)\.\d+\."
INPUT_EVENTS = {"gen_ai.user.message": "content", "gen_ai.content.prompt": "gen_ai.prompt"}
OUTPUT_EVENTS = {"gen_ai.choice": "message", "gen_ai.content.completion": "gen_ai.completion"}
OUTPUT = [
    "gen_ai.output.messages",
    "langfuse.observation.output",
    "langfuse.trace.output",
    "output.value",
    "ai.response.text",
    "ai.response.object",
    "ai.response.toolCalls",
    "agentmark.response.output",
    "agentmark.output",
    "gen_ai.completion",
    "final_result",
    "lmnr.span.output",
    "traceloop.entity.output",
    "braintrust.output_json",
    "braintrust.output",
    "mlflow.spanOutputs",
    "gcp.vertex.agent.llm_response",
    "response_data",
    "gen_ai.tool.call.result",
    "ai.toolCall.result",
    "gcp.vertex.agent.tool_response",
    "tool_response",
]
