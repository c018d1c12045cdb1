"""Server-sent events: tell the pages that are open that what they show has changed, so that they may look again.

All pages that ask the same share one question to the database, which is asked once a second, and only while somebody listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

from sojourn.errors import SojournError
from sojourn.web.reading import Reading
from sojourn.web.serving import Receive, Scope, Send

_log = logging.getLogger(__name__)
_EVERY: Final = 1.0
_BEAT: Final = 15.0  # seconds: proxies close what is silent for a minute
_MOST: Final = 200
_UNASKED: Final = -1
"""The version of what is watched before the database was asked; where there is nothing, or nothing any more, it is 0."""
Key = tuple[tuple[str, str], ...]


class Live:
    """Belongs to the event loop that serves; stop() may be called from any thread."""

    def __init__(self, reading: Reading, workers: Executor, every: float = _EVERY) -> None:
        self._reading = reading
        self._workers = workers
        self._every = every
        self._watches: dict[Key, _Watch] = {}
        self._listeners = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False

    def news(self, bound: dict[str, str], headers: Mapping[str, str], known: int = 0) -> News | None:
        """A stream for one request; None if too many are open. `bound` says of which tenant, or of which session, `known` what the page
        that asks knew already.
        """
        return None if self._stopped or self._listeners >= _MOST else News(self, bound, headers, known)

    @contextlib.contextmanager
    def listening(self, bound: dict[str, str]) -> Iterator[_Watch]:
        self._loop = asyncio.get_running_loop()
        key = tuple(sorted(bound.items()))
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = _Watch(lambda: self._version(bound), self._every)
        self._listeners += 1
        watch.listeners += 1
        try:
            yield watch
        finally:
            self._listeners -= 1
            watch.listeners -= 1
            if not watch.listeners:
                watch.stop()
                self._watches.pop(key, None)

    async def _version(self, bound: dict[str, str]) -> int:
        given = {"session" if "session" in bound else "list"}
        rows = await asyncio.get_running_loop().run_in_executor(self._workers, lambda: self._reading.rows("latest", given, **bound))
        return int(rows[0]["latest"]) if rows else 0

    def stop(self) -> None:
        """End all streams, so that the server need not wait for them."""
        self._stopped = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        for watch in self._watches.values():
            watch.stop()


@dataclass(frozen=True, slots=True)
class News:
    """The answer to one request: lasts until the page is left."""

    live: Live
    bound: dict[str, str]
    headers: Mapping[str, str]
    known: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()] + [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with self.live.listening(self.bound) as watch:
            await _tell(watch, receive, send, self.known)


class _Watch:
    """Asks for one number again and again, and wakes who waits when it grew."""

    def __init__(self, ask: Callable[[], Any], every: float) -> None:
        self.listeners = 0
        self.version = _UNASKED
        self.ended = False
        self._news = asyncio.Event()
        self._task = asyncio.ensure_future(self._run(ask, every))

    async def _run(self, ask: Callable[[], Any], every: float) -> None:
        while True:
            try:
                found = await ask()
                if found != self.version:
                    self.version = found
                    self._wake()
            except SojournError:
                pass  # the database is away: what it says when it is back will differ, or nothing happened
            except Exception:
                _log.exception("web: cannot watch the database")
            await asyncio.sleep(every)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def news(self, known: int) -> int:
        """The next version that is not `known`, or the same one after a while."""
        if self.version in (known, _UNASKED) and not self.ended:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _BEAT)
        return self.version

    def stop(self) -> None:
        self.ended = True
        self._task.cancel()
        self._wake()


async def _tell(watch: _Watch, receive: Receive, send: Send, known: int) -> None:
    """What a page shows when it begins to listen was read a moment before: unless it knew that version, it is told and looks once more."""
    left = asyncio.ensure_future(_left(receive))
    try:
        while True:
            news = asyncio.ensure_future(watch.news(known))
            await asyncio.wait((news, left), return_when=asyncio.FIRST_COMPLETED)
            if left.done() or watch.ended:
                news.cancel()
                break
            version = news.result()
            body = b":\n\n"
            if version not in (known, _UNASKED):
                body = b"id: %d\nevent: change\ndata: %d\n\n" % (version, version)
                known = version
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        left.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
