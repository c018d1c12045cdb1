"""What came in over time: every bucket, exact sums and percentiles, the filters of the list, groups, and the page that draws it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sojourn.web import answers
from tests.web.conftest import SECOND, Store, fresh_database, page, trace_row


@pytest.fixture(scope="module")
def world(chdb_path: Path) -> Iterator[httpx.Client]:
    """Two sessions; `b` has one marked turn of two traces. One trace of `a` began before the time that is asked for."""
    with fresh_database(chdb_path) as database, page(database) as web:
        store = Store(database)
        store.sessions(
            {
                "session_id": "a",
                "start": 60,
                "end": 70,
                "UserId": "ann",
                "Services": ["chat", "search"],
                "Traces": 4,
                "Turns": 4,
                "FirstTrace": "x",
            },
            {
                "session_id": "b",
                "start": 1900,
                "end": 1905,
                "Project": "shop",
                "Models": ["gpt-5"],
                "Traces": 2,
                "Turns": 1,
                "FirstTrace": "x",
            },
        )
        usage = {"InputTokens": 10, "OutputTokens": 5, "CostPico": 2 * 10**9, "Services": ["chat"], "Models": ["gpt-5"]}
        store.insert(
            "session_trace_rows",
            *(trace_row(f"{n:032x}", "a", 60 + n, 60 + n + n + 1, **usage, Errors=n % 2) for n in range(4)),
            trace_row("e" * 32, "b", 1900, 1900.5, Project="shop", Turn=1, CostPico=-1, InputTokens=1),
            trace_row("f" * 32, "b", 1950, 1990, Project="shop"),
            trace_row("d" * 32, "gone", 1950, 1990, Version=2, Deleted=1),
        )
        yield web


def buckets(web: httpx.Client, **parameters: object) -> list[dict[str, Any]]:
    answer = web.get("/metrics-over-time.json", params={name: str(value) for name, value in parameters.items()})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["buckets"])


def test_every_bucket(world: httpx.Client) -> None:
    """Sessions by their starts, the rest by the starts of traces; percentiles by nearest rank; a bucket with nothing is there too."""
    found = buckets(world, since="2025-12-31T23:00:00Z", until="2026-01-01T00:00:00Z", bucket="30m")
    assert [row["start"] for row in found] == ["2025-12-31T23:00:00.000000000Z", "2025-12-31T23:30:00.000000000Z"]
    first, second = found
    assert (first["sessions"], first["traces"], first["errors"], first["total_tokens"], first["cost"]) == (1, 4, 2, 60, "0.008")
    assert (first["turns"], first["turn_p50_ns"], first["turn_p95_ns"]) == (4, 2 * SECOND, 4 * SECOND)
    assert (second["sessions"], second["traces"], second["total_tokens"], second["cost"]) == (1, 2, 1, None)
    assert (second["turns"], second["turn_p50_ns"]) == (1, SECOND // 2)
    empty = buckets(world, since="2025-12-30T00:00:00Z", until="2025-12-30T02:00:00Z", bucket="1h")
    assert [(row["traces"], row["cost"], row["turns"]) for row in empty] == [(0, None, 0)] * 2


@pytest.mark.parametrize(
    ("parameters", "sessions", "traces"),
    [
        ({}, 2, 6),
        ({"project": "shop"}, 1, 2),
        ({"user": "ann"}, 1, 4),
        ({"search": "b"}, 1, 2),
        ({"service": "search"}, 1, 4),
        ({"model": "gpt-5"}, 1, 2),
        ({"min_wall": "11s"}, 0, 0),
    ],
)
def test_filters_are_those_of_the_list(world: httpx.Client, parameters: dict[str, str], sessions: int, traces: int) -> None:
    found = buckets(world, since="2h", **parameters)
    assert (sum(row["sessions"] for row in found), sum(row["traces"] for row in found)) == (sessions, traces)


def test_groups(world: httpx.Client) -> None:
    """A session stands in each of its services, a trace in each of its own."""
    found = buckets(world, since="2h", bucket="1d", group="service")
    assert [(row["group"], row["sessions"], row["traces"]) for row in found] == [("", 1, 2), ("chat", 1, 4), ("search", 1, 0)]
    assert [row["group"] for row in buckets(world, since="2h", bucket="1d", group="project")] == ["", "shop"]
    assert [row["group"] for row in buckets(world, since="2h", bucket="1d", group="user")] == ["", "ann"]
    assert [(row["group"], row["traces"]) for row in buckets(world, since="2h", bucket="1d", group="model")] == [("", 2), ("gpt-5", 4)]


@pytest.mark.parametrize("asked", [{"since": "2025-12-31T23:40:00Z"}, {"since": "2h", "until": "2025-12-31T23:20:00Z", "user": "ann"}])
def test_only_the_newest_versions_count(chdb_path: Path, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a newer version lies in another time, or says that there is none; found by sorting, or by the database."""
    chance = random.Random(6)
    with fresh_database(chdb_path) as database, page(database) as web:
        for table in ("session_rows", "session_trace_rows"):
            database.client().command(f"SYSTEM STOP MERGES {table}")
        for version in range(1, 6):
            _write_again(Store(database), chance, version)
        sorting = buckets(web, bucket="5m", **asked)
        monkeypatch.setattr(answers, "_SORTED", (0, 0))
        assert buckets(web, bucket="5m", **asked) == sorting
        assert sum(row["traces"] for row in sorting) > 0


def _write_again(store: Store, chance: random.Random, version: int) -> None:
    """About half of forty sessions with a trace each, at other times than before."""
    for number in chance.sample(range(40), 20):
        start = chance.randrange(3600)
        known = {"Version": version, "Deleted": int(chance.random() < 0.2)}
        about = {"UserId": chance.choice(["ann", "bob"]), "Traces": 1, "Turns": 1, "FirstTrace": "x"}
        store.sessions({"session_id": f"s{number}", "start": start, "end": start + 10} | about | known)
        told = {"CostPico": chance.randrange(-1, 10), "Spans": 1, "Turn": 1}
        store.insert("session_trace_rows", trace_row(f"{number:032x}", f"s{number}", start, start + chance.randrange(1, 9), **told | known))


@pytest.mark.parametrize(
    "query",
    [
        "bucket=1s",
        "bucket=2d",
        "bucket=x",
        "group=tag",
        "since=1h&until=2h",
        "since=300d&bucket=1m",
        "limit=3",
        "sort=cost",
        "user=a&user=b",
    ],
)
def test_what_cannot_be_asked(world: httpx.Client, query: str) -> None:
    assert world.get(f"/metrics-over-time.json?{query}").status_code == 400
    assert world.get(f"/over-time?{query}").status_code == 400


@pytest.mark.parametrize("group", ["", "service", "model", "user", "project"])
def test_the_page(world: httpx.Client, group: str) -> None:
    """A chart for each figure, whose bars lead to the sessions of that time with the same filters."""
    html = world.get("/over-time", params={"since": "2h", "group": group, "status": "ok"}).text
    assert html.count('<figure class="chart">') == (5 if group else 6)
    link = re.search(r'<a href="(/sessions\?[^"]*)"', html)
    assert link
    assert "status=ok" in link[1]
    shown = world.get(link[1].replace("&amp;", "&")).text
    assert shown.count("<tr data-key=") == 1
    assert "Nothing came in" in world.get("/over-time?since=2025-01-01&until=2025-01-02").text
