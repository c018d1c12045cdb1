"""Who is answered by the page and the ClickHouse protocol, and who may change something."""

from __future__ import annotations

import httpx
import pytest

from sojourn.config.types import Endpoint
from sojourn.web.serving import Friends

LOCAL, PUBLIC = Endpoint("127.0.0.1", 4321), Endpoint("0.0.0.0", 4321)


def scope(**headers: str) -> dict[str, object]:
    return {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        ({}, True),  # a program
        ({"origin": "http://127.0.0.1:4321"}, True),
        ({"origin": "HTTP://127.0.0.1:4321", "sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),  # typed by a person
        ({"origin": "http://127.0.0.1:4322"}, False),
        ({"origin": "http://localhost:4321"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "file://127.0.0.1:4321"}, False),
        ({"origin": "http://127.0.0.1:4321.evil.example"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"origin": "http://127.0.0.1:4321", "sec_fetch_site": "cross-site"}, False),
        ({"origin": "https://sessions.example.org"}, True),  # a reverse proxy that asks by our own address
        ({"origin": "https://other.example.org"}, False),
    ],
)
@pytest.mark.parametrize("endpoint", [LOCAL, PUBLIC], ids=str)
def test_only_our_own_page_changes_something(endpoint: Endpoint, headers: dict[str, str], may: bool) -> None:
    """A browser says where a request comes from; nobody but our own page and programs may change anything."""
    friends = Friends(endpoint, ["sessions.example.org"])
    assert friends.may_change(scope(host="127.0.0.1:4321", **headers)) is may


def test_two_origins_are_none() -> None:
    """Every header that tells an origin has to be ours."""
    headers = scope(host="127.0.0.1:4321", origin="http://127.0.0.1:4321")["headers"]
    assert isinstance(headers, list)
    assert not Friends(LOCAL).may_change({"headers": [*headers, (b"origin", b"http://evil.example")]})
    assert not Friends(PUBLIC).may_change({"headers": [*headers, (b"host", b"evil.example")]})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"])
def test_nothing_is_changed_for_strangers(web: httpx.Client, method: str) -> None:
    """Pages of others are refused before anything is looked at; and no method but those that are known does anything."""
    for path in ("/", "/sessions", "/sessions/s", "/static/base.css"):
        assert web.request(method, path, headers={"Origin": "https://evil.example"}).status_code == 403
        assert (method, path) == ("DELETE", "/sessions/s") or web.request(method, path).status_code in (404, 405, 501)


def test_every_page_keeps_scripts_out(web: httpx.Client) -> None:
    """No page may run a script that stands in it, be framed, or load anything from elsewhere."""
    for path in ("/", "/sessions", "/sessions.json", "/sessions/none", "/nowhere", "/static/base.css"):
        answer = web.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers
        if answer.headers["content-type"].startswith("text/html"):
            assert "<script>" not in answer.text
            assert not any(f" {event}=" in answer.text for event in ("onclick", "onload", "onerror", "onsubmit"))
            assert " style=" not in answer.text
