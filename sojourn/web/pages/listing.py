"""The list of sessions: its filters as chips, its columns, and how busy each session was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sojourn.web import drawing, parameters
from sojourn.web.answers import Answer, Pairs
from sojourn.web.pages.frame import again, render, session_address, without

_NO_CHIP: Final = {"search", "sort", "limit", "after"}
_UNSAID: Final = {"search", "session_id", "limit"}
"""What the form of the filters has no field for."""
_RANGES: Final = (("", "Any time"), ("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"))
_CHIPS: Final = {
    **{"session_id": "session: ", "min_cost": "cost from $", "min_tokens": "tokens from ", "min_wall": "lasting "},
    **{"since": "since ", "until": "until "},
}
_COLUMNS: Final = (
    ("end", "Last activity"),
    ("wall_ns", "Duration"),
    ("turns", "Turns"),
    ("total_tokens", "Tokens"),
    ("cost", "Cost"),
    ("errors", "Errors"),
)
_TITLES: Final = dict(_COLUMNS) | {
    "start": "Beginning",
    "active_ns": "Active time",
    "llm_calls": "Model calls",
    "turn_p50_ns": "Median of turns",
    "turn_p95_ns": "p95 of turns",
    "last_seen": "Last arrival",
}
_LATEST: Final = (("-", "latest first"), ("", "earliest first"))
_GREATEST: Final = (("-", "greatest first"), ("", "least first"))
Key = tuple[str, str]


def sessions(
    answer: Answer, pairs: Pairs, activity: Mapping[Key, list[Any]], otlp: Callable[[], Mapping[str, str]], now: int, latest: int
) -> str:
    """`activity` gives what `answers.activity` found for the sessions of the answer, by project and id; `latest` up to which version."""
    given = {name: value for name, value in pairs if value}
    rows = answer["sessions"]
    filtered = bool(given.keys() - {"sort", "limit"})
    return render(
        "sessions.html",
        rows=rows,
        now=now,
        latest=latest,
        given=given,
        filtered=filtered,
        chips=[(words, without(pairs, pair)) for words, pair in chips(pairs)],
        kept=[(name, value) for name, value in pairs if value and name not in ("search", "after")],
        apart=[(name, value) for name, value in pairs if value and (name.startswith("meta.") or name in _UNSAID)],
        states=_choices(pairs, "state", [("", "All"), *((state, state.capitalize()) for state in parameters.STATES)]),
        ranges=_choices(pairs, "since", _RANGES),
        statuses=parameters.STATUSES,
        state_names=parameters.STATES,
        sortable=list(_orders()),
        sort=given.get("sort", "-end"),
        columns=[(name, title, _sorted(pairs, given.get("sort", "-end"), name)) for name, title in _COLUMNS],
        known=_known(rows),
        activity={key: drawing.activity(parts) for key, parts in activity.items()},
        following=again(pairs, after=answer["next"]) if answer["next"] else None,
        first=again(pairs, after=None) if "after" in given else None,
        errors_only=(given.get("status") == "error", again(pairs, after=None, status=None if given.get("status") == "error" else "error")),
        twin="/sessions.json" + again(pairs),
        addresses=[session_address(row) for row in rows],
        otlp=otlp() if not rows and not filtered else {},
    )


def chips(pairs: Pairs) -> Iterator[tuple[str, tuple[str, str]]]:
    """What the chip of each filter says, and the parameter it stands for."""
    for name, value in dict.fromkeys(pairs):
        if value and name not in _NO_CHIP:
            yield _CHIPS[name] + value if name in _CHIPS else f"{name.removeprefix('meta.')}: {value}", (name, value)


def _orders() -> Iterator[tuple[str, str]]:
    """(what `sort` is given, what that means), as the columns of the list are called where they show it."""
    for name in parameters.SORTABLE:
        for sign, order in _LATEST if name in ("start", "end", "last_seen") else _GREATEST:
            yield sign + name, f"{_TITLES.get(name, name.replace('_', ' ').capitalize())}, {order}"


def _choices(pairs: Pairs, name: str, choices: Any) -> list[tuple[str, str, bool]]:
    """(title, the list with this choice, whether it is the one that holds)."""
    chosen = dict(pairs).get(name, "")
    return [(title, again(pairs, after=None, **{name: value or None}), value == chosen) for value, title in choices]


def _sorted(pairs: Pairs, sort: str, column: str) -> str:
    return again(pairs, after=None, sort=column if sort == f"-{column}" else f"-{column}")


def _known(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Values to choose from while typing a filter: those that are on the page."""
    single = {name: {row[column] for row in rows} for name, column in (("project", "project"), ("user", "user_id"))}
    many = {name: {value for row in rows for value in row[f"{name}s"]} for name in ("service", "model", "tag")}
    return {name: sorted(value for value in values if value)[:100] for name, values in (single | many).items()}
