"""CORS: which web pages may send from a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sojourn import _native
from tests.native.wire import PROTOBUF, raw_lane, serving, spans

ORIGINS = ["https://app.example.com", "https://*.example.org"]


@pytest.fixture
def native() -> Iterator[_native.Server]:
    cors = {"allowed_origins": ORIGINS, "allowed_headers": ["X-Key"], "exposed_headers": ["retry-after"], "max_age": 7200}
    with serving({"traces": [raw_lane()]}, http={"cors": cors}) as native:
        yield native


def preflight(native: _native.Server, origin: str, headers: str = "content-type") -> httpx.Response:
    asked = {"origin": origin, "access-control-request-method": "POST", "access-control-request-headers": headers}
    return httpx.options(f"http://{native.http}/v1/traces", headers=asked)


def post(native: _native.Server, body: bytes = b"", **headers: str) -> httpx.Response:
    return httpx.post(f"http://{native.http}/v1/traces", content=body, headers={"content-type": PROTOBUF} | headers)


@pytest.mark.parametrize("origin", ["https://app.example.com", "https://a.b.example.org", "HTTPS://APP.EXAMPLE.COM"])
def test_a_preflight_of_an_allowed_page(native: _native.Server, origin: str) -> None:
    """204 with the origin, the method, and those of the asked headers that are allowed."""
    answer = preflight(native, origin, "Content-Type, x-key, x-other, x-requested-with")
    assert answer.status_code == 204
    told = {name.removeprefix("access-control-"): value for name, value in answer.headers.items() if name.startswith("access-control-")}
    assert told == {
        "allow-origin": origin,
        "allow-credentials": "true",
        "allow-methods": "POST",
        "allow-headers": "Content-Type, x-key, x-requested-with",
        "max-age": "7200",
    }
    assert "origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", ["https://evil.example.net", "https://app.example.com.evil.net", "http://app.example.com", "null"])
def test_a_preflight_of_another_page(native: _native.Server, origin: str) -> None:
    """Nothing is allowed to it, and caches learn that the answer depends on the origin."""
    answer = preflight(native, origin)
    assert answer.status_code == 204
    assert [name for name in answer.headers if name.startswith("access-control-")] == []
    assert "origin" in answer.headers["vary"]


def test_answers_may_be_read_by_the_page(native: _native.Server) -> None:
    """Success and refusal carry the origin."""
    for body, code in ((spans(1), 200), (b"\xff", 400)):
        answer = post(native, body, origin=ORIGINS[0])
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (code, ORIGINS[0])
        assert answer.headers["access-control-expose-headers"] == "retry-after"
    assert "access-control-allow-origin" not in post(native, spans(1), origin="https://evil.example.net").headers
    assert "access-control-allow-origin" not in post(native, spans(1)).headers


@pytest.mark.parametrize("settings", [{"allowed_origins": ["*"]}, {"allowed_origins": ["*"], "allowed_headers": ["*"]}])
def test_any_page(settings: dict[str, Any]) -> None:
    """`*` allows every page, but never with credentials; `*` as a header allows every header."""
    with serving({}, http={"cors": settings}) as native:
        answer = preflight(native, "https://anywhere.example", "x-any")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers.get("access-control-allow-headers") == ("x-any" if "allowed_headers" in settings else None)
        assert "access-control-max-age" not in answer.headers


def test_without_cors_a_preflight_is_a_wrong_method() -> None:
    """Off by default."""
    with serving({}) as native:
        assert preflight(native, ORIGINS[0]).status_code == 405
        assert "access-control-allow-origin" not in post(native, origin=ORIGINS[0]).headers
