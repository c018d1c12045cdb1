"""Events in the life of sessions, and the alerts among them, newest first."""

from __future__ import annotations

from typing import Final

from sojourn.web import wording
from sojourn.web.answers import Answer, Pairs
from sojourn.web.pages.frame import again, render, without

_NO_CHIP: Final = {"limit", "after", "event"}


def events(answer: Answer, pairs: Pairs) -> str:
    given = {name: value for name, value in pairs if value}
    chosen = given.get("event", "")
    return render(
        "events.html",
        rows=answer["events"],
        kinds=[("All", again(pairs, event=None, after=None), not chosen)]
        + [(words, again(pairs, event=event, after=None), event == chosen) for event, words in wording.EVENTS.items()],
        chips=[
            (f"{name.replace('_', ' ')}: {value}", without(pairs, (name, value))) for name, value in pairs if value and name not in _NO_CHIP
        ],
        filtered=bool(given),
        following=again(pairs, after=answer["next"]) if answer["next"] else None,
        twin="/events.json" + again(pairs),
    )


def alerts(answer: Answer, pairs: Pairs) -> str:
    given = {name: value for name, value in pairs if value}
    return render(
        "alerts.html",
        rows=answer["alerts"],
        chips=[
            (f"{name.replace('_', ' ')}: {value}", without(pairs, (name, value))) for name, value in pairs if value and name not in _NO_CHIP
        ],
        filtered=bool(given),
        following=again(pairs, after=answer["next"]) if answer["next"] else None,
        twin="/alerts.json" + again(pairs),
    )
