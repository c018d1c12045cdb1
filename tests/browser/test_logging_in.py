"""The door of a collector that asks who comes: a form that everybody can use, clear words, and a way to what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sojourn.testing import Collector, request, run, span
from tests.browser.looking import serious, wider_than_a_phone

Visit = Callable[..., Any]
CONFIG = """
receivers: {otlp: {protocols: {http: }}}
processors: {session: , aggregate: , lifecycle: }
exporters: {clickhouse: }
extensions:
  web: {auth: {authenticator: bearer}}
  bearer: {credentials: [{token: alpha, tenant: a}, {token: reader, tenant: a, scopes: [read]}]}
service:
  extensions: [web, bearer]
  pipelines: {traces: {receivers: [otlp], processors: [session, aggregate, lifecycle], exporters: [clickhouse]}}
"""
SESSION = "/sessions/shop%2F7?project="


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with run(CONFIG) as collector:
        collector.send(request(span("chat", session="shop/7", tokens=(100, 20))), tenant="a")
        collector.settle()
        yield collector


@pytest.fixture(scope="module")
def home(collector: Collector) -> str:
    return f"http://{collector.endpoints['web']}"


def log_in(window: Any, token: str) -> None:
    """With the keyboard: the field has the focus."""
    window.keyboard.type(token)
    with window.expect_navigation():
        window.keyboard.press("Enter")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(visit: Visit, scheme: str) -> None:
    """Axe finds nothing serious, before and after a wrong token; and nothing of the page is told to strangers."""
    window = visit(SESSION, color_scheme=scheme, refused=401)
    assert not serious(window)
    assert "shop" not in window.inner_text("body")
    log_in(window, "guess")
    assert not serious(window)


def test_a_phone_shows_it_whole(visit: Visit) -> None:
    window = visit("/sessions", width=360, height=740, is_mobile=True, has_touch=True, refused=401)
    assert not wider_than_a_phone(window)
    window.fill("#token", "guess")
    window.tap("button.main-button")
    window.get_by_role("alert").wait_for()
    assert not wider_than_a_phone(window)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_token_leads_to_what_was_asked_for(visit: Visit, home: str, script: bool) -> None:
    """A wrong one is told of in words, and does not lose the way; whoever logs out sees nothing any more."""
    window = visit(SESSION, java_script_enabled=script, refused=401)
    assert window.locator("#token").evaluate("field => field === document.activeElement")
    log_in(window, "guess")
    assert window.get_by_role("alert").inner_text() == "This token is not known here."
    log_in(window, "alpha")
    assert window.url == home + SESSION
    assert window.inner_text("h1") == "chat"
    with window.expect_navigation():
        window.click("button >> text=Log out")
    window.goto(home + SESSION)
    assert window.url.startswith(home + "/login?to=")


def test_whoever_is_inside_changes_sessions(visit: Visit, home: str) -> None:
    """With the cookie and the form; after logging out elsewhere the form leads to the door, and from there to the session."""
    window = visit(SESSION)
    log_in(window, "alpha")
    rename(window, "Torn jacket")
    assert (window.url, window.inner_text("h1")) == (home + SESSION.removesuffix("?project="), "Torn jacket")
    window.context.clear_cookies()
    rename(window, "lost")
    assert window.url.startswith(home + "/login?to=")
    log_in(window, "alpha")
    assert (window.url, window.inner_text("h1")) == (home + SESSION.removesuffix("?project="), "Torn jacket")


def test_whoever_only_reads_is_offered_nothing_else(visit: Visit, home: str) -> None:
    """What may be done stands there, what may not does not; a form that is sent all the same is answered in words."""
    window = visit(SESSION, refused=403)
    log_in(window, "reader")
    assert window.locator(".actions > * >> visible=true").all_inner_texts() == ["Export JSON", "Copy link"]
    form = f'<form method="post" action="{SESSION.replace("?", "/name?")}"><input name="name" value="mine"></form>'
    with window.expect_navigation():
        window.locator(".side").evaluate("(side, form) => { side.innerHTML = form; side.querySelector('form').submit(); }", form)
    assert "this credential may not do that" in window.inner_text("main")
    assert window.inner_text("h1") == "Not for you"


def rename(window: Any, name: str) -> None:
    window.click("summary >> text=Rename")
    window.fill("input[name=name]", name)
    with window.expect_navigation():
        window.keyboard.press("Enter")
