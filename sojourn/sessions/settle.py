"""From what a span says to what it means: its kind, its tokens in OpenTelemetry's sense, its provider by one name.

The rules here look at one span only; they are applied once, before the span is stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from sojourn.schema import FLAGS, KINDS
from sojourn.sessions.packed import U64, Mask, Rows, hashes

SPAN, LLM, TOOL = KINDS.index("span"), KINDS.index("llm"), KINDS.index("tool")
NOT_TOLD = 255

ADDITIVE_SCOPES = ("openinference.instrumentation.claude_agent_sdk", "com.anthropic.claude_code", "com.anthropic.claude_code.tracing")
"""Scopes whose input tokens leave the cached ones out, whatever else they say."""

PROVIDER_ALIASES = {
    "azure": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "amazon": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "gemini": "gcp.gemini",
    "google-genai": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "google-generative-ai": "gcp.gemini",
    "gcp.gen_ai": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google.vertex": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "x-ai": "x_ai",
    "moonshot": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai",
    "ibm": "ibm.watsonx.ai",
    "cohere_chat": "cohere",
}
"""Spellings seen in the world → the value of OpenTelemetry's gen_ai.provider.name."""

FRAMEWORKS = frozenset(
    """
    strands-agents strands gcp.vertex.agent langchain langgraph autogen crewai llamaindex llama_index haystack agno smolagents pydantic-ai
    pydantic_ai microsoft.agent_framework semantic_kernel openai_agents litellm mastra traceloop vercel genkit dspy
    """.split()  # noqa: SIM905 - a table of words, not a list of code
)
"""Names of frameworks that stand where the provider should: dropped."""

MODEL_FAMILIES = (
    (("gpt-", "chatgpt", "o1", "o3", "o4", "text-embedding-", "davinci", "dall-e", "whisper", "codex"), "openai"),
    (("claude",), "anthropic"),
    (("gemini", "text-embedding-gecko", "learnlm"), "gcp.gemini"),
    (("mistral", "mixtral", "codestral", "ministral", "pixtral", "magistral"), "mistral_ai"),
    (("command", "embed-english", "embed-multilingual", "rerank-"), "cohere"),
    (("grok",), "x_ai"),
    (("deepseek",), "deepseek"),
    (("sonar",), "perplexity"),
    (("kimi", "moonshot"), "moonshot_ai"),
    (("granite",), "ibm.watsonx.ai"),
    (("nova-", "titan"), "aws.bedrock"),
    (("amazon.", "anthropic.", "meta.", "mistral.", "cohere.", "ai21.", "deepseek.", "openai."), "aws.bedrock"),  # ids of its own
)
"""Beginnings of model names → the provider that makes them."""
REGIONS = ("us.", "us-gov.", "eu.", "apac.", "ap.", "jp.", "au.", "ca.", "global.")
"""What Bedrock puts before its ids of models."""


def provider_of(told: str, model: str) -> str:
    """The provider by its OpenTelemetry name, from what the producer told and, if that is nothing or a framework, from the model."""
    name = told.strip().lower()
    if name in PROVIDER_ALIASES:
        return PROVIDER_ALIASES[name]
    head = name.split(".")[0] if name.split(".")[0] in ("openai", "anthropic", "mistral", "cohere", "groq", "deepseek") else name
    if head and head not in FRAMEWORKS:
        return PROVIDER_ALIASES.get(head, head)
    plain = model.lower().rsplit("/", 1)[-1]
    plain = next((plain.removeprefix(region) for region in REGIONS if plain.startswith(region)), plain)
    for beginnings, provider in MODEL_FAMILIES:
        if plain.startswith(beginnings):
            return provider
    return ""


def kinds(facts: Rows, agent_step: int) -> None:
    """Infer the kind where none was told: a tool's name makes a tool, a model with usage a model call.

    `agent_step` is the hash of that span name: a step of an agent is no call, whatever it sums up.
    """
    kind = facts["kind"]
    told = kind != NOT_TOLD
    if told.all():
        return
    usage: Mask = (facts["flags"] & FLAGS["usage"]) != 0
    guess = np.where(facts["tool"] != 0, TOOL, np.where((facts["model"] != 0) & usage & (facts["name"] != agent_step), LLM, SPAN))
    facts["kind"] = np.where(told, kind, guess)


def tokens(facts: Rows, total: Any, additive: Mask, thoughts_beside: Mask | None = None) -> Mask:
    """Make cached tokens part of the input and reasoning part of the output, as OpenTelemetry counts; gives the rows that changed.

    `total` is the total the producer reports, -1 if it does not. It decides where it can; else whether the producer is known to leave
    cached tokens out of the input (`additive`); more cached than input tokens prove it, and so does a key by which only such figures are
    told (flag `cache_beside`). Where `thoughts_beside`, the output leaves reasoning out, whatever the total says.
    """
    read, written = facts["cache_read"].astype(np.int64), facts["cache_write"].astype(np.int64)
    thought = facts["reasoning"].astype(np.int64)
    cached = read + written
    if not (cached.any() or thought.any()):
        return np.zeros(len(facts), bool)
    given, made = facts["input_tokens"].astype(np.int64), facts["output_tokens"].astype(np.int64)
    included = total == given + made
    beside = (facts["flags"] & FLAGS["cache_beside"]) != 0
    add = (cached > 0) & (beside | (cached > given) | (~included & ((total == given + made + cached) | additive)))
    more = (thought > 0) & ((thought > made) | (~included & (total == given + made + thought)))
    if thoughts_beside is not None:
        more |= (thought > 0) & thoughts_beside
    most = np.iinfo(np.uint32).max
    facts["input_tokens"] = np.minimum(given + np.where(add, cached, 0), most)
    facts["output_tokens"] = np.minimum(made + np.where(more, thought, 0), most)
    return np.asarray(add | more)


def cost(facts: Rows) -> Mask:
    """A reported cost of 0 beside tokens is no cost at all: producers write it for models they do not know. Gives the rows that changed."""
    spent = (facts["input_tokens"] > 0) | (facts["output_tokens"] > 0)
    none = (facts["cost"] == 0) & spent
    if none.any():
        facts["cost"][none] = -1
    facts["cost_source"] = facts["cost"] >= 0
    return np.asarray(none)


class Providers:
    """(provider told, model) → the provider by one name, by hashes. Remembers what it has seen, up to a bound."""

    LIMIT = 10_000

    def __init__(self, texts: Any) -> None:
        self._texts = texts
        self._names: dict[tuple[int, int], str] = {}

    def settle(self, told: U64, model: U64) -> U64:
        """The settled provider's hash for each pair."""
        key = told * np.uint64(3) ^ model  # for grouping only; two pairs clash where sums of random hashes are equal: never
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        pairs = list(zip(told[first].tolist(), model[first].tolist(), strict=True))
        missing = [pair for pair in pairs if pair not in self._names]
        if len(self._names) + len(missing) > self.LIMIT:
            self._names, missing = {}, pairs
        if missing:
            self._learn(missing)
        settled: U64 = hashes(self._texts, pa.array([self._names[pair] for pair in pairs], pa.string()))[inverse]
        return settled

    def _learn(self, pairs: list[tuple[int, int]]) -> None:
        texts = pa.array(self._texts.lookup(np.array(pairs, np.uint64).reshape(-1))).to_pylist()
        for at, pair in enumerate(pairs):
            self._names[pair] = provider_of(texts[2 * at] or "", texts[2 * at + 1] or "")
