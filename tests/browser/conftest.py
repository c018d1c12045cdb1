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


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Closed behind the last of these tests: as long as it is driven, a loop runs in this thread, and other tests could not run one."""
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


@pytest.fixture(scope="module")
def home(world: tuple[Store, str]) -> str:
    """The address of the page that is visited. A module whose page stands in front of something else has a fixture of this name."""
    return world[1]


@pytest.fixture
def visit(browser: Any, home: str) -> Iterator[Callable[..., Any]]:
    """Open an address in a fresh window of its own. What the page complains of in the console fails the test, except for answers with
    the status that is `refused`, of which the browser complains by itself.
    """
    contexts, complaints = [], []

    def opened(path: str, width: int = 1280, height: int = 900, refused: int = 0, **options: Any) -> Any:
        def heard(said: Any) -> None:
            if said.type in ("error", "warning") and f"responded with a status of {refused} " not in said.text:
                complaints.append(said.text)

        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        window = context.new_page()
        window.on("console", heard)
        window.on("pageerror", lambda error: complaints.append(str(error)))
        window.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        window.goto(home + path)
        return window

    yield opened
    for context in contexts:
        context.close()
    assert not complaints
