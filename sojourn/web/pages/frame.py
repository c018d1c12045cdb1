"""What all pages share: templates, addresses, and the page that says what went wrong."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from sojourn.schema import FLAG_MEANINGS
from sojourn.web import changing, messages, wording
from sojourn.web.answers import Answer, Pairs
from sojourn.web.reading import Row

LONGEST_VALUE: Final = 4_000
logged_in: ContextVar[bool] = ContextVar("logged_in", default=False)
"""Whether who asks has logged in with the page, and so can log out again."""
may_change: ContextVar[bool] = ContextVar("may_change", default=True)
"""Whether who asks may rename, end and delete sessions: nobody is offered what would be refused."""
_LEAST_BAR: Final = 0.5  # per cent: an instant is seen too
_TITLES: Final = {400: "That cannot be asked", 403: "Not for you", 404: "Not found", 503: "Not now"}
_PLACES: Final = (("Sessions", "/sessions"), ("Over time", "/over-time"), ("Alerts", "/alerts"), ("Events", "/events"), ("SQL", "/queries"))
_METHODS: Final = frozenset(dir(dict))
_WORDS: Final = ("ago", "amount", "clock", "count", "duration", "money", "number", "rough", "severity", "short")


class _Rows(Environment):
    """Nearly everything that is shown stands in dictionaries: their keys are looked for before attributes (an eighth of a page)."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is dict and attribute not in _METHODS and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@functools.cache
def _environment() -> Environment:
    environment = _Rows(
        loader=PackageLoader("sojourn.web", "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({word: getattr(wording, word) for word in _WORDS})
    environment.filters["saying"] = messages.saying
    environment.globals.update(session_address=session_address, trace_address=trace_address, longest=LONGEST_VALUE, places=_PLACES)
    environment.globals.update(flag_words=FLAG_MEANINGS, reasons=wording.REASONS, event_words=wording.EVENTS, token=changing.TOKEN)
    return environment


def render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(logged_in=logged_in.get(), may_change=may_change.get(), **values)


def login(goal: str, wrong: bool = False, wait: int = 0) -> str:
    """Where people present a token; `goal` is where they are led then, `wait` after how many seconds they may try again."""
    return render("login.html", goal=goal, wrong=wrong, wait=wait)


def session_address(row: Mapping[str, Any], suffix: str = "") -> str:
    """The address of a session's page, or with `.json` of its twin."""
    path = quote(row["session_id"], safe="")
    path = path.removesuffix(".json") + "%2Ejson" if path.endswith(".json") else path
    query = "?" + urlencode({"project": row["project"]}) if row["project"] else ""
    return f"/sessions/{path}{suffix}{query}"


def trace_address(identity: str, suffix: str = "", **asked: str) -> str:
    return f"/traces/{quote(identity, safe='')}{suffix}" + ("?" + urlencode(asked) if asked else "")


def again(pairs: Pairs, **changes: str | None) -> str:
    """The same question with changes, as a query string; None takes a parameter away."""
    kept = [(name, value) for name, value in pairs if value and name not in changes]
    return "?" + urlencode(kept + [(name, value) for name, value in changes.items() if value is not None])


def without(pairs: Pairs, left: tuple[str, str]) -> str:
    """The same question from its beginning, without one of its conditions."""
    return "?" + urlencode([pair for pair in pairs if pair[1] and pair != left and pair[0] != "after"])


def bars(rows: Iterable[Row], start: str, wall: int) -> list[Row]:
    """Each row with where its bar begins and how long it is, in per cent of the whole."""
    first, whole = wording.moment(start), max(int(wall), 1)
    shown = []
    for row in rows:
        begin, end = wording.moment(row["start"]), wording.moment(row["end"])
        left = min(max((begin - first) / whole * 100, 0.0), 100.0 - _LEAST_BAR)
        width = min(max((end - begin) / whole * 100, _LEAST_BAR), 100.0 - left)
        shown.append(row | {"left": f"{left:.3f}", "width": f"{width:.3f}"})
    return shown


def failure(answer: Answer, status: int) -> Response:
    projects = [{"session_id": "", "project": project} for project in answer.get("projects", ())]
    html = render("failure.html", title=_TITLES.get(status, "Something went wrong"), error=answer["error"], projects=projects)
    return Response(html, status, media_type="text/html")
