"""What a model call costs: the price table of `genai-prices`, behind the user's own, in whole picodollars (10^-12 US dollars).

Prices are exact numbers; a cost is rounded once, half to even, and never passes through a float. Nothing here opens a connection: the
table is the one that came with the package, imported when the first price is asked for (0.3 s).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from sojourn.sessions.rates import HOURLY, SINGLY, Ints, Rates, RateTable, by_the_hour, rates_at, scaled

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

NS_PER_DAY = 86_400_000_000_000
_KNOWN = 20_000  # rates kept; names come from outside, so the cache is emptied rather than left to grow
_LONGEST = 200  # characters of a model's name that is looked up: the table matches with regular expressions

# What producers write → the identifier in the table. The table's own patterns cover most other spellings.
_ALIASES = {
    "x_ai": "x-ai",
    "xai": "x-ai",
    "grok": "x-ai",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "azure_openai": "azure",
    "azure-openai": "azure",
    "gcp.gen_ai": "google",
    "gcp": "google",
    "palm": "google",
    "mistralai": "mistral",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "together_ai": "together",
    "togetherai": "together",
    "fireworks_ai": "fireworks",
    "fireworksai": "fireworks",
    "aws_bedrock": "aws",
    "claude": "anthropic",
}
# Frameworks and gateways that stand in the provider's place: the model alone must tell.
_FRAMEWORKS = frozenset(
    """
    strands-agents strands gcp.vertex.agent langchain langgraph autogen crewai litellm llama_index llamaindex pydantic-ai pydantic_ai
    semantic-kernel semantic_kernel openai-agents haystack dspy smolagents agno mastra vercel ai-gateway gateway agentmark
    microsoft.agent_framework unknown
    """.split()  # noqa: SIM905 - a table of words, not a list of code
)


class Prices:
    """Prices by provider, model and time: the user's file first, then the bundled table.

    `own` is the user's file as read: {provider: {model or glob: {input, output, cache_read, cache_write}}}, US dollars per million
    tokens; provider `*` stands for any. ValueError names what is wrong in it.
    """

    def __init__(self, own: Mapping[str, Any] | None = None) -> None:
        self._own = _own_prices(own or {})
        self._models: dict[tuple[str, str], ModelInfo | None] = {}
        self._days: dict[tuple[str, str, int], Rates | None] = {}

    def cost(self, provider: str, model: str, at: int, input: int, output: int, cache_read: int = 0, cache_write: int = 0) -> int | None:
        """Picodollars of a call that began at `at` (ns since 1970), None if the price is not known. `input` contains the cached tokens."""
        rates = self.rates(provider, model, at)
        return None if rates is None else rates.cost(input, output, cache_read, cache_write)

    def rates(self, provider: str, model: str, at: int) -> Rates | None:
        """Rates of a model at a time (ns since 1970); None if they are not known."""
        own = self._own_rates(provider, model)
        if own is not None:
            return own
        found = self._model(provider, model)
        if found is None:
            return None
        if by_the_hour(found):
            return rates_at(found, at)
        key = (provider, model, at // NS_PER_DAY)
        if key not in self._days:
            if len(self._days) >= _KNOWN:
                self._days.clear()
            self._days[key] = rates_at(found, at)
        return self._days[key]

    def costs(
        self, names: Sequence[tuple[str, str]], code: Ints, at: Ints, input: Ints, output: Ints, cache_read: Ints, cache_write: Ints
    ) -> Ints:
        """Picodollars of many calls, -1 where unknown. `names` are (provider, model), `code` an index into them, `at` ns since 1970."""
        if not len(code):
            return np.zeros(0, np.int64)
        day = at // NS_PER_DAY
        days, day_code = np.unique(day, return_inverse=True)
        used, row = np.unique(code * len(days) + day_code, return_inverse=True)
        keys = [(*names[pair // len(days)], int(days[pair % len(days)])) for pair in used.tolist()]
        table = self.linear_rates(keys)
        cost = table.costs(row, input, output, cache_read, cache_write)
        for at_row in np.flatnonzero(cost == SINGLY).tolist():
            provider, model = names[int(code[at_row])]
            figures = (int(column[at_row]) for column in (at, input, output, cache_read, cache_write))
            single = self.cost(provider, model, *figures)
            cost[at_row] = -1 if single is None else single
        return cost

    def linear_rates(self, keys: Sequence[tuple[str, str, int]]) -> RateTable:
        """Rates of many (provider, model, day since 1970) as arrays."""
        return RateTable.of([self._rates_of_day(*key) for key in keys])

    def _rates_of_day(self, provider: str, model: str, day: int) -> Rates | None:
        if self._own_rates(provider, model) is None and (found := self._model(provider, model)) and by_the_hour(found):
            return HOURLY
        return self.rates(provider, model, day * NS_PER_DAY)

    def _own_rates(self, provider: str, model: str) -> Rates | None:
        name = model.lower()
        for own_provider in (provider.lower(), _table_name(provider), "*"):
            models = self._own.get(own_provider)
            if models is None:
                continue
            if name in models:
                return models[name]
            for pattern, rates in models.items():
                if fnmatchcase(name, pattern):
                    return rates
        return None

    def _model(self, provider: str, model: str) -> ModelInfo | None:
        key = (provider, model)
        if key not in self._models:
            if len(self._models) >= _KNOWN:
                self._models.clear()
            self._models[key] = _find(provider, model)
        return self._models[key]


def _find(provider: str, model: str) -> ModelInfo | None:
    """The model of the table that a provider's and a model's name mean."""
    from genai_prices.data import providers
    from genai_prices.data_snapshot import find_provider_by_id

    model = model.strip().lower()
    if not model or len(model) > _LONGEST or len(provider) > _LONGEST:
        return None
    name = _table_name(provider)
    if name:
        named = find_provider_by_id(providers, name)
        if named is None:
            return None
        found = named.find_model(model, all_providers=providers)
        return found if found or "/" not in model else _find_prefixed(model, named)
    if "/" in model and (found := _find_prefixed(model, None)):
        return found
    for candidate in providers:
        if candidate.model_match is not None and candidate.model_match.is_match(model):
            return candidate.find_model(model, all_providers=providers)
    return None


def _find_prefixed(model: str, named: Provider | None) -> ModelInfo | None:
    """`openai/gpt-4o`, `models/gemini-…`: what stands before the first slash is a provider's name, or nothing."""
    from genai_prices.data import providers
    from genai_prices.data_snapshot import find_provider_by_id

    prefix, rest = model.split("/", 1)
    home = find_provider_by_id(providers, _table_name(prefix) or prefix) or named
    return home.find_model(rest, all_providers=providers) if home else None


def _table_name(provider: str) -> str:
    """A provider's name as the table has it, '' if it is none."""
    name = provider.strip().lower()
    if name in _FRAMEWORKS:
        return ""
    return _ALIASES.get(name) or _ALIASES.get(name.split(".", 1)[0], name)


_OWN_KEYS = ("input", "output", "cache_read", "cache_write")


def _own_prices(own: Any) -> dict[str, dict[str, Rates]]:
    if not isinstance(own, Mapping):
        raise ValueError(
            f"expected providers with their models, such as {{openai: {{gpt-4o: {{input: 1.25, output: 10}}}}}}, got {own!r:.100}"
        )
    return {str(provider).lower(): _own_models(f"{provider}", models) for provider, models in own.items()}


def _own_models(where: str, models: Any) -> dict[str, Rates]:
    if not isinstance(models, Mapping):
        raise ValueError(
            f"{where}: expected models with their prices, such as {{gpt-4o: {{input: 1.25, output: 10}}}}, got {models!r:.100}"
        )
    return {str(model).lower(): _own_rates(f"{where}::{model}", prices) for model, prices in models.items()}


def _own_rates(where: str, prices: Any) -> Rates:
    if not isinstance(prices, Mapping) or not prices:
        raise ValueError(f"{where}: expected US dollars per million tokens as {{input: 1.25, output: 10}}, got {prices!r:.100}")
    for key in prices:
        if key not in _OWN_KEYS:
            raise ValueError(f"{where}: unknown key {key!r}: use {', '.join(_OWN_KEYS)}")
    named = {key: _dollars(f"{where}::{key}", prices[key]) for key in prices}
    named.setdefault("input", Decimal(0))
    named.setdefault("output", Decimal(0))
    for part in ("cache_read", "cache_write"):
        named.setdefault(part, named["input"])
    return scaled([(-1, named)])


def _dollars(where: str, value: Any) -> Decimal:
    """A price as written: `0.1` is a tenth, not the float nearest to it."""
    number = Decimal(str(value)) if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) else None
    if number is None or not number.is_finite() or not 0 <= number < 10**9:
        raise ValueError(f"{where}: expected US dollars per million tokens, 0 or more, got {value!r}")
    return number
