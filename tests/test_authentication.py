"""A collector that asks who comes: over OTLP, on the page and its API, over SQL, and with credentials that change."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import httpx
import pytest

from sojourn.cli import main
from sojourn.testing import Collector, request, run, span

CONFIG = """
receivers:
  otlp: {{auth: {{authenticator: bearer}}, protocols: {{grpc: {{endpoint: "127.0.0.1:4317"}}, http: {{endpoint: "127.0.0.1:4318"}}}}}}
processors: {{session: , aggregate: , lifecycle: }}
exporters: {{clickhouse: }}
extensions:
  web: {{endpoint: "127.0.0.1:0", auth: {{authenticator: bearer}}}}
  clickhouse_http: {{endpoint: "127.0.0.1:0", auth: {{authenticator: bearer}}}}
  bearer:
    credentials:
      - {{token: alpha, tenant: a}}
      - {{token_file: {file}, tenant: b}}
      - {{token: gamma, tenant: c}}
      - {{token: writer, tenant: a, scopes: [write]}}
      - {{token: "sha256:{reader}", tenant: a, scopes: [read]}}
      - {{token: root, scopes: [admin]}}
service:
  extensions: [web, clickhouse_http, bearer]
  pipelines: {{traces: {{receivers: [otlp], processors: [session, aggregate, lifecycle], exporters: [clickhouse]}}}}
"""
BEARER = {token: {"authorization": f"Bearer {token}"} for token in ("alpha", "beta", "gamma", "writer", "reader", "root", "none")}


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Two tenants that use the same ids."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text("# two, while the old one is still in use\nbeta\nbeta-old\n")
    with run(CONFIG.format(file=file, reader=hashlib.sha256(b"reader").hexdigest())) as collector:
        for token, name in (("alpha", "of a"), ("beta", "of b"), ("none", "of nobody")):
            body = request(span(name, session="s", trace="t", id="t", tokens=(len(token), 1))).SerializeToString()
            headers = BEARER[token] | {"content-type": "application/x-protobuf"}
            answer = httpx.post(f"http://{collector.endpoints['otlp_http']}/v1/traces", content=body, headers=headers, timeout=30)
            assert answer.status_code == (401 if token == "none" else 200)
        collector.settle()
        yield collector


@pytest.fixture
def web(collector: Collector) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{collector.endpoints['web']}", timeout=60) as client:
        yield client


def names(web: httpx.Client, token: str) -> list[str]:
    answer = web.get("/sessions.json", headers=BEARER[token])
    assert answer.status_code == 200
    return [session["name"] for session in answer.json()["sessions"]]


def test_everybody_sees_what_is_theirs(collector: Collector, web: httpx.Client) -> None:
    """The list, one session, its trace, its log records: never a row of another tenant."""
    assert [names(web, token) for token in ("alpha", "reader", "beta", "root")] == [["of a"], ["of a"], ["of b"], []]
    trace = span("x", trace="t").trace_id
    for token, name in (("alpha", "of a"), ("beta", "of b")):
        assert web.get("/sessions/s.json", headers=BEARER[token]).json()["session"]["name"] == name
        told = web.get(f"/traces/{trace}.json", headers=BEARER[token]).json()
        assert [each["name"] for each in told["spans"]] == [name]
    for path in ("/sessions/s.json", f"/traces/{trace}.json", "/sessions/s/logs.json", "/sessions/s/metrics.json"):
        assert web.get(path, headers=BEARER["root"]).status_code == 404


@pytest.mark.parametrize("path", ["/sessions.json", "/sessions/s.json", "/events.json", "/alerts.json", "/sessions/s/logs.json", "/x.json"])
def test_strangers_see_nothing(web: httpx.Client, path: str) -> None:
    """401 with what to present, before it is looked whether there is anything; who may only send sees nothing either."""
    for headers in ({}, BEARER["none"], {"cookie": "sojourn=x"}, {"authorization": "Basic cm9vdA=="}):
        answer = web.get(path, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="sojourn"')
        assert "of a" not in answer.text
    assert web.get(path, headers=BEARER["writer"]).status_code == 403


def test_changes_need_more_than_sight(collector: Collector, web: httpx.Client) -> None:
    """Who reads and writes changes sessions of their own tenant; who reads alone does not."""
    for token, status in (("none", 401), ("reader", 403), ("writer", 403), ("root", 404), ("beta", 200)):
        answer = web.post("/sessions/s/name", json={"name": f"by {token}"}, headers=BEARER[token])
        assert answer.status_code == status, token
    assert (names(web, "alpha"), names(web, "beta")) == (["of a"], ["by beta"])
    assert web.post("/rebuild", json={}, headers=BEARER["alpha"]).status_code == 403
    assert web.delete("/sessions/s", headers=BEARER["reader"]).status_code == 403


def test_people_log_in_with_a_token(web: httpx.Client) -> None:
    """The page leads to the form and back; the cookie is out of reach of scripts and of other pages, and ends with logging out."""
    sent_away = web.get("/sessions/s?project=")
    assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/login?to=%2Fsessions%2Fs%3Fproject%3D")
    assert web.get("/sessions/a%2Fend").headers["location"] == "/login?to=%2Fsessions%2Fa%252Fend"
    form = web.get(sent_away.headers["location"])
    assert 'value="/sessions/s?project="' in form.text
    assert "content-security-policy" in form.headers
    assert web.get("/static/base.css").status_code == 200
    wrong = web.post("/login", data={"token": "none", "to": "/"})
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    right = web.post("/login", data={"token": "alpha", "to": "/sessions/s?project="})
    assert (right.status_code, right.headers["location"]) == (303, "/sessions/s?project=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(right.headers["set-cookie"].split("; "))
    page = web.get("/sessions/s")
    assert page.status_code == 200
    assert "of a" in page.text
    assert 'action="/logout"' in page.text
    assert 'action="/logout"' not in web.get("/sessions", headers={"Authorization": "Bearer alpha"}).text  # a program has not logged in
    kept = dict(web.cookies)
    assert web.post("/logout").status_code == 303
    for headers in ({}, {"cookie": f"sojourn={kept['sojourn']}"}):
        assert web.get("/sessions/s", headers=headers).status_code == 303


@pytest.mark.parametrize("goal", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:x", "/a\nb", "/logout", ""])
def test_a_login_leads_nowhere_else(web: httpx.Client, goal: str) -> None:
    assert web.post("/login", data={"token": "alpha", "to": goal}).headers["location"] == "/"


def test_no_other_page_logs_anybody_in_or_out(web: httpx.Client) -> None:
    for path in ("/login", "/logout"):
        assert web.post(path, data={"token": "alpha"}, headers={"Origin": "https://evil.example"}).status_code == 403
        assert web.get(path).status_code in (200, 405)
    assert web.post("/login", content=b"x" * (2 << 20)).status_code == 413
    assert web.get("/login", headers={"Host": "evil.example"}).status_code == 403


def test_sql_is_for_administrators(collector: Collector) -> None:
    """It sees every tenant. Clients present the token as a token, or as the password of any user."""
    address = f"http://{collector.endpoints['clickhouse_http']}"
    sql = f"SELECT count() FROM {collector.service.database().name}.sessions"  # type: ignore[union-attr]
    assert httpx.get(f"{address}/ping").status_code == 200
    for token, status in (("root", 200), ("alpha", 403), ("none", 401)):
        basic = {"authorization": "Basic " + base64.b64encode(f"any:{token}".encode()).decode()}
        key = {"x-clickhouse-user": "any", "x-clickhouse-key": token}
        for headers in (BEARER[token], basic, key):
            assert httpx.post(address, content=sql, headers=headers, timeout=60).status_code == status
        assert httpx.get(address, params={"query": sql, "password": token}, timeout=60).status_code == status
    stranger = httpx.post(address, content=sql)
    assert (stranger.status_code, stranger.headers["x-clickhouse-exception-code"]) == (401, "516")
    assert "www-authenticate" in stranger.headers
    host, _, port = collector.endpoints["clickhouse_http"].rpartition(":")
    with clickhouse_connect.get_client(host=host, port=int(port), username="me", password="root") as client:
        assert client.command(sql) == 2


def test_dead_letters_go_back_to_their_tenant(
    collector: Collector, web: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a token of it, and without one not at all; those of others stay."""
    folder = tmp_path / "dead-letters"
    folder.mkdir()
    row = {"Timestamp": collector.clock.now(), "Duration": 1, "SpanAttributes": {"session.id": "dead"}, "SpanId": "00f067aa0ba902b7"}
    rows = [row | {"Tenant": tenant, "TraceId": trace * 32, "SpanName": f"of {tenant}"} for tenant, trace in (("c", "c"), ("b", "b"))]
    file = folder / "2026-01-01.jsonl"
    file.write_text("".join(json.dumps({"table": "otel_traces", "row": row}) + "\n" for row in rows))
    retry = ["dead-letters", "retry", "--tenant", "c", "--set", f"service.data_dir={tmp_path}"]
    retry += ["--endpoint", f"http://{collector.endpoints['otlp_http']}"]
    monkeypatch.delenv("SOJOURN_TOKEN", raising=False)
    assert main(retry) == 1
    assert "SOJOURN_TOKEN" in capsys.readouterr().err
    monkeypatch.setenv("SOJOURN_TOKEN", "gamma")
    assert main(retry) == 1
    assert capsys.readouterr().out == "1 rows were taken, 1 are left\n"
    assert [json.loads(line)["row"]["Tenant"] for line in file.read_text().splitlines()] == ["b"]
    collector.settle()
    assert web.get("/sessions/dead.json", headers=BEARER["gamma"]).json()["session"]["name"] == "of c"
    assert web.get("/sessions/dead.json", headers=BEARER["beta"]).status_code == 404
