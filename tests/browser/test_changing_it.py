"""Renaming, ending and deleting sessions as people do it: in a browser, on the page of a whole collector that was sent spans."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from sojourn.testing import Collector, at, request, run, span
from sojourn.web import wording
from tests.browser.world import HOSTILE

Visit = Callable[..., Any]
Told = Callable[..., str]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with run(now="09:10") as collector:
        yield collector


@pytest.fixture(scope="module")
def home(collector: Collector) -> str:
    return f"http://{collector.endpoints['web']}"


@pytest.fixture(scope="module")
def told(collector: Collector) -> Told:
    """Send a session of one turn over OTLP and wait until it is stored; of the same name, one more turn."""
    numbers = itertools.count(1)

    def send(name: str, start: str = "09:05", **attributes: str) -> str:
        number = next(numbers)
        one = span("chat", trace=f"turn {number}", session=name, start=at(start), tokens=(100, 20), attributes=attributes)
        url, kind = f"http://{collector.endpoints['otlp_http']}/v1/traces", {"content-type": "application/x-protobuf"}
        httpx.post(url, content=request(one).SerializeToString(), headers=kind, timeout=60).raise_for_status()
        collector.settle()
        return name

    return send


def answer(home: str, path: str) -> httpx.Response:
    return httpx.get(home + path, timeout=60)


def listed(window: Any) -> list[str]:
    return [key.removeprefix("/sessions/") for key in window.locator("tr[data-key]").evaluate_all("rows => rows.map(r => r.dataset.key)")]


def focused(window: Any) -> str:
    return str(window.evaluate("document.activeElement.textContent")).strip()


def tab_to(window: Any, words: str, most: int = 60) -> None:
    """Press Tab until what says these words has the focus."""
    for _ in range(most):
        window.keyboard.press("Tab")
        if focused(window) == words:
            return
    raise AssertionError(f"{words}: is not reached with {most} times Tab")


def test_a_deletion_that_is_thought_better_of(visit: Visit, told: Told, home: str) -> None:
    """The first click deletes nothing: it says what would go, and how to leave the session alone; Escape and clicks elsewhere do, too."""
    window = visit(f"/sessions/{told('kept')}")
    for leave in (lambda: window.click("button >> text=Keep it"), lambda: window.keyboard.press("Escape"), lambda: window.click("h1")):
        window.click("summary >> text=Delete")
        window.locator("button", has_text="Delete for good").wait_for()
        assert "1 trace with 1 span and 0 log records go for good" in window.inner_text(".pop[open] form")
        leave()
        window.locator("button", has_text="Delete for good").wait_for(state="hidden")
    window.goto(home + "/sessions")
    assert "kept" in listed(window)
    assert answer(home, "/sessions/kept.json").json()["session"]["traces"] == 1


def test_a_deletion(visit: Visit, told: Told, home: str) -> None:
    """Confirmed, it leads to a list without it, and says where it was that there is nothing; others stay."""
    told("beside it")
    window = visit(f"/sessions/{told('gone')}", refused=404)
    window.click("summary >> text=Delete")
    window.click("button >> text=Delete for good")
    window.wait_for_url("**/sessions")
    assert {"gone", "beside%20it"} & set(listed(window)) == {"beside%20it"}
    assert [answer(home, path).status_code for path in ("/sessions/gone", "/sessions/gone.json")] == [404, 404]
    assert "gone" not in [row["session_id"] for row in answer(home, "/sessions.json").json()["sessions"]]
    window.go_back()
    window.locator("h1", has_text="Not found").wait_for()
    assert "there is no session of this id" in window.inner_text("main")


def test_a_deletion_by_the_keyboard_alone(visit: Visit, told: Told, home: str) -> None:
    """From the list to the session, into the confirmation and out of it again, and at last through it."""
    told("typed away")
    window = visit("/sessions?search=typed%20away", refused=404)  # the page that is left may see that its session is gone
    window.keyboard.press("j")
    window.keyboard.press("Enter")
    window.wait_for_selector("#timeline")
    tab_to(window, "Delete")
    window.keyboard.press("Enter")
    tab_to(window, "Delete for good", most=1)
    window.keyboard.press("Escape")
    assert focused(window) == "Delete"
    assert not window.locator(".pop[open]").count()
    window.keyboard.press("Enter")
    tab_to(window, "Delete for good", most=1)
    window.keyboard.press("Enter")
    window.wait_for_url("**/sessions")
    assert "typed%20away" not in listed(window)
    assert answer(home, "/sessions/typed%20away.json").status_code == 404


def test_a_new_name(visit: Visit, told: Told, home: str) -> None:
    """It stands on the page and in the list as it was typed, whatever it says, and in the field when it is changed again."""
    window = visit(f"/sessions/{told('renamed')}")
    for name in ("Torn jacket, second try", HOSTILE[0], HOSTILE[2], HOSTILE[-1]):
        window.click("summary >> text=Rename")
        window.fill("input[name=name]", name)
        with window.expect_navigation():
            window.keyboard.press("Enter")
        assert window.url == home + "/sessions/renamed"
        assert window.text_content("h1").strip() == wording.short(name, 200)
        assert window.input_value("input[name=name]") == name
        assert window.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert answer(home, "/sessions/renamed.json").json()["session"]["name"] == name
    window.goto(home + "/sessions?search=renamed")
    assert window.text_content("tr[data-key] .main") == name


def test_a_name_of_nothing(visit: Visit, told: Told) -> None:
    """Spaces are no name: the browser says so and sends nothing."""
    window = visit(f"/sessions/{told('unnamed')}")
    window.click("summary >> text=Rename")
    window.fill("input[name=name]", "  ")
    window.keyboard.press("Enter")
    assert window.evaluate("document.querySelector('input[name=name]').validity.patternMismatch")
    assert window.is_visible("input[name=name]")


def test_a_form_of_an_earlier_start(visit: Visit, told: Told) -> None:
    """The collector was started again since the page was read: people are told in words what to do."""
    window = visit(f"/sessions/{told('older')}", refused=403)
    window.evaluate("for (const token of document.querySelectorAll('input[name=token]')) token.value = 'older'")
    window.click("summary >> text=End")
    with window.expect_navigation():
        window.click("button >> text=End it now")
    assert "load the page again" in window.inner_text("main")


def test_an_end(visit: Visit, told: Told, home: str) -> None:
    """The page says at once that it has ended, and why; there is nothing left to end. What starts later goes on with it."""
    window = visit(f"/sessions/{told('ended here')}".replace(" ", "%20"))
    assert window.inner_text(".states").strip() == "active"
    window.click("summary >> text=End")
    window.click("button >> text=End it now")
    window.locator(".state-ended").first.wait_for()
    assert window.inner_text(".states").split() == ["ended", *wording.REASONS["explicit"].split()]
    assert window.locator("summary", has_text="End").count() == 0
    window.goto(home + "/sessions?state=ended")
    assert "ended%20here" in listed(window)


def test_who_looks_is_told(visit: Visit, told: Told, collector: Collector, home: str) -> None:
    """A page that is open follows what others do to its session: a name, an end, and that it is gone; and what begins anew."""
    window = visit(f"/sessions/{told('watched')}", refused=404)
    window.wait_for_selector("#head[data-live]")
    httpx.post(home + "/sessions/watched/name", json={"name": "seen"}, timeout=60).raise_for_status()
    window.locator("h1", has_text="seen").wait_for()
    httpx.post(home + "/sessions/watched/end", timeout=60).raise_for_status()
    window.locator("#head .state-ended").wait_for()
    httpx.delete(home + "/sessions/watched", timeout=60).raise_for_status()
    window.locator(".states", has_text="deleted").wait_for()
    assert window.locator(".actions > *").count() == 0
    assert window.text_content("#said") == "This session was deleted"
    assert window.locator(".turn").count() == 1
    collector.set("09:20")
    told("watched", "09:15")
    window.locator("#head .state-active").wait_for()
    assert window.locator(".turn").count() == 1


def test_a_list_follows_what_others_do_to_its_rows(visit: Visit, told: Told, collector: Collector, home: str) -> None:
    """A row stays where it is: it tells that its session has ended, also where the list asks for others, and that one is gone; and what
    begins anew under its id.
    """
    for name in ("mine 1", "mine 2", "mine 3"):
        told(name)
    window = visit("/sessions?state=active&search=mine&sort=start")
    window.wait_for_selector("#live.on")
    shown = listed(window)
    assert shown == ["mine%201", "mine%202", "mine%203"]
    places = [row.bounding_box() for row in window.locator("tr[data-key]").all()]
    first, second, third = (window.locator(f"tr[data-key='/sessions/{key}']") for key in shown)
    second.locator(".main").focus()
    httpx.delete(home + "/sessions/mine%201", timeout=60).raise_for_status()
    first.locator(".of-state", has_text="gone").wait_for()
    httpx.post(home + "/sessions/mine%203/end", timeout=60).raise_for_status()
    third.locator(".state-ended").wait_for()
    httpx.delete(home + "/sessions/mine%202", timeout=60).raise_for_status()
    second.locator(".of-state", has_text="gone").wait_for()
    assert focused(window) == "chat"
    assert listed(window) == shown
    assert [row.bounding_box() for row in window.locator("tr[data-key]").all()] == places
    assert window.locator("tr.gone").count() == 2
    collector.set("09:30")
    told("mine 1", "09:25")
    first.locator(".state-active").wait_for()
    assert window.locator("tr.gone").count() == 1
