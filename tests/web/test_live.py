"""News for pages that are open: a change of the list, or of one session, is told within moments, and nobody waits at the end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.web.conftest import Store, page


def changes(answer: httpx.Response) -> Iterator[int]:
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield int(line.removeprefix("data: "))


def test_changes_of_the_list(store: Store, web: httpx.Client) -> None:
    """The first word says where things are, every other one that they have changed."""
    store.sessions({"session_id": "s"})
    with web.stream("GET", "/live") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        news = changes(answer)
        assert next(news) == 1
        store.sessions({"session_id": "t", "Version": 5})
        assert next(news) == 5


def test_a_page_looks_again_only_if_something_came_since_it_was_read(store: Store, web: httpx.Client) -> None:
    """It says what it knows: the version of the moment before its list was read."""
    store.sessions({"session_id": "s", "Version": 4})
    known = re.search(r'data-known="(\d+)"', web.get("/sessions").text)
    assert known is not None
    assert known[1] == "4"
    with web.stream("GET", "/live", params={"known": known[1]}) as answer:
        news = changes(answer)
        store.sessions({"session_id": "t", "Version": 5})
        assert next(news) == 5
    for unknown in ("3", "x", "-1", "9" * 30):
        with web.stream("GET", "/live", params={"known": unknown}) as answer:
            assert next(changes(answer)) == 5


def test_a_page_of_a_session_looks_again_only_if_something_came(store: Store, web: httpx.Client) -> None:
    """It, too, says what it knows; that there is nothing any more is news."""
    store.sessions({"session_id": "s", "Project": "p", "Version": 4}, {"session_id": "t", "Version": 9})
    live = re.search(r'data-live="([^"]+)"', web.get("/sessions/s?project=p").text)
    assert live is not None
    assert live[1].replace("&amp;", "&") == "/live?session_id=s&project=p&known=4"
    with web.stream("GET", live[1].replace("&amp;", "&")) as answer:
        news = changes(answer)
        store.sessions({"session_id": "s", "Project": "p", "Version": 5})
        assert next(news) == 5
        store.database.command(f"DELETE FROM {store.database.name}.session_rows WHERE SessionId = 's'")
        assert next(news) == 0


def test_a_deletion_is_a_change_of_the_list(store: Store, web: httpx.Client) -> None:
    """Also that of the latest session, and of others, and what is left behind them."""
    store.sessions({"session_id": "s", "Version": 4}, {"session_id": "t", "Version": 9})
    with web.stream("GET", "/live", params={"known": "9"}) as answer:
        news = changes(answer)
        for session, version in (("t", 10), ("s", 12)):
            store.database.command(f"DELETE FROM {store.database.name}.session_rows WHERE SessionId = '{session}'")
            mark = {"SessionId": session, "Mark": "delete", "Time": "2026-01-01 00:00:00", "Version": version}
            store.insert("session_marks", mark)
            assert next(news) == version


def test_changes_of_one_session(store: Store, web: httpx.Client) -> None:
    """Others do not disturb; the project is part of the name."""
    store.sessions({"session_id": "s", "Project": "p"}, {"session_id": "s", "Version": 8}, {"session_id": "t", "Version": 9})
    with web.stream("GET", "/live", params={"session_id": "s", "project": "p"}) as answer:
        news = changes(answer)
        assert next(news) == 1
        store.sessions({"session_id": "t", "Version": 10})
        store.sessions({"session_id": "s", "Project": "p", "Version": 3})
        assert next(news) == 3


def test_stopping_waits_for_no_listener(store: Store) -> None:
    """The streams end with the page, so that the collector stops at once."""
    store.sessions({"session_id": "s"})
    with httpx.Client(timeout=60) as client:
        with page(store.database) as web:
            answer = client.send(client.build_request("GET", f"{web.base_url}/live"), stream=True)
            assert next(changes(answer)) == 1
            began = time.monotonic()
        assert time.monotonic() - began < 2.5  # the server would wait for three seconds
        answer.close()


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_only_asking(web: httpx.Client, method: str) -> None:
    assert web.request(method, "/live").status_code == 405
