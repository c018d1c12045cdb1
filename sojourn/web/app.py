"""The page and the API: which address gives what. Matching is done on the raw path, so that any session id can be part of it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib import resources
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.responses import Response, StreamingResponse

from sojourn.errors import SojournError
from sojourn.web import answers, changing, drawing, openapi, pages, rebuilding
from sojourn.web.answering import SAFE as _SAFE
from sojourn.web.answering import json_answer as _json
from sojourn.web.answering import page_answer as _page
from sojourn.web.answering import see as _see
from sojourn.web.answering import with_safety as _with_headers
from sojourn.web.answers import Missing, Pairs
from sojourn.web.changing import Ask, Changing, Told
from sojourn.web.live import Live, News
from sojourn.web.parameters import BadParameter
from sojourn.web.reading import Reading
from sojourn.web.serving import Friends, Receive, Scope, Send

_log = logging.getLogger(__name__)

_STATIC: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class BadAddress(ValueError):
    """The address is not UTF-8 or has too many parameters."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the parts of its path as they came and decoded, and its parameters."""

    raw: tuple[str, ...]
    parts: tuple[str, ...]
    pairs: Pairs
    query: str

    @classmethod
    def of(cls, scope: Scope) -> Asked:
        raw_path = scope.get("raw_path") or scope["path"].encode()
        raw = tuple(raw_path.decode("latin-1").strip("/").split("/"))
        try:
            parts = tuple(unquote_to_bytes(part).decode() for part in raw)
            query = scope["query_string"].decode("latin-1")
            pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=200)
        except ValueError as error:
            raise BadAddress("address: is not percent-encoded UTF-8") from error
        return cls(raw, parts, tuple(pairs), query)


class Application:
    """ASGI. Statements run in `workers`, so that a slow one never holds up the others."""

    def __init__(
        self,
        reading: Reading,
        now: Callable[[], int],
        friends: Friends,
        workers: Executor,
        endpoints: Callable[[], Mapping[str, str]],
        ask: Ask,
    ) -> None:
        self._changing = Changing(ask, reading, now)
        self._reading = reading
        self._now = now
        self._friends = friends
        self._workers = workers
        self._endpoints = endpoints
        self._live = Live(reading, workers)
        static = resources.files("sojourn.web").joinpath("static").iterdir()
        self._static = {
            file.name: (file.read_bytes(), _STATIC[suffix]) for file in static if (suffix := "." + file.name.rpartition(".")[2]) in _STATIC
        }

    def stop(self) -> None:
        """No more news for those who wait for it."""
        self._live.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = await self._respond(scope, receive)
        if scope["method"] == "HEAD" and isinstance(response, Response):
            response.body = b""
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response | News:
        if not self._friends.welcome(scope):
            return _json({"error": "host: this name does not belong here: use the address that the collector printed"}, 403)
        if scope["method"] not in ("GET", "HEAD"):
            if not self._friends.may_change(scope):
                return _json({"error": "origin: only our own page and programs may change something here"}, 403)
            if (action := changing.action_of(scope)) is not None:
                return await self._change(action, scope, receive)
            return _json({"error": f"{scope['method']}: is not done here"}, 405, allow="GET, HEAD")
        try:
            asked = Asked.of(scope)
        except BadAddress as error:
            tell = _json if scope["path"].endswith(".json") else pages.failure
            return _with_headers(tell({"error": str(error)}, 400))
        if asked.raw[0] == "static" and (found := self._static.get("/".join(asked.raw[1:]))):
            return Response(found[0], media_type=found[1], headers=_SAFE | {"cache-control": "max-age=300"})
        if asked.raw == ("live",):
            return self._news(asked)
        told = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._workers, told.run, self._answer, asked)

    def _news(self, asked: Asked) -> Response | News:
        """`/live`: a stream of `change` events, of the list or, with `session_id`, of one session."""
        given = dict(asked.pairs)
        known = given.get("known", "")
        bound = {"tenant": self._reading.tenant}
        if "session_id" in given:
            bound |= {"session": given["session_id"], "project": given.get("project", "")}
        news = self._live.news(bound, _SAFE, int(known) if known.isascii() and known.isdigit() and len(known) <= 20 else 0)
        return news or _json({"error": "live: too many pages listen: close some"}, 503)

    async def _change(self, action: str, scope: Scope, receive: Receive) -> Response:
        tell = pages.failure if changing.is_form(scope) else _json
        try:
            asked = Asked.of(scope)
            said = changing.told(scope, await changing.body_of(receive))
        except changing.Refused as error:
            return _with_headers(tell({"error": str(error)}, 403))
        except changing.TooLarge as error:
            return _with_headers(tell({"error": str(error)}, 413))
        except ValueError as error:
            return _with_headers(tell({"error": str(error)}, 400))
        return await asyncio.get_running_loop().run_in_executor(self._workers, self._changed, action, asked, said)

    def _changed(self, action: str, asked: Asked, said: Told) -> Response:
        """On a worker."""
        return self._told(pages.failure if said.form else _json, asked, lambda: self._change_route(action, asked, said))

    def _change_route(self, action: str, asked: Asked, said: Told) -> Response:
        if action == "rebuild":
            lines = rebuilding.rebuild(self._reading, self._changing.ask, said.values, self._now())
            return StreamingResponse(lines, headers=_SAFE, media_type="application/x-ndjson")
        if action == "delete":
            self._changing.delete(asked.parts[1], asked.pairs, said.values)
            return _see("/sessions") if said.form else Response(status_code=204, headers=_SAFE)
        change = {"name": self._changing.rename, "end": self._changing.end}[action]
        answer = change(asked.parts[1], asked.pairs, said.values)
        return _see(pages.session_address(answer["session"])) if said.form else _json(answer)

    def _answer(self, asked: Asked) -> Response:
        """On a worker: find what is asked for."""
        wants_json = asked.raw[-1].endswith(".json")
        route = self._json_route if wants_json else self._page_route
        return self._told(_json if wants_json else pages.failure, asked, lambda: route(asked))

    def _told(self, tell: Callable[..., Response], asked: Asked, answer: Callable[[], Response]) -> Response:
        """The answer, or what went wrong in the form that was asked for."""
        try:
            return answer()
        except BadParameter as error:
            return _with_headers(tell({"error": str(error)}, 400))
        except Missing as error:
            return _with_headers(tell({"error": str(error), **({"projects": error.projects} if error.projects else {})}, 404))
        except SojournError as error:
            wait = round(getattr(error, "retry_after", 5.0))
            return _with_headers(tell({"error": str(error)}, 503), {"retry-after": str(wait)})
        except Exception:
            _log.exception("web: cannot answer %s", "/".join(asked.raw)[:200])
            return _with_headers(tell({"error": "web: something went wrong here: see the collector's log"}, 500))

    def _json_route(self, asked: Asked) -> Response:
        match asked.raw:
            case ("sessions.json",):
                return _json(answers.sessions(self._reading, asked.pairs, self._now()))
            case ("openapi.json",):
                return _json(openapi.document())
            case ("metrics-over-time.json",):
                return _json(answers.over_time(self._reading, asked.pairs, self._now()))
            case ("alerts.json",):
                return _json(answers.alerts(self._reading, asked.pairs, self._now()))
            case ("events.json",):
                return _json(answers.events(self._reading, asked.pairs, self._now()))
            case ("sessions", last) if last != ".json":
                return _json(answers.session(self._reading, _without_json(last), asked.pairs, self._now()))
            case ("sessions", _, "logs.json"):
                return _json(answers.logs(self._reading, asked.parts[1], asked.pairs, self._now()))
            case ("sessions", _, "metrics.json"):
                return _json(answers.metrics(self._reading, asked.parts[1], asked.pairs))
            case ("traces", _, "messages.json"):
                return _json(answers.said(self._reading, asked.parts[1], asked.pairs, self._now()))
            case ("traces", last) if last != ".json":
                return _json(answers.trace(self._reading, _without_json(last), asked.pairs, self._now()))
        raise Missing("address: there is nothing here")

    def _page_route(self, asked: Asked) -> Response:
        now = self._now()
        match asked.raw:
            case ("",) | ("sessions",):
                latest = answers.latest(self._reading)  # before the list: what comes while that is read is news
                answer = answers.sessions(self._reading, asked.pairs, now)
                busy = answers.activity(self._reading, answer["sessions"], drawing.PARTS)
                return _page(pages.sessions(answer, asked.pairs, busy, self._endpoints, now, latest))
            case ("sessions", _):
                return _page(pages.session(answers.story(self._reading, asked.parts[1], asked.pairs, now), asked.pairs))
            case ("over-time",):
                return _page(pages.over_time(answers.over_time(self._reading, asked.pairs, now), asked.pairs))
            case ("queries",):
                return _page(pages.queries(self._endpoints()))
            case ("alerts",):
                answer = answers.alerts(self._reading, asked.pairs, now)
                return _page(pages.alerts(answer, answers.names(self._reading, answer["alerts"]), asked.pairs))
            case ("events",):
                answer = answers.events(self._reading, asked.pairs, now)
                return _page(pages.events(answer, answers.names(self._reading, answer["events"]), asked.pairs))
            case ("sessions", _, "metrics"):
                answer = answers.metrics(self._reading, asked.parts[1], asked.pairs)
                return _page(pages.metrics(answer, asked.parts[1], asked.pairs))
            case ("traces", _, "messages"):
                return _page(pages.messages(answers.said(self._reading, asked.parts[1], asked.pairs, now), asked.pairs))
            case ("traces", _):
                answer = answers.waterfall(self._reading, asked.parts[1], asked.pairs)
                return _page(pages.trace(answer, dict(asked.pairs)))
        raise Missing("address: there is nothing here")


def _without_json(raw: str) -> str:
    return unquote_to_bytes(raw.removesuffix(".json")).decode()
