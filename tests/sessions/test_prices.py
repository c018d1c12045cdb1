"""Prices: exact, the same as the package's own, and without a connection."""

from __future__ import annotations

import datetime
import random
import subprocess
import sys
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest

from sojourn.sessions.prices import NS_PER_DAY, Prices

NOV = int(datetime.datetime(2026, 11, 20, 13, tzinfo=datetime.UTC).timestamp()) * 10**9


def packaged(provider: str, model: str, at: int, input: int, output: int, read: int, write: int) -> int:
    from genai_prices import Usage, calc_price

    when = datetime.datetime.fromtimestamp(at // 10**9, datetime.UTC)
    usage = Usage(input_tokens=input, output_tokens=output, cache_read_tokens=read, cache_write_tokens=write)
    price = calc_price(usage, model, provider_id=provider, genai_request_timestamp=when).total_price
    return int((price * 10**12).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def priced_models() -> list[tuple[str, str]]:
    """(provider, a name of the model that its provider finds) of all models that are priced by tokens."""
    from genai_prices.data import providers

    names = []
    for provider in providers:
        for model in provider.models:
            prices = model.get_prices(datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC))
            if (prices.input_mtok is not None or prices.output_mtok is not None) and provider.find_model(model.id, all_providers=providers):
                names.append((provider.id, model.id))
    return names


def test_a_cost_is_what_the_package_computes_over_all_its_models() -> None:
    names, random_ = priced_models(), random.Random(7)
    assert len(names) > 1500
    codes = np.arange(len(names), dtype=np.int64)
    whole = np.array([random_.choice((0, 1, 1000, 150_000, 200_000, 200_001, 272_001, 900_000)) for _ in names])
    read = np.array([random_.randint(0, n // 2) for n in whole.tolist()])
    write = np.array([random_.randint(0, n // 2) for n in whole.tolist()])
    output = np.array([random_.choice((0, 1, 777, 64_000)) for _ in names])
    at = np.full(len(names), NOV) - np.array([random_.randint(0, 900) for _ in names]) * NS_PER_DAY // 3
    prices = Prices()
    costs = prices.costs(names, codes, at, whole, output, read, write)
    for row, (provider, model) in enumerate(names):
        figures = [int(column[row]) for column in (at, whole, output, read, write)]
        want = packaged(provider, model, figures[0], figures[1], figures[2], figures[3], figures[4])
        assert costs[row] == want, (provider, model, figures)
        assert prices.cost(provider, model, *figures) == want, (provider, model, figures)


@pytest.mark.parametrize(
    ("provider", "model", "same_as"),
    [
        ("x_ai", "grok-4", ("x-ai", "grok-4")),
        ("xai", "grok-4", ("x-ai", "grok-4")),
        ("gcp.gemini", "gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("gcp.vertex_ai", "gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("gcp.gen_ai", "models/gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("gcp.vertex.agent", "gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("strands-agents", "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("langchain", "gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("", "openai/gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("", "gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("openai", "openai/gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("litellm", "anthropic/claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("az.ai.openai", "gpt-4o-mini", ("azure", "gpt-4o-mini")),
        ("OpenAI", "GPT-4o-mini", ("openai", "gpt-4o-mini")),
        ("openai.responses", "gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("mistral_ai", "mistral-large-latest", ("mistral", "mistral-large-latest")),
        ("aws.bedrock", "anthropic.claude-3-haiku-20240307-v1:0", ("aws", "anthropic.claude-3-haiku-20240307-v1:0")),
    ],
)
def test_a_provider_is_known_by_all_its_names(provider: str, model: str, same_as: tuple[str, str]) -> None:
    assert Prices().cost(provider, model, NOV, 1000, 100) == packaged(*same_as, NOV, 1000, 100, 0, 0)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "scripted-1"),
        ("", ""),
        ("", "scripted-1"),
        ("my-own", "gpt-4o"),
        ("openai", "x" * 10_000),
        ("y" * 10_000, "gpt-4o"),
        ("", "/"),
    ],
)
def test_an_unknown_price_is_none_never_zero(provider: str, model: str) -> None:
    prices = Prices()
    assert prices.cost(provider, model, NOV, 1000, 100) is None
    one = np.ones(1, np.int64)
    assert prices.costs([(provider, model)], one * 0, one * NOV, one, one, one * 0, one * 0).tolist() == [-1]


def test_the_users_file_comes_before_the_table() -> None:
    prices = Prices(
        {"openai": {"gpt-4o": {"input": 1, "output": 0.1}, "ft:*": {"input": 0.0000001, "output": 2}}, "*": {"local-*": {"input": 3}}}
    )
    assert prices.cost("openai", "gpt-4o", NOV, 3, 5) == 3_000_000 + 500_000
    assert prices.cost("OpenAI", "ft:gpt-4o:me", NOV, 5, 0) == 0  # 0.5 picodollars, half to even
    assert prices.cost("OpenAI", "ft:gpt-4o:me", NOV, 15, 0) == 2  # 1.5
    assert prices.cost("vllm", "local-llama", NOV, 10, 10, cache_read=4) == 30_000_000
    assert prices.cost("openai", "gpt-4o-mini", NOV, 1000, 0) == packaged("openai", "gpt-4o-mini", NOV, 1000, 0, 0, 0)
    names = [("openai", "gpt-4o"), ("openai", "ft:a"), ("vllm", "local-x"), ("openai", "nonesuch")]
    code, three = np.array([3, 2, 1, 0]), np.full(4, 15)
    assert prices.costs(names, code, three * NS_PER_DAY, three, three * 0, three * 0, three * 0).tolist() == [-1, 45_000_000, 2, 15_000_000]


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"openai": 3}, "openai: expected models"),
        ({"openai": {"gpt": {}}}, "openai::gpt: expected US dollars"),
        ({"openai": {"gpt": {"inptu": 3}}}, "openai::gpt: unknown key 'inptu'"),
        ({"openai": {"gpt": {"input": -1}}}, "openai::gpt::input: expected US dollars per million tokens"),
        ({"openai": {"gpt": {"input": float("nan")}}}, "openai::gpt::input"),
        ({"openai": {"gpt": {"input": True}}}, "openai::gpt::input"),
        ({"openai": {"gpt": {"input": "1"}}}, "openai::gpt::input"),
    ],
)
def test_a_wrong_price_file_is_told_with_its_place(own: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Prices(own)


def test_cached_tokens_beyond_the_input_are_taken_as_additive() -> None:
    prices = Prices({"p": {"m": {"input": 1, "output": 1, "cache_read": 0.5}}})
    assert prices.cost("p", "m", NOV, 10, 0, cache_read=100) == 50_000_000


def test_prices_by_the_hour_follow_the_hour() -> None:
    prices, day = Prices(), NOV // NS_PER_DAY * NS_PER_DAY
    hours = day + np.arange(24) * 3_600_000_000_000
    same = np.full(24, 1000)
    costs = prices.costs([("deepseek", "deepseek-chat")], same * 0, hours, same, same, same * 0, same * 0)
    assert costs.tolist() == [packaged("deepseek", "deepseek-chat", int(at), 1000, 1000, 0, 0) for at in hours]


def test_a_cost_that_leaves_64_bits_is_held_at_their_end() -> None:
    prices = Prices({"p": {"m": {"input": 10**8, "output": 10**8}}})
    assert prices.cost("p", "m", NOV, 2**32 - 1, 2**32 - 1) == 2**63 - 1
    one = np.ones(1, np.int64)
    assert prices.costs([("p", "m")], one * 0, one * NOV, one * (2**32 - 1), one, one * 0, one * 0).tolist() == [2**63 - 1]


def test_the_table_is_imported_late_and_without_a_connection() -> None:
    code = (
        "import sys, socket\n"
        "def no(*a, **k): raise AssertionError('a connection')\n"
        "socket.socket.connect = no; socket.getaddrinfo = no\n"
        "from sojourn.sessions.prices import Prices\n"
        "prices = Prices()\n"
        "assert 'genai_prices' not in sys.modules\n"
        "assert prices.cost('openai', 'gpt-4o', 1_790_000_000_000_000_000, 1000, 10) > 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
