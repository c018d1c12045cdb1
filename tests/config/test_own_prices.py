"""A file with prices of one's own: what is wrong with it is told before the collector starts, with the key and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.collector.registry import Installed
from sojourn.config.load import load
from sojourn.config.model import Description, read
from sojourn.config.problems import ConfigErrors
from sojourn.testing import run, span

EXAMPLE = "{input: 1.25, output: 10}"


def configured(path: Path) -> Description:
    return read(load([], [f"processors.aggregate.prices={path}"], environment={}), Installed())


def test_a_good_file_is_taken(tmp_path: Path) -> None:
    """Exact names and globs, any provider, and cached tokens of their own price."""
    path = tmp_path / "prices.yaml"
    path.write_text("openai:\n  gpt-4o: {input: 1.25, output: 10, cache_read: 0.1}\n'*':\n  'llama-*': {output: 3}\n")
    description = configured(path)
    assert str(description.processors["aggregate"].prices) == str(path)  # type: ignore[attr-defined]
    with run(settings=[f"processors.aggregate.prices={path}"]) as collector:
        cached = {"gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.provider.name": "openai"}
        collector.send(span("known", session="s", model="gpt-4o", tokens=(100, 10), attributes=cached))
        collector.send(span("own", session="s", model="llama-9", tokens=(100, 10)))
        told = collector.query("SELECT SpanName, toString(Cost) AS Cost, CostSource FROM spans ORDER BY SpanName")
        assert [tuple(row.values()) for row in told] == [("known", "0.000156", "computed"), ("own", "0.00003", "computed")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- gpt-4o", "expected providers with their models, such as {openai: {gpt-4o: {input: 1.25, output: 10}}}, got ['gpt-4o']"),
        ("openai: 3", "openai: expected models with their prices, such as {gpt-4o: {input: 1.25, output: 10}}, got 3"),
        ("openai: {gpt-4o: 3}", f"openai::gpt-4o: expected US dollars per million tokens as {EXAMPLE}, got 3"),
        ("openai: {gpt-4o: {in: 3}}", "openai::gpt-4o: unknown key 'in': use input, output, cache_read, cache_write"),
        ("openai: {gpt-4o: {input: cheap}}", "openai::gpt-4o::input: expected US dollars per million tokens, 0 or more, got 'cheap'"),
        ("openai: {gpt-4o: {input: -1}}", "openai::gpt-4o::input: expected US dollars per million tokens, 0 or more, got -1"),
        ("openai: {gpt-4o: {input: .nan}}", "openai::gpt-4o::input: expected US dollars per million tokens, 0 or more, got nan"),
        ("openai:\n  gpt-4o: {input: 1}\n  GPT-4o: {input: 2}", "line 3: GPT-4o is there twice: keep one of them"),
        ("openai: {gpt-4o: [", "line 1: not YAML: expected the node content, but found '<stream end>'"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(ConfigErrors) as wrong:
        configured(path)
    assert str(wrong.value) == f"--set processors.aggregate.prices: processors::aggregate::prices: {path}: {message}"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"processors::aggregate::prices: .*none.yaml: cannot be read: No such file or directory"):
        configured(tmp_path / "none.yaml")


@pytest.mark.parametrize("measure", ["{}", "{sum: app.pages, max: app.pages}", "{sum: ''}", "{mean: app.pages}", "app.pages"])
def test_a_measure_is_one_of_three(measure: str) -> None:
    with pytest.raises(ConfigErrors, match=r"processors::aggregate::measures::pages"):
        read(load([], [f"processors.aggregate.measures={{pages: {measure}}}"], environment={}), Installed())
