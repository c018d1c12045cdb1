"""Who and what appears in the stories: services, people, models, tools and what is said."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from sojourn.demo.story import Service, Value

SHOP: Final = Service("shop-assistant", "shop")
SHOP_SEARCH: Final = Service("product-search", "shop", "0.9.0")
SUPPORT: Final = Service("support-chat", "support", "2.1.0")
RESEARCH: Final = Service("research-agent")
WRITER: Final = Service("report-writer")
INVOICES: Final = Service("invoice-reader", "finance", "3.0.1")

USERS: Final = (
    "amara@example.com",
    "björn@example.com",
    "chen@example.com",
    "divya@example.com",
    "elif@example.com",
    "user-4711",
    "太郎@example.jp",
)


@dataclass(frozen=True, slots=True)
class Model:
    provider: str
    name: str
    words_per_second: float


MODELS: Final = (
    Model("openai", "gpt-4o", 60),
    Model("openai", "gpt-4o-mini", 90),
    Model("anthropic", "claude-sonnet-4-5", 55),
    Model("gcp.gemini", "gemini-2.5-flash", 120),
)
EMBEDDINGS: Final = Model("openai", "text-embedding-3-small", 1000)
HOUSE_MODEL: Final = Model("ollama", "house-llama-8b", 25)
"""A model without a public price."""

QUESTIONS: Final = (
    "Where is my order 81-2204? It should have been here on Friday.",
    "Can I still change the delivery address?",
    "The blue jacket arrived torn. What now?",
    "Do you have these boots in 43?",
    "How long is the warranty on the espresso machine?",
    "I was charged twice for one order!",
    "Which of your tents stand up to a storm?",
    "مرحبا، أين طلبي؟",
)
ANSWERS: Final = (
    "Your parcel left our warehouse this morning and arrives tomorrow before noon.",
    "Yes: I have changed the address. You will get a confirmation in a minute.",
    "I am sorry about that. A return label is on its way to you, and we send a new one today.",
    "We have them in 42 and 44; 43 comes in again next week. Shall I keep a pair for you?",
    "Two years on all parts, and five on the pump.",
    "I see both charges. The second one goes back to your card within three days.",
)
SUBJECTS: Final = ("Late parcel", "New address", "Torn jacket", "Boots in 43", "Warranty", "Charged twice", "Tents", "Refund", "Gift card")
TOPICS: Final = (
    "solid-state batteries for small boats",
    "the price of night trains in Europe",
    "how cities keep trees alive in droughts",
    "open formats for medical images",
    "what happened to supersonic travel",
)
TOOLS: Final = ("web_search", "read_page", "calculator", "read_table", "take_note")


def call(random: Random, model: Model, tokens_in: int, tokens_out: int) -> dict[str, Value]:
    """Attributes of one model call, as the GenAI conventions name them."""
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.provider,
        "gen_ai.request.model": model.name,
        "gen_ai.response.model": model.name,
        "gen_ai.response.id": f"resp-{random.randbytes(10).hex()}",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": tokens_in,
        "gen_ai.usage.output_tokens": tokens_out,
    }
    if tokens_in > 2_000 and random.random() < 0.6:
        attributes["gen_ai.usage.cache_read.input_tokens"] = tokens_in * random.randrange(40, 90) // 100
    return attributes
