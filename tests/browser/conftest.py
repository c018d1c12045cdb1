"""The page in a real browser: any chromium, driven by playwright. Where there is none, these tests say so and are skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.world import told
from tests.web.conftest import Store, fresh_database, page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 60_000.0  # milliseconds: a busy machine is no failure


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no browser: install chromium, for example `apt install chromium`, or name one in CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def world(chdb_path: Path) -> Iterator[tuple[Store, str]]:
    """What `world.told` tells, and the address of the page in front of it."""
    with fresh_database(chdb_path) as database, page(database) as web:
        store = Store(database)
        told(store)
        yield store, str(web.base_url)


@pytest.fixture
def visit(browser: Any, world: tuple[Store, str]) -> Iterator[Callable[..., Any]]:
    """Open an address in a fresh window of its own. What the page complains of in the console fails the test."""
    contexts, complaints = [], []

    def opened(path: str, width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        window = context.new_page()
        window.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        window.on("pageerror", lambda error: complaints.append(str(error)))
        window.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        window.goto(world[1] + path)
        return window

    yield opened
    for context in contexts:
        context.close()
    assert not complaints
