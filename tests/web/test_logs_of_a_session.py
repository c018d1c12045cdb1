"""The log records of a session: which they are, in parts, at addresses of any id, and in the timeline of its page."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sojourn.testing import run, span
from sojourn.web.pages import session_address
from sojourn.web.timeline import LOGS, TRACES, Places, merged
from tests.signals.agents import claude_code_session
from tests.signals.telling import log, requests
from tests.web.conftest import PATIENCE, Store, fresh_database, log_row, page, trace_row
from tests.web.test_one_session import IDS, raw

OURS, THEIRS, NOBODYS = "a" * 32, "b" * 32, "c" * 32


def told(web: httpx.Client, address: str = "/sessions/s/logs.json", **parameters: object) -> list[Any]:
    """The records of all parts."""
    found: list[Any] = []
    after: str | None = ""
    while after is not None:
        answer = web.get(address, params={name: str(value) for name, value in (parameters | {"after": after}).items()})
        assert answer.status_code == 200, answer.text
        found += answer.json()["logs"]
        after = answer.json()["next"]
    return found


def events(web: httpx.Client, session: str = "s", **parameters: object) -> list[str]:
    return [record["event"] for record in told(web, f"/sessions/{session}/logs.json", **parameters)]


@pytest.fixture(scope="module")
def world(chdb_path: Path) -> Iterator[httpx.Client]:
    """Two sessions with one trace each, and records that belong to either in every way there is."""
    with fresh_database(chdb_path) as database, page(database) as web:
        store = Store(database)
        store.sessions({"session_id": "s"}, {"session_id": "t"}, {"session_id": "s", "Project": "shop"}, {"session_id": "quiet"})
        gone = trace_row(NOBODYS, "s", Version=2, Deleted=1)
        only_records = trace_row("d" * 32, "t", Spans=0)
        store.insert("session_trace_rows", trace_row(OURS, "s"), trace_row(THEIRS, "t"), trace_row(NOBODYS, "s"), gone, only_records)
        store.insert(
            "otel_logs",
            log_row(1, 1, "s"),
            log_row(2, 2, "s", TraceId=THEIRS, IdClass=1),  # its own id wins over its trace
            log_row(3, 3, "t", TraceId=OURS),
            log_row(4, 4, TraceId=OURS),
            log_row(5, 5, "t", TraceId=OURS, IdClass=2),  # its trace wins over its resource
            log_row(6, 6, "s", IdClass=2),
            log_row(7, 7, "s", TraceId=NOBODYS, IdClass=2),
            log_row(8, 8, "s", TraceId="d" * 32, IdClass=2),  # no span is known of this trace
            log_row(9, 9, TraceId=NOBODYS),
            log_row(10, 10, TraceId="d" * 32),
            log_row(11, 11, "s", Project="shop"),
            log_row(12, 12, TraceId=OURS, Project="shop"),  # of a trace of `s`, whatever its resource says
            log_row(13, 13, "s", Tenant="acme"),
            log_row(14, 14, TraceId=OURS, Tenant="acme"),
            log_row(15, 15),
            log_row(2**64 - 1, 16, "s", Timestamp="2025-12-30 00:00:00", Flags=1),
        )
        store.insert(
            "otel_logs", log_row(1, 1, "s", Collector="other"), log_row(6, 8000, "s", IdClass=2)
        )  # sent again; one of them clamped
        yield web


def test_whose_a_record_is(world: httpx.Client) -> None:
    """Its own id wins, then the session of its trace, then the id of its resource; each record once, by time."""
    assert events(world) == [f"event {n}" for n in (2**64 - 1, 1, 2, 4, 5, 6, 7, 8, 12)]
    assert events(world, "t") == ["event 3"]
    assert events(world, project="shop") == ["event 11"]


@pytest.mark.parametrize("limit", [1, 2, 5, 7, 8])
def test_records_come_in_parts(world: httpx.Client, limit: int) -> None:
    """Parts together are the whole, and none is empty but the whole of nothing."""
    assert events(world, limit=limit) == events(world)
    assert told(world, "/sessions/quiet/logs.json") == []


def test_equal_times(store: Store, web: httpx.Client) -> None:
    """Ties are broken by the digest as a number, beyond what JSON numbers hold."""
    digests = [random.Random(1).getrandbits(64) >> (n * 3) for n in range(20)]
    store.insert("otel_logs", *(log_row(digest, 5, "s") for digest in digests))
    assert events(web, limit=3) == [f"event {digest}" for digest in sorted(digests)]


def test_a_record(store: Store, web: httpx.Client) -> None:
    """All of it that people look for; figures where it tells a call, else null."""
    call = {"InputTokens": 10, "OutputTokens": 3, "CacheReadTokens": 4, "CostPico": 5 * 10**9, "Flags": 1 << 3, "Kind": "llm", "Model": "m"}
    more = {"SeverityText": "ERR", "SeverityNumber": 17, "Body": "no", "TraceId": OURS, "SpanId": "1" * 16, "ScopeName": "lib", "Flags": 1}
    attributes = {"LogAttributes": {"k": "v"}, "ResourceAttributes": {"r": "w"}}
    store.insert("otel_logs", log_row(1, 0.5, "s", **call), log_row(2, 1, "s", **more, **attributes))
    one, two = told(web)
    assert one["time"] == "2025-12-31T23:00:00.500000000Z"
    assert [one[f"{name}_tokens"] for name in ("input", "output", "cache_read", "cache_write", "reasoning")] == [10, 3, 4, 0, 0]
    assert (one["cost"], one["kind"], one["model"], one["error"]) == ("0.005", "llm", "m", False)
    assert (two["input_tokens"], two["cost"], two["error"]) == (None, None, True)
    assert (two["severity_text"], two["severity_number"], two["body"], two["service"]) == ("ERR", 17, "no", "cli")
    assert (two["trace_id"], two["span_id"], two["scope"]) == (OURS, "1" * 16, "lib")
    assert (two["attributes"], two["resource"]) == ({"k": "v"}, {"r": "w"})
    assert "digest" not in two


@pytest.fixture(scope="module")
def named(chdb_path: Path) -> Iterator[httpx.Client]:
    with fresh_database(chdb_path) as database, page(database) as web:
        Store(database).sessions(*({"session_id": identity, "Project": "p/q&r"} for identity in IDS))
        records = (log_row(n, n, identity, Project="p/q&r", Event=f"of {identity}") for n, identity in enumerate(IDS))
        Store(database).insert("otel_logs", *records)
        yield web


@pytest.mark.parametrize("identity", IDS)
def test_any_id_is_an_address(named: httpx.Client, identity: str) -> None:
    """The records and the metrics of every id are found, also below a project."""
    row = {"session_id": identity, "project": "p/q&r"}
    status, answer = raw(named, session_address(row, "/logs.json").replace("/logs.json", "/logs%2Ejson"))
    assert status == 404
    status, answer = raw(named, session_address(row, "/logs.json"))
    assert (status, [record["event"] for record in answer["logs"]]) == (200, [f"of {identity}"])
    assert raw(named, session_address(row, "/metrics.json"))[1] == {"series": [], "totals": [], "next": None}
    assert raw(named, session_address(row, "/metrics"))[0] == 200


@pytest.mark.parametrize("part", ["logs.json", "metrics.json", "metrics"])
def test_what_cannot_be_asked(world: httpx.Client, part: str) -> None:
    """400 and 404 with a sentence, as JSON where JSON was asked for; a session elsewhere is named."""
    queries = [
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=xx",
        "after=W10",
        "after=WyJ4IiwieSJd",
        "other=1",
        "after=WyJ4IiwtMV0",
        "limit=1&limit=2",
    ]
    for query in queries:
        answer = world.get(f"/sessions/s/{part}?{query}")
        assert answer.status_code == 400, query
        assert answer.headers["content-type"].startswith("application/json" if part.endswith("json") else "text/html")
    for path in (f"/sessions/nobody/{part}", f"/sessions//{part}", f"/sessions/a/b/{part}"):
        assert world.get(path).status_code == 404, path
    assert "project" in world.get(f"/sessions/t/{part}?project=nowhere").text
    assert world.get("/sessions/s?after=xx").status_code == 400
    assert world.post(f"/sessions/s/{part}").status_code == 405


def test_the_timeline(world: httpx.Client) -> None:
    """Records stand between the traces by time, errors marked."""
    html = world.get("/sessions/s").text
    first, trace, later = html.index("event 18446744073709551615"), html.index(f'href="/traces/{OURS}"'), html.index("event 12<")
    assert first < trace < later
    assert "1 log record, <span" in html
    assert "8 log records" in html
    assert "event 3<" not in html


HOSTILE = ("<script>alert(1)</script>", "\u202egnp.exe", "{{7*7}}", "a\x00b\x1b[31m", "' onmouseover='x", "\N{PILE OF POO}" * 3000, "\n\n")


def test_hostile_texts_in_records(store: Store, web: httpx.Client) -> None:
    """Whatever a record says stands on the page as text."""
    store.sessions({"session_id": "s"})
    store.insert(
        "otel_logs",
        *(
            log_row(n, n, "s", Event=text, Body=text, SeverityText=text, ServiceName=text, LogAttributes={text: text})
            for n, text in enumerate(HOSTILE)
        ),
    )
    html = web.get("/sessions/s").text
    assert html.count('<details class="record"') == len(HOSTILE)
    assert html.count("<script") == 2  # our own
    assert "\u202e" not in html
    assert "onmouseover='" not in html
    assert "\x1b" not in html
    assert "49" not in re.findall(r"<bdi[^>]*>([^<]*)</bdi>", html)
    assert [record["body"] for record in told(web)] == list(HOSTILE)


def test_a_long_timeline_comes_in_parts(store: Store, web: httpx.Client) -> None:
    """Following the link at the end shows every trace and record once and in order, however they are mixed."""
    store.sessions({"session_id": "s"})
    store.insert("session_trace_rows", *(trace_row(f"{n:032x}", start=n) for n in range(TRACES + 5)))
    store.insert("otel_logs", *(log_row(n, n / 7, "s", Event=f"e{n}.") for n in range(LOGS + 9)))
    seen: list[str] = []
    address: str | None = "/sessions/s"
    parts = 0
    while address:
        html = web.get(address).text
        seen += re.findall(r'class="main" href="/traces/(\w{32})">|(?<=<b><bdi>)e(\d+)\.', html)
        following = re.search(r'rel="next" href="([^"]*)"', html)
        address = "/sessions/s" + following[1].replace("&amp;", "&") if following else None
        parts += 1
    moments = [(int(trace, 16), 0) if trace else (int(record) / 7, 1) for trace, record in seen]  # type: ignore[misc]
    assert moments == sorted(moments)
    assert len(moments) == len(set(moments)) == TRACES + LOGS + 14
    assert parts == 2


def test_merging_loses_nothing() -> None:
    """For any mixture of times, with ties."""
    chance = random.Random(7)
    for _ in range(20):
        traces = [{"start": f"{chance.randrange(40):04}", "trace_id": f"{n:04}"} for n in range(450)]
        logs = [{"time": f"{chance.randrange(60):04}", "digest": str(n)} for n in range(900)]
        traces.sort(key=lambda row: (row["start"], row["trace_id"]))
        logs.sort(key=lambda row: (row["time"], int(row["digest"])))
        seen: list[dict[str, str]] = []
        places: Places | None = ("", "", "", "")
        while places:
            later = [row for row in traces if (row["start"], row["trace_id"]) > places[:2]]
            behind = [row for row in logs if (row["time"], int(row["digest"])) > (places[2], int(places[3] or -1))]
            shown, places = merged(later[: TRACES + 1], behind[: LOGS + 1], places)
            seen += shown
        assert len(seen) == 1350
        times = [row.get("start") or row["time"] for row in seen]
        assert times == sorted(times)


def test_a_trace_that_is_bound_late_brings_its_records() -> None:
    """Through a whole collector: a record without an id is nobody's until a span of its trace names the session."""
    leaf = span("tool", trace="late", parent="root")
    record = log("note", "09:00", names=leaf)
    with run() as collector, httpx.Client(base_url=f"http://{collector.endpoints['web']}", timeout=PATIENCE) as web:
        for signal, body in requests([leaf, record, record]):
            collector.send(body, signal=signal)
        collector.settle()
        assert web.get("/sessions/s/logs.json").status_code == 404
        collector.send(span("root", trace="late", id="root", session="s"))
        collector.settle()
        assert events(web) == ["note"]


def test_claude_code() -> None:
    """Through a whole collector: what a terminal agent told in log records and metrics, without one span."""
    with run() as collector, httpx.Client(base_url=f"http://{collector.endpoints['web']}", timeout=PATIENCE) as web:
        for signal, body in requests([*claude_code_session(), *claude_code_session()]):
            collector.send(body, signal=signal)
        collector.settle()
        records = told(web, "/sessions/cc-1/logs.json", limit=4)
        assert [record["event"].removeprefix("claude_code.") for record in records][:5] == [
            *("user_prompt", "api_request", "tool_result", "api_error", "api_request")
        ]
        assert len(records) == 10
        assert sum(record["input_tokens"] or 0 for record in records) == 12 + 4000 + 8 + 4500 + 5 + 4500 + 20 + 4600
        assert [record["event"] for record in records if record["error"]] == ["claude_code.api_error"]
        totals = web.get("/sessions/cc-1/metrics.json").json()["totals"]
    assert {(total["name"], total["type"]): total["value"] for total in totals} == {
        ("claude_code.cost.usage", ""): 0.0278,
        ("claude_code.token.usage", "input"): 45,
        ("claude_code.token.usage", "output"): 400,
        ("claude_code.token.usage", "cacheRead"): 13000,
        ("claude_code.token.usage", "cacheCreation"): 4600,
    }
