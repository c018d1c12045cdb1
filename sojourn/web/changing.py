"""What the API changes: rename, end and forget sessions. Who may ask is decided here; what is done, between groups, by the lane."""

from __future__ import annotations

import hmac
import json
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from sojourn.sessions.requests import Mark
from sojourn.web import answers, parameters
from sojourn.web.answers import Answer, Missing, Pairs
from sojourn.web.parameters import BadParameter
from sojourn.web.reading import Reading
from sojourn.web.serving import Receive, Scope

TOKEN: Final = secrets.token_urlsafe(24)
"""What forms of our pages carry as `token`: another page cannot know it. New with every start."""
LONGEST_NAME: Final = 500
_LARGEST: Final = 1 << 20
_PATIENCE: Final = 30.0
_FORM: Final = "application/x-www-form-urlencoded"

Ask = Callable[[object, float], None]
"""`component.Service.ask`."""


class Refused(PermissionError):
    """The form is not one of ours."""


class TooLarge(ValueError):
    """More than anybody has to say."""


@dataclass(frozen=True, slots=True)
class Told:
    """The body of a request that changes something."""

    values: Mapping[str, Any]
    form: bool
    """It came from a form of a page: the answer is for people."""


def action_of(scope: Scope) -> str | None:
    """What is to be done: name, end, delete or rebuild; None if this request asks for no change that we know."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").strip("/").split("/")
    match scope["method"], path:
        case "POST", ["sessions", _, "name" | "end" | "delete" as action]:
            return str(action)
        case "DELETE", ["sessions", _]:
            return "delete"
        case "POST", ["rebuild"]:
            return "rebuild"
    return None


async def body_of(receive: Receive) -> bytes:
    """The whole body. Raises TooLarge."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > _LARGEST:
            raise TooLarge(f"body: is larger than {_LARGEST} bytes")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def is_form(scope: Scope) -> bool:
    """Whether a form was sent: whoever reads the answer is no program."""
    return _kind(scope) == _FORM


def _kind(scope: Scope) -> str:
    kinds = [value.decode("latin-1").partition(";")[0].strip().lower() for name, value in scope["headers"] if name == b"content-type"]
    return kinds[0] if kinds else ""


def told(scope: Scope, body: bytes) -> Told:
    """What the body says: nothing, JSON, or a form with our token. Raises BadParameter and Refused."""
    kind = _kind(scope)
    if kind == _FORM:
        values = _form(body)
        if not hmac.compare_digest(str(values.pop("token", "")).encode(), TOKEN.encode()):
            raise Refused("token: the form is of another start of the collector: load the page again")
        return Told(values, True)
    if not body.strip():
        return Told({}, False)
    if kind != "application/json":
        raise BadParameter(f"content-type: {kind[:80]!r} is not understood here: send application/json")
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadParameter("body: is not JSON") from error
    if not isinstance(values, dict):
        raise BadParameter("body: is not a JSON object")
    return Told(values, False)


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20))
    except ValueError as error:
        raise BadParameter("body: is not a form in UTF-8") from error


def name_of(values: Mapping[str, Any]) -> str:
    """The name that a session shall have. Raises BadParameter."""
    _only(values, "name")
    name = values.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadParameter('name: is missing: send {"name": "what to call it"}')
    name = name.strip()
    if len(name) > LONGEST_NAME or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise BadParameter(f"name: is longer than {LONGEST_NAME} characters, or has some that cannot be shown")
    return name


def _only(values: Mapping[str, Any], *known: str) -> None:
    if unknown := sorted(values.keys() - set(known)):
        raise BadParameter(f"{unknown[0][:80]}: is not known here" + (f": use {', '.join(known)}" if known else ""))


@dataclass(frozen=True, slots=True)
class Changing:
    """Does what is asked of sessions, and answers with what they are then. Called on a worker."""

    ask: Ask
    reading: Reading
    now: Callable[[], int]

    def rename(self, identity: str, pairs: Pairs, values: Mapping[str, Any]) -> Answer:
        self._mark(identity, pairs, "name", name_of(values))
        return answers.session(self.reading, identity, pairs, self.now())

    def end(self, identity: str, pairs: Pairs, values: Mapping[str, Any]) -> Answer:
        _only(values)
        self._mark(identity, pairs, "end")
        return answers.session(self.reading, identity, pairs, self.now())

    def delete(self, identity: str, pairs: Pairs, values: Mapping[str, Any]) -> None:
        _only(values)
        self._mark(identity, pairs, "delete")

    def _mark(self, identity: str, pairs: Pairs, what: Literal["name", "end", "delete"], name: str = "") -> None:
        """Raises Missing, with the projects that have a session of this id."""
        project = parameters.only_project(pairs)
        mark = Mark((self.reading.tenant, project, identity), what, name)
        self.ask(mark, _PATIENCE)
        if not mark.found:
            raise self._missing(identity)

    def _missing(self, identity: str) -> Missing:
        projects = [row["project"] for row in self.reading.rows("session_projects", tenant=self.reading.tenant, session=identity)]
        return Missing("session: there is no session of this id" + (" in this project" if projects else ""), projects)
