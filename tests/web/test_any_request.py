"""Whatever is asked of the page and its API: it is answered, or refused with words; it never fails, and goes on answering."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import Store, fresh_database, page, span_row, trace_row

QUIETLY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CLEAR = {200, 204, 303, 400, 403, 404, 405, 411, 413, 415, 421, 431, 503}
"""What an answer may be: 500 would say that nobody had thought of it, 503 that somebody who is needed is not there."""

TEXT = st.text(max_size=12)
ODDITIES = ["", "s", "1", "-1", "0", "1e400", "null", "%00", "' OR 1=1 --", "9" * 30, "2026-01-01", "24h", "-5m", "a:b:c", "<b>"]
ODD = st.sampled_from(ODDITIES) | TEXT
NAMES = """
    since until state status flags q query user user_id model tool service project limit after before sort order session_id segment by
    measure step interval from to at level event name kind trace metric page cursor columns min_cost max_cost tokens tag metadata.x
"""
NAME = st.sampled_from(NAMES.split()) | TEXT
LISTS = ("sessions", "over-time", "alerts", "events", "sessions/s", "sessions/s/metrics", "traces/x")
TWINS = ("metrics-over-time.json", "sessions/s/logs.json", "queries", "openapi.json", "static/base.css", "")
PLACES = st.sampled_from([f"/{place}" for place in (*LISTS, *(f"{name}.json" for name in LISTS), *TWINS)])
ANYWHERE = st.lists(ODD, max_size=4).map(lambda parts: "/" + "/".join(quote(part, safe="") for part in parts))
CHANGES = st.sampled_from(["/sessions/s/name", "/sessions/s/end", "/sessions/s/delete", "/sessions/s", "/rebuild", "/sessions//name", "/x"])
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT, lambda inner: st.lists(inner, max_size=2), max_leaves=3
)
SAID = st.binary(max_size=40) | st.dictionaries(st.sampled_from(["name", "at", "time", "sessions", "check", "token"]) | TEXT, VALUE).map(
    lambda said: json.dumps(said).encode()
)
KIND = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", "application/json; charset=x", ""])


@pytest.fixture(scope="module")
def api(chdb_path: Path) -> Iterator[httpx.Client]:
    with fresh_database(chdb_path) as database, page(database) as client:
        store = Store(database)
        store.sessions({"session_id": "s", "Metadata": {"x": "y"}})
        store.insert("session_trace_rows", trace_row("a" * 32))
        store.insert("otel_traces", span_row("b" * 16, SessionId="s"))
        yield client


def clear(answer: httpx.Response) -> None:
    assert answer.status_code in CLEAR, answer.text
    assert "went wrong" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.headers.get("content-type", "").startswith("application/json"):
        answer.json()


@QUIETLY
@given(PLACES | ANYWHERE, st.lists(st.tuples(NAME, ODD), max_size=5))
def test_any_question_has_an_answer(api: httpx.Client, path: str, pairs: list[tuple[str, str]]) -> None:
    clear(api.get(path, params=[(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in pairs]))


@QUIETLY
@given(st.sampled_from(["POST", "DELETE", "PUT", "PATCH", "OPTIONS", "HEAD"]), CHANGES, SAID, KIND)
def test_any_change_is_made_or_refused(api: httpx.Client, method: str, path: str, said: bytes, kind: str) -> None:
    clear(api.request(method, path, content=said, headers={"content-type": kind}))


@QUIETLY
@given(
    st.binary(max_size=80)
    | st.tuples(st.sampled_from([b"GET", b"POST", b"\xff"]), st.binary(max_size=20), st.binary(max_size=40)).map(
        lambda told: told[0] + b" /" + told[1] + b" HTTP/1.1\r\nhost: localhost\r\n" + told[2] + b"\r\n\r\n"
    )
)
def test_any_bytes_at_all_harm_nobody(api: httpx.Client, sent: bytes) -> None:
    """Whatever comes over the wire: an answer of HTTP or none, and the next one is answered."""
    with socket.create_connection((api.base_url.host, api.base_url.port or 80), timeout=30) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := _received(connection):
            answer += chunk
    assert not answer or answer.startswith(b"HTTP/1.1 ")
    assert not answer.startswith(b"HTTP/1.1 500")
    assert api.get("/openapi.json").status_code == 200


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def test_the_names_are_those_that_are_known(api: httpx.Client) -> None:
    """What is tried above has something to do with what there is."""
    told: Any = api.get("/openapi.json").json()
    known = {each["name"] for place in told["paths"].values() for each in place.get("get", {}).get("parameters", [])}
    assert len(known & set(NAMES.split())) > 5
