"""Calls to the API of a running collector, and clear words for what goes wrong on the way."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from sojourn.errors import ConfigError, SojournError

TOKEN: Final = "SOJOURN_TOKEN"
"""The variable that holds a token, for collectors that ask for one: arguments are seen by everybody on a machine."""
BASIC: Final = "SOJOURN_BASIC"
"""The variable that holds user:password, for collectors that ask for those."""
ENDPOINT: Final = "http://127.0.0.1:4321"
_SECONDS: Final = 60
Pairs = Sequence[tuple[str, str]]


def authorization() -> dict[str, str]:
    """The header that says who asks, if the environment tells. ConfigError if what it tells is nothing of the kind."""
    if token := os.environ.get(TOKEN):
        return {"Authorization": f"Bearer {token}"}
    told = os.environ.get(BASIC, "")
    if told and ":" not in told:
        raise ConfigError(f"sojourn: {BASIC}: is not user:password")
    return {"Authorization": f"Basic {base64.b64encode(told.encode()).decode()}"} if told else {}


def call(endpoint: str, path: str, pairs: Pairs = (), method: str = "GET", said: Mapping[str, object] | None = None) -> bytes:
    """The body of the answer. ConfigError for what cannot be asked, SojournError for what cannot be answered."""
    with answer_of(endpoint, path, pairs, method, said) as answer:
        return bytes(answer.read())


@contextmanager
def answer_of(endpoint: str, path: str, pairs: Pairs = (), method: str = "GET", said: Mapping[str, object] | None = None) -> Iterator[Any]:
    """The answer while it comes; `said` goes along as JSON. Errors as for call()."""
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise ConfigError(f"sojourn: --endpoint {endpoint}: write http://host:port")
    address = endpoint.rstrip("/") + path + ("?" + urlencode(pairs) if pairs else "")
    headers = {"Accept": "application/json"} | ({} if said is None else {"Content-Type": "application/json"}) | authorization()
    request = Request(address, None if said is None else json.dumps(said).encode(), headers, method=method)
    opener = build_opener(ProxyHandler({}))  # a collector on this machine is not asked through a proxy
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            yield answer
    except HTTPError as error:
        said_why = _said(error)
        raise (ConfigError(f"sojourn: {said_why}") if error.code == 400 else SojournError(said_why)) from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        hint = "start a collector with `sojourn run`, or name another with --endpoint"
        raise SojournError(f"nothing answers at {endpoint}: {reason}: {hint}") from error


def _said(error: HTTPError) -> str:
    from sojourn.web import wording

    try:
        answer = json.loads(error.read())
        said = str(answer["error"])
        if projects := answer.get("projects"):
            said += f": there is one with --project {', '.join(map(str, projects))}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the collector answered {error.code}: is there a Sojourn at {error.url.split('/sessions')[0]}?"
    return wording.plain(said)
