"""The door of the page and the API: who comes in, as whom, and what for."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, quote

from starlette.responses import Response

from sojourn.web import attempts, pages
from sojourn.web.answering import SAFE, json_answer, page_answer, with_safety
from sojourn.web.changing import TooLarge, body_of, is_form
from sojourn.web.serving import Friends, Receive, Scope, Send, values

if TYPE_CHECKING:
    from sojourn import _native
    from sojourn.web.app import Application

COOKIE: Final = "sojourn"
_LASTS: Final = 12 * 3600
_MOST: Final = 1000
_OUTSIDE: Final = ("/login", "/static/")
"""What strangers may see."""


class Logins:
    """People who logged in: what they presented, by what their browsers keep. Bounded, and forgotten when the collector stops."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def add(self, authorization: bytes) -> str:
        key = secrets.token_urlsafe(32)
        self._known[key] = (authorization, self._now() + _LASTS)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return key

    def find(self, key: str) -> bytes:
        """What was presented; nothing if that is not known, or too long ago."""
        authorization, until = self._known.get(key, (b"", 0.0))
        return authorization if self._now() < until else b""

    def drop(self, key: str) -> None:
        self._known.pop(key, None)


class Gate:
    """ASGI. Everybody sees what belongs to their tenant and nothing else: each tenant has an application of its own.

    A browser logs in with a token and keeps a cookie; what was presented is looked up again with every request, so that a credential which
    is taken away opens nothing any more.
    """

    def __init__(self, keyring: _native.Keyring, friends: Friends, inside: Callable[[str], Application]) -> None:
        self._keyring = keyring
        self._friends = friends
        self._inside = inside
        self._tenants: dict[str, Application] = {}
        self._logins = Logins()
        self._attempts = attempts.Attempts()

    def stop(self) -> None:
        """No more news for anybody."""
        for application in self._tenants.values():
            application.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not self._friends.welcome(scope) or scope["path"].startswith("/static/"):
            await self._of("")(scope, receive, send)  # it knows how to refuse, and statics are everybody's
            return
        if scope["path"] in ("/login", "/logout"):
            await (await self._log(scope, receive))(scope, receive, send)
            return
        presented = self._presented(scope)
        user = None if self._keyring.challenge.startswith("Bearer") else attempts.user(presented)
        who = f"{attempts.address(scope)} {user}"
        if user is not None and (seconds := self._attempts.wait(who)):
            await _later(seconds)(scope, receive, send)
            return
        caller = self._keyring.identify(presented)
        if caller is None:
            if user is not None:
                self._attempts.failed(who)
            await self._ask(scope)(scope, receive, send)
        elif not _may(scope["method"], scope["path"], caller[1]):
            await _forbid(scope)(scope, receive, send)
        else:
            pages.logged_in.set(not values(scope, b"authorization"))
            pages.may_change.set(_may("POST", "/sessions/", caller[1]))
            await self._of(caller[0])(scope, receive, send)

    def _of(self, tenant: str) -> Application:
        """As many as there are tenants among the credentials."""
        if tenant not in self._tenants:
            self._tenants[tenant] = self._inside(tenant)
        return self._tenants[tenant]

    def _presented(self, scope: Scope) -> bytes:
        told = values(scope, b"authorization")
        return told[0].encode("latin-1") if told else self._logins.find(_cookie(scope))

    def _ask(self, scope: Scope) -> Response:
        """People are sent to log in; programs, and browsers that ask for names and passwords themselves, are told what to present."""
        if self._keyring.challenge.startswith("Bearer") and _by_people(scope):
            return Response(status_code=303, headers=SAFE | {"location": f"/login?to={quote(_page(scope), safe='')}"})
        answer = json_answer({"error": "authentication is needed: there is no credential, or it is not known here"}, 401)
        answer.headers["www-authenticate"] = self._keyring.challenge
        return answer

    async def _log(self, scope: Scope, receive: Receive) -> Response:
        if scope["method"] in ("GET", "HEAD") and scope["path"] == "/login":
            return page_answer(pages.login(_goal(scope["query_string"].decode("latin-1"))))
        if scope["method"] != "POST":
            return json_answer({"error": f"{scope['method']}: is not done here"}, 405, allow="POST")
        if not self._friends.may_change(scope):
            return json_answer({"error": "origin: only our own page may do this"}, 403)
        self._logins.drop(_cookie(scope))
        if scope["path"] == "/logout":
            return Response(status_code=303, headers=SAFE | {"location": "/login", "set-cookie": _set_cookie(scope, "", 0)})
        try:
            return self._log_in(scope, (await body_of(receive)).decode("ascii", "replace"))
        except TooLarge as error:
            return json_answer({"error": str(error)}, 413)

    def _log_in(self, scope: Scope, form: str) -> Response:
        who = attempts.address(scope)
        if seconds := self._attempts.wait(who):
            return _later(seconds, _goal(""))
        told = parse_qs(form, keep_blank_values=True, max_num_fields=10) if form.count("&") < 10 else {}
        authorization = f"Bearer {told.get('token', [''])[0].strip()}".encode("utf-8", "replace")
        goal = _goal(f"to={quote(told.get('to', ['/'])[0], safe='')}")
        if self._keyring.identify(authorization) is None:
            self._attempts.failed(who)
            return with_safety(page_answer(pages.login(goal, wrong=True), 401))
        key = self._logins.add(authorization)
        return Response(status_code=303, headers=SAFE | {"location": goal, "set-cookie": _set_cookie(scope, key, _LASTS)})


def _may(method: str, path: str, scopes: list[str]) -> bool:
    """Whoever reads sees; whoever may send and see, too, changes sessions; the rest is for those who run the collector."""
    if method in ("GET", "HEAD"):
        return "read" in scopes
    if path.startswith("/sessions/"):
        return {"read", "write"} <= set(scopes)
    return "admin" in scopes


def _forbid(scope: Scope) -> Response:
    said = {"error": "this credential may not do that: its scopes do not name it"}
    return with_safety(pages.failure(said, 403)) if _by_people(scope) else json_answer(said, 403)


def _later(seconds: int, goal: str | None = None) -> Response:
    """To whoever presented too many wrong credentials: what is presented now is not even looked at."""
    if goal is None:
        return json_answer({"error": f"too many wrong credentials: try again in {seconds} s"}, 429, **{"retry-after": str(seconds)})
    return with_safety(page_answer(pages.login(goal, wait=seconds), 429), {"retry-after": str(seconds)})


def _by_people(scope: Scope) -> bool:
    """Whether somebody asks for a page, or sends a form of one."""
    return is_form(scope) if scope["method"] not in ("GET", "HEAD") else not scope["path"].endswith(".json")


def _page(scope: Scope) -> str:
    """The address that was asked for as it came, since an id may hold any sign; behind a form, that of the page it stands on."""
    path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
    if scope["method"] not in ("GET", "HEAD"):
        path = path.rpartition("/")[0]
    return path + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")


def _goal(query: str) -> str:
    """Where a login leads: an address of ours, or the list."""
    goal = parse_qs(query, max_num_fields=100).get("to", ["/"])[0] if query.count("&") < 100 else "/"
    ours = goal.startswith("/") and not goal.startswith(("//", "/\\")) and goal.isprintable() and goal.isascii()
    return goal if ours and not goal.startswith(("/login", "/logout")) else "/"


def _cookie(scope: Scope) -> str:
    """The value of our cookie, '' if there is none."""
    for header in values(scope, b"cookie"):
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                return value
    return ""


def _set_cookie(scope: Scope, value: str, seconds: int) -> str:
    """Scripts do not see it, and other pages cannot make the browser send it."""
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    return f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
