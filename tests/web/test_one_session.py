"""One session, one trace, events, and the addresses they have."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from sojourn.web.pages import session_address, tree
from tests.web.conftest import Store, at, page, session_row, span_row, stored, trace_row

TRACE = "a" * 32


@pytest.fixture
def story(store: Store) -> Store:
    """A session of two segments and three traces, beside another one."""
    store.sessions({"session_id": "s", "CostPico": 7, "Flags": ["unpriced"], "Segments": 2}, {"session_id": "t"})
    store.insert("session_segment_rows", *(session_row("s") | {"Segment": n} for n in (1, 0)))
    store.insert(
        "session_trace_rows", *(trace_row(letter * 32, start=n, end=n + 1) for n, letter in enumerate("cab")), trace_row("d" * 32, "t")
    )
    events = [("session.end", 20, "idle_timeout"), ("session.start", 1, "")]
    store.insert(
        "session_event_rows",
        *({"Time": at(time), "SessionId": "s", "Event": event, "Reason": reason, "Version": 1} for event, time, reason in events),
        {"Time": at(5), "SessionId": "t", "Event": "session.start", "Version": 1},
    )
    return store


def test_a_session(story: Store, web: httpx.Client) -> None:
    """Its row, segments in order, traces by start, events as they happened, and nothing of others."""
    answer = web.get("/sessions/s.json").json()
    assert answer["session"]["session_id"] == "s"
    assert answer["session"]["cost"] == "0.000000000007"
    assert [segment["segment"] for segment in answer["segments"]] == [0, 1]
    assert [trace["trace_id"][0] for trace in answer["traces"]] == ["c", "a", "b"]
    assert [(event["event"], event["reason"]) for event in answer["events"]] == [("session.start", ""), ("session.end", "idle_timeout")]
    assert answer["next"] is None
    html = web.get("/sessions/s").text
    assert html.count('<article class="turn') == 3
    assert "Some calls have no known price" in html
    assert "silent for too long" in html


def test_many_traces_come_in_parts(store: Store, web: httpx.Client) -> None:
    """Nothing is cut off in silence: `next` leads through all traces, also where starts are equal."""
    store.sessions({"session_id": "s"})
    store.insert("session_trace_rows", *(trace_row(f"{n:032x}", start=n // 3) for n in range(20)))
    assert len(web.get("/sessions/s.json").json()["traces"]) == 20
    seen, after = [], ""
    while after is not None:
        part = web.get("/sessions/s.json", params={"limit": 7, "after": after}).json()
        seen += [trace["trace_id"] for trace in part["traces"]]
        after = part["next"]
    assert seen == [f"{n:032x}" for n in range(20)]


IDS = ["a/end", "x.json", "x", "a b", "ä?&#%", "%2F", "..x", ".", "a\\b", "\u202e", "n" * 300, "json", ".json", "a//b", "x.json.json"]


@pytest.fixture(scope="module")
def named(chdb_path: Path) -> Iterator[httpx.Client]:
    """Sessions of all these ids, in two projects."""
    others = ({"session_id": identity, "Project": "p/q&r", "Name": "other"} for identity in IDS)
    with stored(chdb_path, *({"session_id": identity} for identity in IDS), *others) as web:
        yield web


@pytest.mark.parametrize("identity", IDS)
def test_any_id_is_an_address(named: httpx.Client, identity: str) -> None:
    """Routes match the raw path: the page and its twin of every id are found, also below a project."""
    for project, name in (("", identity), ("p/q&r", "other")):
        row = {"session_id": identity, "project": project}
        assert raw(named, session_address(row, ".json"))[1]["session"]["name"] == name
        assert raw(named, session_address(row))[0] == 200


def raw(web: httpx.Client, target: str) -> tuple[int, Any]:
    """GET with the path as it is: clients like to tidy dots."""
    connection = http.client.HTTPConnection(web.base_url.host, web.base_url.port)
    connection.putrequest("GET", target, skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, json.loads(body) if answer.headers["content-type"] == "application/json" else {}


def test_json_of_x_and_page_of_x_json(store: Store, web: httpx.Client) -> None:
    """`/sessions/x.json` is the JSON of `x`, `/sessions/x%2Ejson` the page of `x.json`."""
    store.sessions({"session_id": "x"}, {"session_id": "x.json"})
    assert web.get("/sessions/x.json").json()["session"]["session_id"] == "x"
    assert raw(web, "/sessions/x%2Ejson.json")[1]["session"]["session_id"] == "x.json"
    assert raw(web, "/sessions/x%2Ejson")[0] == 200
    assert web.get("/sessions/x/y").status_code == 404


@pytest.mark.parametrize(
    "path", ["/sessions/none", "/traces/none", "/none", "/sessions/", "/sessions/a/b", "/static/../app.py", "/favicon.ico"]
)
def test_what_is_not_there(web: httpx.Client, path: str) -> None:
    """404, as a page or as JSON."""
    if path != "/sessions/":
        assert web.get(path).status_code == 404
    answer = web.get(path + ".json")
    assert answer.status_code == 404
    assert answer.json()["error"]


def test_the_same_id_in_another_project(store: Store, web: httpx.Client) -> None:
    """Who asks without the project is told where the session is."""
    store.sessions({"session_id": "s", "Project": "shop"})
    answer = web.get("/sessions/s.json")
    assert answer.status_code == 404
    assert answer.json()["projects"] == ["shop"]
    assert 'href="?project=shop"' in web.get("/sessions/s").text


def test_a_trace(story: Store, web: httpx.Client) -> None:
    """Its row and its spans by start with typed values; the page shows them as a tree."""
    attributes = {"gen_ai.request.model": "gpt-5", "<script>": "<img src=x onerror=alert(1)>"}
    store = story
    store.insert(
        "otel_traces",
        span_row("1" * 16, start=0, end=2, SpanAttributes=attributes, ResourceAttributes={"service.name": "chat"}, ServiceName="chat"),
        span_row(
            "2" * 16,
            parent="1" * 16,
            start=0.5,
            Kind="llm",
            InputTokens=10,
            OutputTokens=3,
            CostPico=5 * 10**9,
            StatusCode="Error",
            SessionId="s",
        ),
        span_row("3" * 16, parent="9" * 16, start=0.25)
        | {"Events.Timestamp": [at(0.3)], "Events.Name": ["exception"], "Events.Attributes": [{"exception.type": "E"}]}
        | {"Links.TraceId": ["b" * 32], "Links.SpanId": ["1" * 16], "Links.TraceState": [""], "Links.Attributes": [{}]},
    )
    answer = web.get(f"/traces/{TRACE.upper()}.json").json()
    assert answer["trace"]["session_id"] == "s"
    spans = answer["spans"]
    assert [span["span_id"][0] for span in spans] == ["1", "3", "2"]
    assert spans[0]["attributes"] == attributes
    assert spans[0]["resource"] == {"service.name": "chat"}
    assert (spans[2]["kind"], spans[2]["input_tokens"], spans[2]["cost"], spans[2]["status"]) == ("llm", 10, "0.005", "error")
    assert (spans[2]["parent_span_id"], spans[2]["duration_ns"], spans[2]["start"]) == (
        "1" * 16,
        500_000_000,
        "2025-12-31T23:00:00.500000000Z",
    )
    assert spans[1]["events"] == [{"time": "2025-12-31T23:00:00.300000000Z", "name": "exception", "attributes": {"exception.type": "E"}}]
    assert spans[1]["links"][0]["trace_id"] == "b" * 32
    html = web.get(f"/traces/{TRACE}").text
    assert html.count('<li class="span') == 3
    assert "<img" not in html
    assert "<script>" not in html


def test_a_trace_without_a_session(store: Store, web: httpx.Client) -> None:
    """It is stored and visible as such."""
    store.insert("otel_traces", span_row("1" * 16, TRACE, start=1, end=3), span_row("2" * 16, TRACE, parent="1" * 16, start=2, end=5))
    answer = web.get(f"/traces/{TRACE}.json").json()
    assert (answer["trace"]["session_id"], answer["trace"]["name"], answer["trace"]["wall_ns"]) == ("", "span " + "1" * 16, 4_000_000_000)
    assert "in no session" in web.get(f"/traces/{TRACE}").text


def test_events(story: Store, web: httpx.Client) -> None:
    """Newest first, filtered, in parts."""
    everything = web.get("/events.json").json()["events"]
    assert [(event["session_id"], event["event"]) for event in everything] == [
        ("s", "session.end"),
        ("t", "session.start"),
        ("s", "session.start"),
    ]
    assert len(web.get("/events.json?session_id=s").json()["events"]) == 2
    assert len(web.get("/events.json?event=session.start&since=2025-12-31T23:00:03Z").json()["events"]) == 1
    seen, after = [], ""
    while after is not None:
        part = web.get("/events.json", params={"limit": 1, "after": after}).json()
        seen += part["events"]
        after = part["next"]
    assert seen == everything
    assert web.get("/events.json?limit=9999").status_code == 400
    assert web.get("/events.json?after=xx").status_code == 400


def test_alerts(web: httpx.Client, story: Store) -> None:
    """Newest first; two that one revision brought are both there, and in parts each once."""
    said = {"alert.severity": "critical", "alert.condition": "cost > 5", "alert.values": "cost=5.5"}
    row = {"SessionId": "s", "Segment": 1, "Event": "session.alert", "Attributes": said, "Version": 9}
    story.insert(
        "session_event_rows",
        *({**row, "Time": at(8), "Revision": 7, "Reason": name} for name in ("a", "b")),
        {**row, "Time": at(9), "Revision": 8, "Reason": "a", "SessionId": "t"},
    )
    found = web.get("/alerts.json").json()
    assert [(alert["session_id"], alert["name"], alert["severity"]) for alert in found["alerts"]] == [
        ("t", "a", "critical"),
        ("s", "b", "critical"),
        ("s", "a", "critical"),
    ]
    assert found["alerts"][1] == {
        "name": "b", "severity": "critical", "condition": "cost > 5", "values": "cost=5.5", "firing": False, "tenant": "", "project": "",
        "session_id": "s", "segment": 1, "revision": 7, "time": "2025-12-31T23:00:08.000000000Z",
    }  # fmt: skip
    seen, after = [], ""
    while after is not None:
        part = web.get("/alerts.json", params={"limit": 1, "after": after}).json()
        seen += part["alerts"]
        after = part["next"]
    assert seen == found["alerts"]
    assert len(web.get("/alerts.json?session_id=t").json()["alerts"]) == 1
    assert web.get("/alerts.json?event=session.end").status_code == 400


@pytest.mark.parametrize(("path", "rows"), [("/alerts", 1), ("/alerts?name=dear", 1), ("/alerts?name=other", 0), ("/events", 2)])
def test_events_are_told_of_sessions_by_name(store: Store, web: httpx.Client, path: str, rows: int) -> None:
    """Beside the id; of an alert its condition, and no attributes."""
    store.sessions({"session_id": "s-1", "Name": "Torn jacket"})
    said = {"alert.severity": "critical", "alert.condition": "cost > 5", "alert.values": "cost=5.5"}
    event = {"SessionId": "s-1", "Time": at(8), "Version": 9}
    alert = event | {"Event": "session.alert", "Revision": 7, "Reason": "dear", "Attributes": said}
    store.insert("session_event_rows", alert, event | {"Event": "session.start", "Revision": 1})
    html = web.get(path).text
    assert html.count("Torn jacket") == html.count("<code><bdi>s-1") == rows
    assert html.count("<code>cost &gt; 5</code>") == min(rows, 1)
    assert "alert.condition" not in html


def test_a_tree_of_spans_holds_every_span_once() -> None:
    """Also where parents are missing, form a loop, or name themselves, and where it is very deep."""
    parents = {"a": "", "b": "a", "c": "b", "d": "gone", "e": "f", "f": "e", "g": "g"}
    for order in itertools.islice(itertools.permutations(parents), 0, 5040, 97):
        shown = tree([{"span_id": name, "parent_span_id": parents[name]} for name in order])
        assert sorted(span["span_id"] for span in shown) == sorted(parents)
        depths = {span["span_id"]: span["depth"] for span in shown}
        assert (depths["a"], depths["b"], depths["c"], depths["d"]) == (0, 1, 2, 0)
    deep = tree([{"span_id": str(n), "parent_span_id": str(n - 1)} for n in range(5000)])
    assert len(deep) == 5000


def test_only_reading_and_only_for_friends(web: httpx.Client) -> None:
    """No address changes anything yet, pages run no scripts but our own file, and a stranger's name for this address is refused."""
    for method in ("POST", "PUT", "OPTIONS"):
        assert web.request(method, "/sessions/x").status_code == 405
    policy = web.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert web.get("/static/base.css").headers["content-type"].startswith("text/css")
    assert web.head("/sessions.json").text == ""
    for host in ("evil.example:4321", "127.0.0.1.evil.example", ""):
        assert web.get("/sessions.json", headers={"Host": host}).status_code in (400, 403)
    assert web.get("/sessions.json", headers={"Host": "localhost:4321"}).status_code == 200
    assert raw(web, "/sessions/" + quote(b"\xff"))[0] == 400


def test_a_database_that_cannot_answer(store: Store, web: httpx.Client) -> None:
    """Tables that are not there yet, or a broken database, are 503 with a word about it; other pages stay up."""
    store.database.client().command("RENAME TABLE session_rows TO gone", settings={"check_table_dependencies": 0})
    answer = web.get("/sessions.json")
    assert answer.status_code == 503
    assert "not there yet" in answer.json()["error"]
    assert answer.headers["retry-after"]
    assert web.get("/sessions").status_code == 503
    assert web.get("/events.json").status_code == 200


def test_without_a_database_there_is_no_page(caplog: pytest.LogCaptureFixture) -> None:
    """A collector that keeps nothing says so and serves nothing."""
    caplog.set_level("INFO")
    with pytest.raises(KeyError), page(None):
        pass
    assert "not started" in caplog.text


def test_alerts_that_still_fire(store: Store, web: httpx.Client) -> None:
    """Newest first, in parts, with what fires still; several may come at one moment."""
    store.sessions({"session_id": "s", "Alerts": ["slow", "dear"]}, {"session_id": "t"})
    said = {"alert.severity": "warning", "alert.condition": "cost > 5", "alert.values": "cost = 6"}
    told = [(5, "s", "dear"), (5, "s", "slow"), (5, "s", "old"), (6, "t", "dear")]
    rows = ({"Time": at(time), "SessionId": session, "Event": "session.alert", "Reason": name} for time, session, name in told)
    store.insert("session_event_rows", *(row | {"Attributes": said, "Version": 1} for row in rows))
    store.insert("session_event_rows", {"Time": at(7), "SessionId": "s", "Event": "session.end", "Version": 1})
    found = web.get("/alerts.json").json()["alerts"]
    assert [(one["session_id"], one["name"], one["firing"]) for one in found] == [
        ("t", "dear", False),
        ("s", "slow", True),
        ("s", "old", False),
        ("s", "dear", True),
    ]
    assert (found[0]["severity"], found[0]["condition"], found[0]["values"]) == ("warning", "cost > 5", "cost = 6")
    seen, after = [], ""
    while after is not None:
        part = web.get("/alerts.json", params={"limit": 1, "after": after}).json()
        seen += part["alerts"]
        after = part["next"]
    assert seen == found
    assert [one["session_id"] for one in web.get("/alerts.json?name=dear").json()["alerts"]] == ["t", "s"]
    html = web.get("/alerts?session_id=s").text
    assert html.count("cost &gt; 5") == 3
    assert "alerts fire" in web.get("/sessions/s").text
    assert "No alerts yet" not in html
