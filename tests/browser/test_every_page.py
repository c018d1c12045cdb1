"""Every page, light and dark, wide and on a phone: it is told to those who cannot see it, nothing stands out, nothing complains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.looking import serious, wider_than_a_phone
from tests.browser.world import BROAD, CHAT, HOSTILE, TRACE, eventually

PAGES = {
    "list": "/sessions",
    "nothing fits": "/sessions?search=nowhere",
    "filtered": "/sessions?state=ended&meta.plan=gold&min_wall=60s",
    "session": f"/sessions/{CHAT}",
    "metrics": f"/sessions/{CHAT}/metrics",
    "trace": f"/traces/{TRACE}",
    "span": f"/traces/{TRACE}?span={'3' * 16}",
    "messages": f"/traces/{TRACE}/messages",
    "over time": "/over-time?since=2h&bucket=1m",
    "by service": "/over-time?since=2h&group=service",
    "events": "/events",
    "alerts": "/alerts",
    "queries": "/queries",
    "missing": "/sessions/nobody",
}
Visit = Callable[..., Any]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(visit: Visit, name: str, scheme: str) -> None:
    window = visit(PAGES[name], color_scheme=scheme, refused=404)
    for fold in window.query_selector_all("main details:not([data-part]) > summary"):
        fold.click() if fold.is_visible() else None
    assert not serious(window)


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_it_whole(visit: Visit, name: str) -> None:
    """Nothing makes a page of 360 pixels wider than it is, and what opens over it lies within it."""
    window = visit(PAGES[name], width=360, height=740, is_mobile=True, has_touch=True, refused=404)
    assert not wider_than_a_phone(window)
    for opening in window.locator(".pop > summary >> visible=true").all():
        opening.tap()
        shown = window.locator(".pop[open] > form").evaluate("form => form.getBoundingClientRect().toJSON()")
        assert 0 <= shown["left"] < shown["right"] <= 360
        assert 0 <= shown["top"] < shown["bottom"] <= 740
        assert not wider_than_a_phone(window)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_names_stay_names(visit: Visit, number: int) -> None:
    """Nobody's text becomes part of the page, and none hides what stands beside it."""
    window = visit(f"/sessions/hostile%20{number}")
    assert window.locator("h1 bdi").count() == 1
    assert window.evaluate("document.querySelectorAll('img, main script').length") == 0
    window.goto(window.url.split("/sessions")[0] + "/sessions?search=hostile")
    assert window.locator("tr[data-key]").count() == len(HOSTILE)


@pytest.mark.parametrize("path", ["/sessions", f"/sessions/{CHAT}", f"/traces/{TRACE}?span={'2' * 16}", "/over-time?since=2h", "/events"])
def test_reading_needs_no_script(visit: Visit, path: str) -> None:
    window = visit(path, java_script_enabled=False)
    text = window.inner_text("main")
    expected = {
        "/sessions": "Torn jacket",
        f"/sessions/{CHAT}": "Answer 2: here.",
        "/over-time?since=2h": "Turn duration",
        "/events": "ended",
    }
    assert expected.get(path, "gpt-5") in text
    assert not window.locator(".scripted >> visible=true").count()


def test_a_trace_of_ten_thousand_spans(visit: Visit) -> None:
    """What is seen is there at once, the rest comes when it is scrolled to, and one click shows what a span says."""
    window = visit(f"/traces/{BROAD}")
    assert 400 < window.locator(".span").count() < 2_000
    before = window.locator(".span").count()
    window.evaluate("scrollTo(0, document.body.scrollHeight)")
    eventually(window, f"document.querySelectorAll('.span').length > {before}")
    window.locator(".span .main").nth(3).click()
    window.wait_for_selector("#detail .facts")
    assert "span=" in window.url
