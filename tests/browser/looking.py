"""What is looked for on any page: whether it is told to those who cannot see it, and whether a phone shows it whole."""

from __future__ import annotations

from typing import Any, Final

import pytest

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: pip install axe-playwright-python")
_OUTSIDE: Final = "[...document.querySelectorAll('main h1, main button, .turn a.main')].filter(e => e.getBoundingClientRect().right > 361)"


def serious(window: Any) -> list[tuple[str, list[str]]]:
    """What axe finds serious or critical: its rule, and some of the elements that break it."""
    found = axe.Axe().run(window).response["violations"]
    return [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found if one["impact"] in ("serious", "critical")]


def wider_than_a_phone(window: Any) -> list[str]:
    """What reaches out of a window of 360 pixels."""
    width = window.evaluate("document.documentElement.scrollWidth")
    outside = window.evaluate(f"{_OUTSIDE}.map(e => e.outerHTML.slice(0, 200))")
    return [f"the page: {width} pixels"] * (width > 360) + list(outside)
