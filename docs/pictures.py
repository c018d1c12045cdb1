"""Takes the pictures in docs/pictures from a collector with generated traffic. `make pictures` runs it; a chromium must be installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

PICTURES = Path(__file__).parent / "pictures"
SEED = "7"  # the same stories every time
SECONDS = 90  # of traffic
ALERTS = "[{name: expensive, condition: cost > 0.03, severity: critical}, {name: failing, condition: errors >= 2}]"
WIDE, PHONE = (1360, 860), (390, 844)


def main() -> None:
    from playwright.sync_api import sync_playwright

    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        sys.exit("make pictures: no browser: install chromium, or name one in CHROMIUM")
    PICTURES.mkdir(exist_ok=True)
    with demo() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, path, size, scheme in wanted(address):
            shape = {"width": size[0], "height": size[1]}
            context = browser.new_context(viewport=shape, color_scheme=scheme, timezone_id="UTC", bypass_csp=True)
            window = context.new_page()
            window.goto(address + path)
            window.add_style_tag(content="html { scrollbar-gutter: auto; }")  # no scroll bar is in the picture
            window.wait_for_timeout(1500)
            window.screenshot(path=PICTURES / f"{name}.png")
            print(PICTURES / f"{name}.png")
            context.close()
        browser.close()


def wanted(address: str) -> Iterator[tuple[str, str, tuple[int, int], str]]:
    """Name, path, size and colours of each picture: of a chat with many turns, and of an agent with many tools."""
    chat = told(address, "/sessions.json?search=chat-&sort=-turns&limit=1")["sessions"][0]
    agent = told(address, "/sessions.json?search=research-&sort=-tool_calls&limit=1")["sessions"][0]
    project = f"?project={chat['project']}" if chat["project"] else ""
    trace = told(address, f"/sessions/{agent['session_id']}.json")["traces"][0]["trace_id"]
    span = next(span["span_id"] for span in told(address, f"/traces/{trace}.json")["spans"] if span["kind"] == "llm")
    yield "sessions", "/sessions", WIDE, "light"
    yield "session", f"/sessions/{chat['session_id']}{project}", WIDE, "light"
    yield "session-dark", f"/sessions/{agent['session_id']}", WIDE, "dark"
    yield "trace", f"/traces/{trace}?span={span}", WIDE, "light"
    yield "messages", f"/traces/{trace}/messages", WIDE, "light"
    yield "over-time", "/over-time?since=1h&group=service", WIDE, "dark"
    yield "alerts", "/alerts", WIDE, "light"
    yield "phone", "/sessions", PHONE, "light"


def told(address: str, path: str) -> Any:
    with build_opener(ProxyHandler({})).open(address + path, timeout=60) as answer:
        return json.load(answer)


@contextmanager
def demo() -> Iterator[str]:
    """A collector with traffic on free ports: the address of its page."""
    sojourn = Path(sys.executable).with_name("sojourn")
    free = ("extensions.web", "extensions.clickhouse_http", "extensions.health_check", "service.telemetry.metrics")
    free += ("receivers.otlp.protocols.grpc", "receivers.otlp.protocols.http")
    with tempfile.TemporaryDirectory(prefix="sojourn-pictures-", ignore_cleanup_errors=True) as directory:
        settings = [word for key in free for word in ("--set", f"{key}.endpoint=127.0.0.1:0")]
        settings += ["--set", f"processors.lifecycle.alerts={ALERTS}"]
        running = subprocess.Popen([sojourn, "demo", "--seed", SEED, "--data-dir", directory, *settings], stderr=subprocess.DEVNULL)
        try:
            ports = Path(directory) / "endpoints.json"
            while not ports.exists():
                time.sleep(0.2)
            time.sleep(SECONDS)
            yield f"http://{json.loads(ports.read_text())['web']}"
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(60)


if __name__ == "__main__":
    main()
