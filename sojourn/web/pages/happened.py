"""Events in the life of sessions, and the alerts among them, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sojourn.web import wording
from sojourn.web.answers import Answer, Pairs
from sojourn.web.pages.frame import again, render, without

_NO_CHIP: Final = {"limit", "after", "event"}
_NAMES: Final = 12
Names = Mapping[tuple[str, str], str]
"""What sessions are called, by project and id."""


def events(answer: Answer, named: Names, pairs: Pairs) -> str:
    given = {name: value for name, value in pairs if value}
    chosen = given.get("event", "")
    return render(
        "events.html",
        rows=answer["events"],
        named=named,
        kinds=[("All", again(pairs, event=None, after=None), not chosen)]
        + [(words, again(pairs, event=event, after=None), event == chosen) for event, words in wording.EVENTS.items()],
        chips=[
            (f"{name.replace('_', ' ')}: {value}", without(pairs, (name, value))) for name, value in pairs if value and name not in _NO_CHIP
        ],
        filtered=bool(given),
        following=again(pairs, after=answer["next"]) if answer["next"] else None,
        twin="/events.json" + again(pairs),
    )


def alerts(answer: Answer, named: Names, pairs: Pairs) -> str:
    given = {name: value for name, value in pairs if value}
    chosen = given.get("name", "")
    names = sorted({row["name"] for row in answer["alerts"]} | ({chosen} - {""}))
    return render(
        "alerts.html",
        rows=answer["alerts"],
        named=named,
        names=[("All", again(pairs, name=None, after=None), not chosen)]
        + [(name, again(pairs, name=name, after=None), name == chosen) for name in names[:_NAMES]]
        if names
        else [],
        chips=[
            (f"{name.replace('_', ' ')}: {value}", without(pairs, (name, value)))
            for name, value in pairs
            if value and name not in {*_NO_CHIP, "name"}
        ],
        filtered=bool(given),
        following=again(pairs, after=answer["next"]) if answer["next"] else None,
        twin="/alerts.json" + again(pairs),
    )
