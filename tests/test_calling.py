"""Who asks: the terminal says it as the environment tells, and never in its arguments."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sojourn.commands.calling import authorization, call
from sojourn.errors import ConfigError


@pytest.fixture
def heard() -> Iterator[tuple[str, list[str | None]]]:
    """A server that writes down who asks, and its address."""
    told: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.append(self.headers.get("authorization"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", told
        server.shutdown()
        thread.join()


def test_a_token_goes_before_a_password(heard: tuple[str, list[str | None]], monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, told = heard
    for name in ("SOJOURN_TOKEN", "SOJOURN_BASIC"):
        monkeypatch.delenv(name, raising=False)
    call(endpoint, "/")
    monkeypatch.setenv("SOJOURN_BASIC", "änn:p:w")
    call(endpoint, "/")
    monkeypatch.setenv("SOJOURN_TOKEN", "alpha")
    call(endpoint, "/")
    assert told == [None, f"Basic {base64.b64encode('änn:p:w'.encode()).decode()}", "Bearer alpha"]


def test_what_is_no_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without showing it."""
    monkeypatch.delenv("SOJOURN_TOKEN", raising=False)
    monkeypatch.setenv("SOJOURN_BASIC", "secret")
    with pytest.raises(ConfigError, match="SOJOURN_BASIC: is not user:password") as refused:
        authorization()
    assert "secret" not in str(refused.value)
