"""`webhook`: tells others what happens to sessions, over HTTP: any program as JSON, people on Slack, an OTLP receiver as log records.

An event is written into an outbox and the lane goes on; a thread delivers from there, in order, again and again if need be.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from sojourn.component import Batch, Clock, Exporter, Host, Raw
from sojourn.config.types import Duration, Secret
from sojourn.errors import SojournError
from sojourn.exporters.events import Message, as_json, as_otlp, as_slack, messages
from sojourn.exporters.outbox import Outbox
from sojourn.exporters.retrying import Backoff, Retry

log = logging.getLogger(__name__)
_AT_ONCE: Final = 100
"""Log records in one OTLP request."""
_LEAVING: Final = 3.0
"""Seconds for what still waits when the collector stops. What is left stays in the outbox."""
_MAY_PASS: Final = {408, 425, 429}
_MOST_READ: Final = 64 * 1024
Event = Literal["session.start", "session.rotated", "session.reopened", "session.updated", "session.idle", "session.end", "session.alert"]


class Webhook(Exporter):
    """Tells events of sessions, such as alerts, by HTTP POST: as JSON, as a message for Slack, or as OTLP log records."""

    tables: ClassVar[frozenset[str]] = frozenset({"session_event_rows"})

    url: Secret
    """Where to post: https://hooks.slack.com/services/…, or http://collector:4318/v1/logs for otlp. Never printed: it may be a key."""
    format: Literal["json", "slack", "otlp"] = "json"
    """json: the event, one in a request. slack: a message for an incoming webhook. otlp: log records of scope sojourn, OTLP in JSON."""
    events: tuple[Event, ...] = ("session.alert",)
    """Which events are told, for example [session.start, session.end]. Alerts that name receivers are told to these only."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Sent with every request, for example `authorization`."""
    page: str = ""
    """Where people reach the page of this collector, for example https://sojourn.example.org: messages then have a link to the session."""
    timeout: Annotated[Duration, Field(gt=0, le=300)] = 10.0
    """How long one attempt may take."""
    retry_on_failure: Retry = Retry()
    """How an event that cannot be told now is told again. A request that is refused for good (most 4xx) is not sent again."""
    max_age: Annotated[Duration, Field(gt=0)] = 86_400.0
    """An event that is older than this is not told any more, for example 1h."""
    queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Events that may wait; when there are more, new ones are lost for this receiver, and counted."""
    ca_file: Path | None = None
    """Certificates of the authorities to trust, PEM; without it those of the system."""

    @field_validator("url")
    @classmethod
    def _http(cls, value: Secret) -> Secret:
        try:
            parts = urlsplit(value.reveal())
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fits = False
        if not fits:
            raise PydanticCustomError("secret", "is not the address of a webhook: write https://host/path")
        return value

    @contextmanager
    def open(self, host: Host) -> Iterator[Delivering]:
        delivering = Delivering(self, host)
        thread = threading.Thread(target=delivering.deliver, name=f"webhook {host.id}", daemon=True)
        thread.start()
        try:
            yield delivering
        finally:
            delivering.leave()
            thread.join(_LEAVING + self.timeout)
            delivering.outbox.release()


class Delivering:
    """The running exporter."""

    def __init__(self, description: Webhook, host: Host) -> None:
        self._description, self._id, self._collector, self._clock = description, host.id, host.collector, host.clock
        parts = urlsplit(description.url.reveal())
        self.where = f"{parts.scheme}://{parts.hostname}"
        """The address without what may be secret."""
        name = f"outbox-{sha256(host.id.encode()).hexdigest()[:16]}.jsonl"
        self.outbox = Outbox(host.data_dir / name if host.data_dir is not None else None, description.queue_size)
        self._post = _poster(description)
        self._told = self._given_up = 0
        self._in_trouble = False
        self._until = float("inf")

    def export(self, batch: Batch | Raw) -> None:
        if isinstance(batch, Raw) or batch.table not in self._description.tables:
            return
        found = list(messages(batch, self._collector, self._id, self._description.events))
        if found:
            self.outbox.put(found)

    def meters(self) -> dict[str, float]:
        return {
            "sojourn_webhook_told_total": self._told,
            "sojourn_webhook_given_up_total": self._given_up + self.outbox.refused,
            "sojourn_webhook_waiting": float(len(self.outbox)),
        }

    def leave(self) -> None:
        """Only a moment more for what still waits."""
        self._until = time.monotonic() + _LEAVING
        self.outbox.close()

    def deliver(self) -> None:
        """Until the outbox is closed and empty, or closed and what is in it cannot be told soon."""
        try:
            while waiting := self.outbox.front(_AT_ONCE if self._description.format == "otlp" else 1):
                if time.monotonic() > self._until or not self._tell(waiting):
                    return
        except Exception:
            log.exception("webhook: %s: failed unexpectedly: this is a defect, please report it", self.where)

    def _tell(self, waiting: list[Message]) -> bool:
        """Tell these, or give them up. False if the collector stops before either."""
        backoff = Backoff(self._description.retry_on_failure)
        while True:
            old = [message for message in waiting if too_old(message, self._description.max_age, self._clock)]
            if old:
                self._give_up(len(old), "is too old")
                self.outbox.done(len(old))
                return True
            status, why, told = self._post(self._body(waiting), waiting[0]["id"])
            if 200 <= status < 300:
                self._succeeded(len(waiting))
                return True
            wait = backoff.wait(told) if status == 0 or status >= 500 or status in _MAY_PASS else None
            if wait is None:
                self._give_up(len(waiting), why)
                self.outbox.done(len(waiting))
                return True
            if not self._in_trouble:
                log.warning("webhook: %s: %s: trying again until it works", self.where, why)
            self._in_trouble = True
            if self.outbox.closed:
                return False
            self.outbox.pause(wait)

    def _succeeded(self, count: int) -> None:
        if self._in_trouble:
            log.info("webhook: %s: works again", self.where)
        self._in_trouble = False
        self._told += count
        self.outbox.done(count)

    def _give_up(self, count: int, why: str) -> None:
        log.error("webhook: %s: %d events are not told: %s", self.where, count, why)
        self._given_up += count

    def _body(self, waiting: list[Message]) -> bytes:
        page = self._description.page
        match self._description.format:
            case "otlp":
                body = as_otlp(waiting, _version())
            case "slack":
                body = as_slack(waiting[0], page)
            case _:
                body = as_json(waiting[0], page)
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def too_old(message: Message, seconds: float, clock: Clock) -> bool:
    return bool(clock.now() - message["time"] > seconds * 1e9)


def _poster(description: Webhook) -> Any:
    """Posts a body: gives the status (0 if there was no answer), what is wrong in words, and after how many seconds to come again.

    Redirects are not followed: an address is a promise about who is told.
    """
    import ssl
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    try:
        context = ssl.create_default_context(cafile=description.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SojournError(f"ca_file: {description.ca_file}: cannot be used: {error}: check the path and who may read it") from error
    opener = build_opener(Stay, HTTPSHandler(context=context))
    url = description.url.reveal()
    own = {name: secret.reveal() for name, secret in description.headers.items()}

    def post(body: bytes, key: str) -> tuple[int, str, float]:
        headers = {"content-type": "application/json", "user-agent": f"sojourn/{_version()}", "idempotency-key": key, **own}
        try:
            with opener.open(Request(url, body, headers, method="POST"), timeout=description.timeout) as answer:
                answer.read(_MOST_READ)
                return int(answer.status), "", 0.0
        except HTTPError as error:
            with error:
                asked = error.headers.get("retry-after", "")
                return error.code, f"answers {error.code}", float(min(int(asked), 3600)) if asked.isdecimal() else 0.0
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            return 0, f"cannot be reached: {type(reason).__name__}: {reason}".replace(url, "its address"), 0.0

    return post


def _version() -> str:
    try:
        return version("sojourn")
    except PackageNotFoundError:
        return "unknown"
