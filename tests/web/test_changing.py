"""Rename and end sessions over the API of a whole collector: what people say wins, at once and for good, and only our page may ask."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from sojourn.cli import main
from sojourn.testing import Collector, at, run, span
from sojourn.web.changing import TOKEN
from tests.web.conftest import PATIENCE


@contextmanager
def page(collector: Collector) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{collector.endpoints['web']}", timeout=PATIENCE, trust_env=False) as client:
        yield client


@pytest.fixture
def collector() -> Iterator[Collector]:
    with run(now="09:10") as collector:
        yield collector


@pytest.fixture
def api(collector: Collector) -> Iterator[httpx.Client]:
    with page(collector) as client:
        yield client


def chat(start: str, session: str = "s", **more: Any) -> Any:
    return span("chat", session=session, start=at(start), tokens=(100, 20), **{"trace": f"{session} {start}"} | more)


def test_a_name_wins_for_good(collector: Collector, api: httpx.Client) -> None:
    """Over names that are told later too; the answer is the session."""
    collector.send(chat("09:05", attributes={"agentmark.session_name": "told"}))
    collector.settle()
    answer = api.post("/sessions/s/name", json={"name": "  The tall one  "})
    assert answer.status_code == 200
    assert (answer.json()["session"]["name"], answer.json()["session"]["name_source"]) == ("The tall one", "manual")
    collector.send(chat("09:08", attributes={"agentmark.session_name": "told again"}))
    assert [(row["Name"], row["NameSource"], row["Traces"]) for row in collector.sessions()] == [("The tall one", "manual", 2)]
    assert api.get("/sessions.json?search=tall").json()["sessions"][0]["session_id"] == "s"
    assert api.post("/sessions/s/name", json={"name": "another"}).json()["session"]["name"] == "another"


def test_an_end_is_explicit_and_what_starts_later_is_another_segment(collector: Collector, api: httpx.Client) -> None:
    """At the time at which it was said."""
    collector.send(chat("09:05"))
    collector.settle()
    session = api.post("/sessions/s/end").json()["session"]
    assert (session["state"], session["end_reason"]) == ("ended", "explicit")
    collector.set("09:12")
    collector.send(chat("09:09", trace="late"), chat("09:11", trace="after"))
    (row,) = collector.sessions()
    assert (row["Segments"], row["State"], "activity_after_end" in row["Flags"]) == (2, "active", True)
    segments = collector.query("SELECT Segment, Traces, State, EndReason FROM session_segments ORDER BY Segment")
    assert [tuple(each.values()) for each in segments] == [(0, 2, "ended", "explicit"), (1, 1, "active", "")]
    events = [(each["Event"], each["Reason"]) for each in collector.query("SELECT * FROM session_events ORDER BY Time, Revision")]
    assert ("session.end", "explicit") in events


def test_what_people_said_survives_restarts_and_being_forgotten() -> None:
    """It is read again with the session, whether that lived or had ended."""
    database = [f"exporters.clickhouse.database=marks_{uuid.uuid4().hex[:8]}"]
    with run(settings=database, now="09:10") as collector, page(collector) as api:
        collector.send(chat("09:05"), chat("09:05", "t"), chat("09:05", "u"))
        collector.settle()
        for session in "stu":
            api.post(f"/sessions/{session}/name", json={"name": f"called {session}"}).raise_for_status()
        api.post("/sessions/t/end").raise_for_status()
        collector.set("09:20")
    for now in ("09:21", "09:25", "11:00"):
        with run(settings=database, now=now) as collector:
            collector.send(chat(now), chat(now, "t"), chat("09:06", "u", trace=f"u{now}"))
            rows = {row["SessionId"]: row for row in collector.sessions()}
            assert [rows[each]["Name"] for each in "stu"] == ["called s", "called t", "called u"]
            assert "activity_after_end" in rows["t"]["Flags"]
            reasons = collector.query("SELECT EndReason FROM session_segments WHERE SessionId = 't' ORDER BY Segment LIMIT 1")
            assert reasons == [{"EndReason": "explicit"}]


def test_a_session_is_told_by_its_project(collector: Collector, api: httpx.Client) -> None:
    """Where there is none of this id, those that there are are named."""
    collector.send(chat("09:05", "a/end", resource={"service.namespace": "shop"}))
    collector.settle()
    missing = api.post("/sessions/a%2Fend/name", json={"name": "x"})
    assert (missing.status_code, missing.json()["projects"]) == (404, ["shop"])
    assert api.post("/sessions/a%2Fend/name?project=shop", json={"name": "x"}).json()["session"]["name"] == "x"
    assert api.post("/sessions/nobody/end").status_code == 404


BAD: tuple[dict[str, Any], ...] = (
    {"content": b""},
    {"json": {}},
    {"json": {"name": "  "}},
    {"json": {"name": 5}},
    {"json": {"name": "x" * 501}},
    {"json": {"name": "a\u0007b"}},
    {"json": {"name": "x", "more": 1}},
    {"json": ["x"]},
    {"content": b"{", "headers": {"content-type": "application/json"}},
    {"content": b"name=x", "headers": {"content-type": "text/plain"}},
    {"json": {"name": "x"}, "params": {"projekt": "x"}},
)


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_bad_input_is_refused(api: httpx.Client, bad: dict[str, Any]) -> None:
    """With 400 and what to send instead."""
    answer = api.post("/sessions/s/name", **bad)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
    ids=str,
)
def test_other_pages_are_refused(collector: Collector, api: httpx.Client, headers: dict[str, str]) -> None:
    """Whatever a browser lets them send; our own page and programs are not."""
    collector.send(chat("09:05"))
    collector.settle()
    assert api.post("/sessions/s/end", headers=headers).status_code == 403
    assert collector.sessions()[0]["State"] == "active"
    own = {"origin": f"http://{collector.endpoints['web']}", "sec-fetch-site": "same-origin"}
    assert api.post("/sessions/s/end", headers=own).status_code == 200


def test_a_form_needs_the_token_of_the_page(collector: Collector, api: httpx.Client) -> None:
    """With it, a browser is led back to the session."""
    collector.send(chat("09:05"))
    collector.settle()
    refused = api.post("/sessions/s/name", data={"name": "x", "token": "guess"})
    assert (refused.status_code, refused.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "load the page again" in refused.text
    assert "content-security-policy" in refused.headers
    answer = api.post("/sessions/s/name", data={"name": "from a form", "token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sessions/s")
    assert collector.sessions()[0]["Name"] == "from a form"


def test_nothing_changes_by_looking(collector: Collector, api: httpx.Client) -> None:
    """GET never changes anything, and too much is not read."""
    collector.send(chat("09:05"))
    collector.settle()
    assert api.get("/sessions/s/end").status_code == 404
    assert api.post("/sessions/s/name", content=b"x" * (2 << 20)).status_code == 413
    assert collector.sessions()[0]["State"] == "active"


def test_the_command_line(collector: Collector, api: httpx.Client, capfd: pytest.CaptureFixture[str]) -> None:
    """`sojourn sessions rename` and `end` do the same and show the session."""
    collector.send(chat("09:05"))
    collector.settle()
    endpoint = ["--endpoint", str(api.base_url)]
    assert main(["sessions", "rename", "s", "Called so", *endpoint]) == 0
    assert "Called so" in capfd.readouterr().out
    assert main(["sessions", "end", "s", "--json", *endpoint]) == 0
    assert json.loads(capfd.readouterr().out)["session"]["end_reason"] == "explicit"
    assert main(["sessions", "end", "nobody", *endpoint]) == 1
    assert "there is no session of this id" in capfd.readouterr().err
    assert main(["sessions", "rename", "s", " ", *endpoint]) == 2
