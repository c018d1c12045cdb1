"""What a call costs (3.4)."""

from __future__ import annotations

import datetime

from tests.oracle.facts import Fact


def priced(span: Fact) -> tuple[int, str] | None:
    """3.4: reported, else computed from the bundled price table by (provider, response model, day), else NULL."""
    if span.cost is not None:
        return span.cost, "reported"
    cost = computed(span) if span.model and (span.input or span.output) else None
    return None if cost is None else (cost, "computed")


_TABLE = {"gcp.gemini": "google", "gcp.vertex_ai": "google", "aws.bedrock": "aws", "azure.ai.openai": "azure", "x_ai": "x-ai"}


def computed(call: Fact) -> int | None:
    from genai_prices import Usage, calc_price

    usage = Usage(
        input_tokens=max(call.input, call.cache_read + call.cache_write),
        output_tokens=call.output,
        cache_read_tokens=call.cache_read,
        cache_write_tokens=call.cache_write,
    )
    when = datetime.datetime.fromtimestamp(call.start // 10**9, datetime.UTC)
    provider = _TABLE.get(call.provider, call.provider) or None
    try:
        price = calc_price(usage, call.model, provider_id=provider, genai_request_timestamp=when)
    except LookupError:
        return None
    if getattr(price.model_price, "input_mtok", None) is None and getattr(price.model_price, "output_mtok", None) is None:
        return None
    return round(price.total_price * 10**12)  # a Decimal: rounded half to even
