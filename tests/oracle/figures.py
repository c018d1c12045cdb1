"""Numbers that others name: scores (3.9) and measures (3.10).

Decided where the specification is silent (docs/decisions/0022): within one span, what one way of telling a score says is not heard again
from a later way with the same name and value; a record of our own scope says nothing; sums end at the limits of 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.oracle.facts import Fact
from tests.oracle.values import exact, valid_text

EVALUATION = "gen_ai.evaluation.result"
WAYS = [f"{whole}{some}s.N.{some}." for some in ("annotation", "evaluation") for whole in ("", "trace.", "session.")]
"""OpenInference's; OpenTelemetry's event comes behind them."""
BILLION = 10**9


def read_scores(fact: Fact, attributes: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> None:
    ways = [list(_numbered(way, attributes)) for way in WAYS]
    ways.append([(event.get("gen_ai.evaluation.name"), event.get("gen_ai.evaluation.score.value")) for event in events])
    heard: set[tuple[str, int]] = set()
    for way in ways:
        told = [(valid_text(name), _billionths(fact, value)) for name, value in way]
        whole = [(name, value) for name, value in told if name and value is not None]
        fact.scores += [score for score in whole if score not in heard]
        heard |= set(whole)


def _numbered(way: str, attributes: Mapping[str, Any]) -> Iterable[tuple[Any, Any]]:
    """Name and value of each number that the keys of one way have."""
    before, behind = way.split("N")
    for number in range(10) if any(key.startswith(before) for key in attributes) else ():
        start = f"{before}{number}{behind}"
        yield attributes.get(f"{start}name"), attributes.get(f"{start}score")


def _billionths(fact: Fact, value: Any) -> int | None:
    number = exact(value)
    if number is None:
        return None
    told = round(number * BILLION)  # half to even
    score = min(max(told, -(BILLION**2)), BILLION**2)
    if score != told:
        fact.flags.add("limited")
    return score


def scores_of(facts: Iterable[Fact]) -> dict[str, tuple[int, int]]:
    """Number and sum of the scores by their names."""
    return summed((name, (1, value)) for fact in facts for name, value in fact.scores)


def summed(parts: Iterable[tuple[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    out: dict[str, tuple[int, int]] = {}
    for name, (count, total) in parts:
        before = out.get(name, (0, 0))
        out[name] = (before[0] + count, before[1] + total)
    return {name: (count, in_64_bits(total)) for name, (count, total) in out.items()}


def measures_of(spans: Iterable[Fact], measures: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    """3.10: by name, from (sum, min or max; attribute)."""
    spans = list(spans)
    told = {name: [_integer(span.attributes.get(key)) for span in spans] for name, (_, key) in measures.items()}
    known = {name: [value for value in values if value is not None] for name, values in told.items()}
    return {name: combined(measures[name][0], values) for name, values in known.items() if values}


def combined(how: str, values: list[int]) -> int:
    return in_64_bits({"sum": sum, "min": min, "max": max}[how](values))  # type: ignore[operator]


def _integer(value: Any) -> int | None:
    """`3`, `3.0` and `"3"` are, `3.5` and `true` are not."""
    number = exact(value)
    fits = number is not None and number.denominator == 1 and in_64_bits(int(number)) == number
    return int(number) if fits and number is not None else None


def in_64_bits(number: int) -> int:
    return min(max(number, -(2**63)), 2**63 - 1)
