"""The metric series of one session."""

from __future__ import annotations

from sojourn.web import drawing
from sojourn.web.answers import Answer, Pairs
from sojourn.web.pages.frame import again, render, session_address


def metrics(answer: Answer, identity: str, pairs: Pairs) -> str:
    row = {"session_id": identity, "project": dict(pairs).get("project", "")}
    series = answer["series"]
    return render(
        "metrics.html",
        row=row,
        width=drawing.WIDTH,
        height=drawing.HEIGHT,
        series=[one | {"line": drawing.line(one["points"], bars=one["temporality"] == "delta")} for one in series],
        telling=_telling([one["attributes"] for one in series]),
        totals=answer["totals"],
        following=again(pairs, after=answer["next"]) if answer["next"] else None,
        twin=session_address(row, "/metrics.json"),
    )


def _telling(maps: list[dict[str, str]]) -> set[str]:
    """The keys by which these differ: those that all have alike would only repeat themselves."""
    keys = {key for one in maps for key in one}
    return {key for key in keys if len(maps) == 1 or any(one.get(key) != maps[0].get(key) for one in maps)}
