"""The metric series of a session: which there are, what counters come to, and how they are drawn."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from sojourn.web.drawing import HEIGHT, WIDTH, line
from tests.web.conftest import Store, at, point_row


def asked(web: httpx.Client, **parameters: object) -> dict[str, Any]:
    answer = web.get("/sessions/s/metrics.json", params={name: str(value) for name, value in parameters.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_series(store: Store, web: httpx.Client) -> None:
    """Points of one counter with equal attributes are one series, each point once; points of others do not appear."""
    rows = [point_row(n, n, 10 + n, Attributes={"type": "input", "session.id": "s"}) for n in range(3)]
    store.insert("otel_metrics_sum", *rows, point_row(9, 0, 5, Attributes={"session.id": "s", "type": "output"}))
    store.insert(
        "otel_metrics_sum", rows[1], point_row(10, 0, 1, "t"), point_row(11, 0, 1, Project="shop"), point_row(12, 0, 1, Tenant="x")
    )
    answer = asked(web)
    by_type = {one["attributes"]["type"]: one for one in answer["series"]}
    assert by_type.keys() == {"input", "output"}
    assert by_type["input"] == {
        "name": "claude_code.token.usage", "unit": "tokens", "kind": "sum", "temporality": "delta", "monotonic": True, "service": "",
        "scope": "", "attributes": {"session.id": "s", "type": "input"}, "resource": {}, "total": 33, "point_count": 3,
        "points": [[f"2025-12-31T23:00:0{n}.000000000Z", 10 + n] for n in range(3)],
    }  # fmt: skip
    assert [(total["type"], total["value"]) for total in answer["totals"]] == [("input", 33), ("output", 5)]


@pytest.mark.parametrize(
    ("values", "total"),
    [([5, 9, 12], 12), ([5, 9, 2, 4], 13), ([7], 7), ([0, 0], 0)],
)
def test_cumulative_counters(store: Store, web: httpx.Client, values: list[int], total: int) -> None:
    """They come to their rise; a fall is a new start; two starts that were told add up, and so do two processes."""
    cumulative = {"AggregationTemporality": 2, "MetricName": "gemini_cli.token.usage"}
    points = [point_row(n, n, value, **cumulative) for n, value in enumerate(values)]
    other = [point_row(100 + n, 50 + n, value, **cumulative, StartTimeUnix=at(49)) for n, value in enumerate(values)]
    process = [point_row(200 + n, n, value, **cumulative, ResourceAttributes={"pid": "2"}) for n, value in enumerate(values)]
    store.insert("otel_metrics_sum", *points, *other, *process)
    answer = asked(web)
    assert sorted(one["total"] for one in answer["series"]) == [total, 2 * total]
    assert {one["temporality"] for one in answer["series"]} == {"cumulative"}
    assert [one["value"] for one in answer["totals"]] == [3 * total]


def test_other_kinds(store: Store, web: httpx.Client) -> None:
    """Gauges have no total, histograms tell count and sum; what is not tokens or money has no place in the totals."""
    usage = {"MetricName": "gen_ai.client.token.usage", "MetricUnit": "{token}", "Attributes": {"gen_ai.token.type": "input"}}
    counted = {"Sum": 30.5, "Count": 4, "TimeUnix": at(1), "SessionId": "s", "AggregationTemporality": 2, "StartTimeUnix": at(0)}
    store.insert("otel_metrics_histogram", {"Digest": 1} | counted | usage)
    store.insert("otel_metrics_exponential_histogram", {"Digest": 2} | counted | {"MetricName": "gen_ai.server.time_to_first_token"})
    del counted["AggregationTemporality"]
    store.insert("otel_metrics_summary", {"Digest": 3, "MetricName": "q"} | counted)
    gauge = {"SessionId": "s", "MetricName": "queue.cost"}
    store.insert("otel_metrics_gauge", *({**gauge, "TimeUnix": at(n), "Value": n, "Digest": n, "Flags": n % 2} for n in range(4)))
    answer = asked(web)
    series = {one["name"]: one for one in answer["series"]}
    assert series["gen_ai.client.token.usage"]["points"] == [["2025-12-31T23:00:01.000000000Z", 4, 30.5]]
    assert [value for _, value in series["queue.cost"]["points"]] == [0, 2]  # the others recorded none
    assert series["queue.cost"]["total"] is None
    assert {one["kind"] for one in series.values()} == {"gauge", "histogram", "exponential_histogram", "summary"}
    assert [(one["name"], one["type"], one["value"]) for one in answer["totals"]] == [("gen_ai.client.token.usage", "input", 30.5)]


def test_many_series_and_points(store: Store, web: httpx.Client) -> None:
    """Series come in parts; of very many points the newest are told, and all are counted."""
    store.insert("otel_metrics_sum", *(point_row(n, n / 100, 1, MetricName="many.tokens") for n in range(1200)))
    store.insert("otel_metrics_sum", *(point_row(5000 + n, n, 1, MetricName="other", Attributes={"n": str(n)}) for n in range(10)))
    seen: list[Any] = []
    after: str | None = ""
    while after is not None:
        part = asked(web, limit=4, after=after)
        assert [total["value"] for total in part["totals"]] == [1200]
        seen += part["series"]
        after = part["next"]
    assert len(seen) == len({json.dumps(one) for one in seen}) == 11
    assert (len(seen[0]["points"]), seen[0]["point_count"], seen[0]["total"]) == (1000, 1200, 1200)
    assert seen[0]["points"][-1][0] == "2025-12-31T23:00:11.990000000Z"


def test_the_page(store: Store, web: httpx.Client) -> None:
    """One row and one picture per series, told apart by what differs; the session's page only links to it."""
    store.sessions({"session_id": "s"})
    hostile = "<script>\u202e'\"{{7*7}}"
    for n, kind in enumerate(("input", hostile)):
        store.insert("otel_metrics_sum", *(point_row(n * 9 + i, i, i, Attributes={"type": kind, "session.id": "s"}) for i in range(3)))
    store.insert("otel_metrics_gauge", {"SessionId": "s", "MetricName": hostile, "TimeUnix": at(0), "Value": -1e308, "MetricUnit": hostile})
    html = web.get("/sessions/s/metrics").text
    assert html.count('<svg class="series"') == 3
    assert "type=input" in html
    assert html.count("<script") == 1  # our own
    assert "\u202e" not in html
    assert 'href="/sessions/s/metrics"' in web.get("/sessions/s").text
    assert web.get("/static/page.js").headers["content-type"].startswith("text/javascript")


def test_no_numbers() -> None:
    """Infinite and undefined values are null in JSON and left out of a picture; the greatest ones there are fit into it."""
    times = [f"2026-01-01T00:00:{n:02}.000000000Z" for n in range(4)]
    assert line([[times[0], None]], bars=False) == ""
    assert line([[times[0], 1.5]], bars=True) == "M2.0 38.0V2.0"
    drawn = line([[time, value] for time, value in zip(times, (-1.7e308, None, 1.7e308, 0), strict=True)], bars=False)
    numbers = [float(number) for number in re.findall(r"[\d.]+", drawn)]
    assert len(numbers) == 6
    assert max(numbers[::2]) <= WIDTH
    assert max(numbers[1::2]) <= HEIGHT


def test_values_that_are_no_numbers(store: Store, web: httpx.Client) -> None:
    """They do not spoil what the others come to."""
    values = (1, "nan", 2, "inf")
    for n, value in enumerate(values):
        store.insert("otel_metrics_sum", point_row(n, n, value))  # type: ignore[arg-type]
    answer = asked(web)
    assert [value for _, value in answer["series"][0]["points"]] == [1, None, 2, None]
    assert answer["totals"][0]["value"] == 3
    assert web.get("/sessions/s/metrics").status_code == 200
