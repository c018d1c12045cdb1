"""What people do with the page: search, walk with the keyboard, watch what comes, zoom, and open what they want to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser.world import CHAT, TRACE, eventually
from tests.web.conftest import Store, trace_row

Visit = Callable[..., Any]
World = tuple[Store, str]


def names(window: Any) -> list[str]:
    return [text.strip() for text in window.locator("tr[data-key] .main").all_inner_texts()]


def test_searching_while_typing(visit: Visit) -> None:
    """The list follows, the address too, and the field keeps the cursor."""
    window = visit("/sessions")
    assert len(names(window)) > 5
    window.keyboard.press("/")
    window.keyboard.type("torn")
    eventually(window, "document.querySelectorAll('tr[data-key]').length === 1")
    assert names(window) == ["Torn jacket"]
    assert window.url.endswith("search=torn")
    assert window.evaluate("document.activeElement.id") == "search-text"
    window.keyboard.type("xyz")
    window.wait_for_selector(".empty")
    window.reload()
    assert window.input_value("#search-text") == "tornxyz"


def test_filters_are_chips_in_the_address(visit: Visit) -> None:
    window = visit("/sessions")
    window.click("text=Filter and sort")
    window.fill("#new-meta input >> nth=0", "plan")
    window.fill("#new-meta input >> nth=1", "gold")
    window.fill(".pop input[name=user]", "ann@example.com")
    window.click(".pop button.main-button")
    window.wait_for_url("**meta.plan=gold**")
    assert names(window) == ["Torn jacket"]
    assert len(window.locator(".chips li").all()) == 2
    window.click(".chips a >> nth=0")
    window.wait_for_url(lambda url: "user=" not in url)
    assert "meta.plan=gold" in window.url


def test_the_keyboard_alone(visit: Visit) -> None:
    """j and k walk, Enter opens, u leads back, ? tells."""
    window = visit("/sessions?sort=-total_tokens")
    window.keyboard.press("j")
    assert window.evaluate("document.activeElement.innerText") == "Torn jacket"
    window.keyboard.press("j")
    window.keyboard.press("k")
    window.keyboard.press("Enter")
    window.wait_for_selector("#timeline")
    window.keyboard.press("?")
    assert window.is_visible("dialog#help")
    window.keyboard.press("Escape")
    window.keyboard.press("u")
    window.wait_for_selector("tr[data-key]")


def test_news_never_move_what_is_read(visit: Visit, world: World) -> None:
    """A row that is shown changes where it stands; others are told of, and shown when that is asked for."""
    store, _ = world
    store.sessions({"session_id": "live", "Name": "before", "end": 3500})
    window = visit("/sessions")
    row = window.locator('tr[data-key="/sessions/live"]')
    window.wait_for_selector("#live.on")
    window.evaluate("scrollTo(0, 40)")
    places = names(window)
    store.sessions(
        {"session_id": "live", "Name": "after", "end": 3600, "Revision": 2, "Version": 2},
        {"session_id": "new one", "end": 3700, "Version": 2},
    )
    row.locator("text=after").wait_for()
    window.wait_for_selector(".news:not([hidden]) a")
    assert [name if name != "after" else "before" for name in names(window)] == places
    assert window.evaluate("scrollY") == 40
    window.click(".news a")
    window.wait_for_selector('tr[data-key="/sessions/new%20one"]')


def test_news_leave_filters_alone_that_are_being_filled_in(visit: Visit, world: World) -> None:
    """Also where nothing fits yet; what fits then is shown."""
    store, _ = world
    window = visit("/sessions?search=soon-there")
    window.wait_for_selector("#live.on")
    window.click("text=Filter and sort")
    window.fill(".pop input[name=user]", "ann")
    store.sessions({"session_id": "soon-there", "end": 3800, "Version": 3})
    window.wait_for_selector('tr[data-key="/sessions/soon-there"]')
    assert window.input_value(".pop input[name=user]") == "ann"


def test_an_open_session_grows(visit: Visit, world: World) -> None:
    """A new turn stands behind the last one, and the totals follow. The page is asked for again only then."""
    store, _ = world
    store.sessions({"session_id": "growing", "Turns": 1, "FirstTrace": "x"})
    store.insert("session_trace_rows", trace_row("d1" + "0" * 30, "growing", 0, 1, Input="one"))
    window = visit("/sessions/growing")
    window.locator(".turn").wait_for()
    store.insert("session_trace_rows", trace_row("d2" + "0" * 30, "growing", 5, 6, Input="two"))
    store.sessions({"session_id": "growing", "Turns": 2, "Traces": 2, "Revision": 2, "Version": 2, "FirstTrace": "x"})
    window.locator(".turn >> nth=1").wait_for()
    assert window.locator(".turn .user div").all_inner_texts() == ["one", "two"]
    eventually(window, "document.querySelectorAll('.lanes .trace').length === 2")
    fetched = "performance.getEntriesByType('resource').filter(one => one.initiatorType === 'fetch').map(one => one.name)"
    assert window.evaluate(fetched) == [window.url]


def test_a_timeline_is_zoomed_by_mouse_and_keyboard(visit: Visit) -> None:
    window = visit(f"/sessions/{CHAT}")
    width = "document.querySelector('.lanes').getBoundingClientRect().width"
    whole = window.evaluate(width)
    window.focus(".track")
    window.keyboard.press("+")
    larger = window.evaluate(width)
    assert larger > whole * 1.3
    window.hover(".track")
    window.keyboard.down("Control")
    window.mouse.wheel(0, -300)
    window.keyboard.up("Control")
    eventually(window, f"{width} > {larger * 1.3}")
    window.keyboard.press("0")
    assert abs(window.evaluate(width) - whole) < 2
    assert window.locator(".lanes .silence").count() == 2
    assert window.locator(".lanes .event").count() == 3


def test_a_turn_opens_its_waterfall(visit: Visit) -> None:
    """Where it stands, without leaving the session; its steps tell what the tools said."""
    window = visit(f"/sessions/{CHAT}")
    turn = window.locator(f"#t-{TRACE}")
    turn.locator("summary", has_text="find_order").click()
    assert "timed out" in turn.inner_text()
    turn.locator("summary", has_text="3 spans").click()
    turn.locator(".span").nth(2).wait_for()
    assert "other" in turn.locator(".flag").inner_text()


def test_a_turn_opens_its_messages(visit: Visit) -> None:
    """The whole conversation stands where the turn does, with the calls of tools."""
    window = visit(f"/sessions/{CHAT}")
    turn = window.locator(f"#t-{TRACE}")
    turn.locator("summary", has_text="Whole messages").click()
    turn.locator(".message.m-system").wait_for()
    assert turn.locator(".m-assistant .part-call b").inner_text() == "find_order"
    assert window.url.endswith(CHAT)


def test_a_waterfall_by_keyboard(visit: Visit) -> None:
    window = visit(f"/traces/{TRACE}")
    window.focus(".span .main")
    window.keyboard.press("ArrowLeft")
    assert window.locator(".span >> visible=true").count() == 1
    window.keyboard.press("ArrowRight")
    assert window.locator(".span >> visible=true").count() == 3
    window.keyboard.press("ArrowDown")
    window.keyboard.press("Enter")
    window.wait_for_selector("#detail >> text=gpt-5")
    assert f"span={'2' * 16}" in window.url


def test_times_are_the_viewers(visit: Visit) -> None:
    """In their zone, with UTC in the title."""
    window = visit(f"/traces/{TRACE}", timezone_id="Asia/Tokyo")
    time = window.locator("main time").first
    assert time.inner_text() == "2026-01-01 08:00:00"
    assert time.get_attribute("title") == "2025-12-31 23:00:00.000000000 UTC"
