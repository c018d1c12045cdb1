"""3.2 to 3.4: what one span, or one log record, tells of a call: kind, model, tokens, cost."""

from __future__ import annotations

from typing import Any

from tests.oracle import keys
from tests.oracle.facts import Fact
from tests.oracle.values import first_text, from_json, member, picodollars, valid_text, whole


def _count(fact: Fact, attributes: dict[str, Any], names: list[str]) -> int | None:
    for name in names:
        number = whole(member(attributes, name))
        if number is not None:
            count = min(max(number, 0), 2**32 - 1)
            if count != number:
                fact.flags.add("limited")
            return count
    return None


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
        cost = picodollars(member(attributes, name))
        if cost is not None:
            return cost
        if name == "langfuse.observation.cost_details>total":
            details = member(attributes, "langfuse.observation.cost_details")
            details = from_json(details, None) if isinstance(details, str) else details
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


def _in_the_provider_s_words(attributes: dict[str, Any]) -> bool:
    """The AI SDK before v6 (attributes 18c): cached tokens in the words of Anthropic or Bedrock, whose input leaves them out, whatever
    the total says; unless the parts of the input are told as well."""
    found = False
    for names in (keys.CACHE_READ, keys.CACHE_WRITE):
        own = [name.startswith(("ai.response.providerMetadata>anthropic", "ai.response.providerMetadata>bedrock")) for name in names]
        told = [at for at, name in enumerate(names) if whole(member(attributes, name)) is not None]
        if told and told[0] < own.index(True):
            return False
        found |= bool(told) and own[told[0]]
    return found


def _normalise(fact: Fact, attributes: dict[str, Any]) -> None:
    """3.3: cached tokens are part of the input afterwards, reasoning part of the output."""
    total, cache, plain = _count(fact, attributes, keys.TOTAL_TOKENS), fact.cache_read + fact.cache_write, fact.input + fact.output
    additive = fact.scope in ADDITIVE_SCOPES or fact.event == ADDITIVE_EVENT
    told_beside = _in_the_provider_s_words(attributes)
    cache_is_extra = cache > 0 and (told_beside or cache > fact.input or (total != plain and (total == plain + cache or additive)))
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
        word = valid_text(member(attributes, key)).lower().removeprefix("claude_code.")
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
