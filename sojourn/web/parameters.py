"""What is asked for: the parameters of the API, checked, as parameters that are bound in the database.

Nothing here writes SQL: a parameter chooses lines of a statement by name (`given`) and binds values (`bound`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sojourn import schema
from sojourn.config.types import parse_duration

MAX_LIMIT: Final = 1000
_MAX_TEXT: Final = 4096
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d))?")
_MONEY = re.compile(r"\d{1,20}(?:\.\d{1,12})?")
_NAMES = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

STATES: Final = ("active", "idle", "ended")
STATUSES: Final = ("ok", "error")


class BadParameter(ValueError):
    """The client asked for something that cannot be answered: `where: what: what to do`."""


def snake_case(name: str) -> str:
    """`TurnP50Ns` → `turn_p50_ns`: how a column is called in JSON."""
    return _NAMES.sub("_", name).lower()


def _sortable() -> dict[str, tuple[str, str]]:
    hidden = {"CostPico", "CostSources", "Version", "Deleted"}
    shown = [(column.name, column.type) for column in schema.SESSION_ROWS.columns if column.name not in hidden]
    shown += [("TotalTokens", "UInt64")]
    utc = {"DateTime64(9)": "DateTime64(9, 'UTC')", "DateTime64(3)": "DateTime64(3, 'UTC')"}
    numbers = ((name, kind) for name, kind in shown if kind.startswith(("UInt", "DateTime64")))
    return {snake_case(name): (name, utc.get(kind, kind)) for name, kind in numbers} | {"cost": ("KnownPico", "Nullable(Int64)")}


SORTABLE: Final = _sortable()
"""What a list of sessions may be sorted by: name in JSON → (what is sorted by in `session_places.sql`, its type)."""


@dataclass(slots=True)
class Question:
    """Which optional lines of a statement stand, and what is bound in it."""

    given: set[str] = field(default_factory=set)
    bound: dict[str, Any] = field(default_factory=dict)
    limit: int = 50
    sort: str = "-end"

    def ask(self, name: str, **bound: object) -> None:
        self.given.add(name)
        self.bound.update(bound)


def parse_time(name: str, text: str, now: int) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time, a date (UTC), or a time span before `now` such as 24h."""
    parts = _TIME.fullmatch(text.strip())
    if parts is None:
        try:
            return now - round(parse_duration(text.strip()) * 1e9)
        except ValueError:
            raise BadParameter(f"{name}: {text!r} is not a time: write 2026-01-31T09:30:00Z, 2026-01-31 or 24h") from None
    day, clock, fraction, zone = parts.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{(zone or 'Z').upper()}")
        seconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    except (ValueError, OverflowError):
        raise BadParameter(f"{name}: {text!r} is not a time: there is no such day or hour") from None
    return max(-(2**62), min(2**62, seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))))


def whole(name: str, text: str, greatest: int, least: int = 0) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and least <= int(text) <= greatest):
        raise BadParameter(f"{name}: {text!r} is not a whole number from {least} to {greatest}")
    return int(text)


def encode_cursor(*parts: object) -> str:
    """A place in a list, as an opaque text that is safe in an address."""
    return base64.urlsafe_b64encode(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(text: str, kinds: Sequence[type | tuple[type, ...]]) -> list[Any]:
    """The parts given to encode_cursor(). BadParameter if it is not one of ours."""
    try:
        parts = json.loads(base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    fits = isinstance(parts, list) and len(parts) == len(kinds)
    if not fits or not all(isinstance(part, kind) and not isinstance(part, bool) for part, kind in zip(parts, kinds, strict=True)):
        raise BadParameter("after: is not a cursor of this list: use `next` of an earlier answer as it is")
    return list(parts)


def _choice(name: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise BadParameter(f"{name}: {value!r} is none of {', '.join(choices)}")
    return value


def _single(pairs: Sequence[tuple[str, str]], known: Sequence[str]) -> dict[str, str]:
    """Each parameter once; empty ones, which forms send, are not given. `meta.…` is left out."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name.startswith("meta.") and "meta" in known:
            continue
        if name not in known:
            raise BadParameter(f"{name[:80]}: is not a parameter here: use {', '.join(known)}")
        if len(value) > _MAX_TEXT:
            raise BadParameter(f"{name}: is longer than {_MAX_TEXT} characters")
        if value and found.setdefault(name, value) != value:
            raise BadParameter(f"{name}: is given twice")
    return found


def only_project(pairs: Sequence[tuple[str, str]]) -> str:
    """The project of a session that is to be changed: nothing else is asked there."""
    return _single(pairs, ("project",)).get("project", "")


_MOST_IDS: Final = 100
SESSIONS: Final = (
    *("search", "session_id", "project", "user", "state", "status", "service", "model", "tag", "meta"),
    *("since", "until", "min_cost", "min_tokens", "min_wall", "sort", "limit", "after"),
)


def sessions(pairs: Sequence[tuple[str, str]], now: int) -> Question:
    """The parameters of the list of sessions (name, value as sent), for `sessions.sql`."""
    given = _single(_others(pairs), SESSIONS)
    question = Question(limit=whole("limit", given.get("limit", "50"), MAX_LIMIT, 1))
    question.bound["limit"] = question.limit + 1
    _ids(question, pairs)
    _texts(question, given)
    _metadata(question, pairs)
    _amounts(question, given, now)
    _order(question, given)
    return question


def _others(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the ids of sessions, of which a list may be asked for several."""
    return [pair for pair in pairs if pair[0] != "session_id"]


def _ids(question: Question, pairs: Sequence[tuple[str, str]]) -> None:
    wanted = list(dict.fromkeys(value for name, value in pairs if name == "session_id" and value))
    if len(wanted) > _MOST_IDS:
        raise BadParameter(f"session_id: more than {_MOST_IDS} are named: ask for the others apart")
    if any(len(one) > _MAX_TEXT for one in wanted):
        raise BadParameter(f"session_id: is longer than {_MAX_TEXT} characters")
    if wanted:
        question.ask("sessions", sessions=wanted)


def _texts(question: Question, given: Mapping[str, str]) -> None:
    for name in ("search", "project", "user", "service", "model", "tag"):
        if name in given:
            question.ask(name, **{name: given[name]})
    for name, choices in (("state", STATES), ("status", STATUSES)):
        if name in given:
            question.ask(name, **{name: _choice(name, given[name], choices)})


def _metadata(question: Question, pairs: Sequence[tuple[str, str]]) -> None:
    wanted = [(name.removeprefix("meta."), value) for name, value in pairs if name.startswith("meta.")]
    if (
        any(name == "meta" for name, _ in pairs)
        or len(wanted) > 20
        or any(not key or len(key) > _MAX_TEXT or len(value) > _MAX_TEXT for key, value in wanted)
    ):
        raise BadParameter("meta: write at most 20 of meta.KEY=VALUE, with a key")
    if wanted:
        question.ask("meta", meta_keys=[key for key, _ in wanted], meta_values=[value for _, value in wanted])


def _amounts(question: Question, given: Mapping[str, str], now: int) -> None:
    for name in ("since", "until"):
        if name in given:
            question.ask(name, **{name: parse_time(name, given[name], now)})
    if "min_cost" in given:
        if not _MONEY.fullmatch(given["min_cost"]):
            raise BadParameter(f"min_cost: {given['min_cost']!r} is not an amount of US dollars such as 0.25")
        question.ask("min_cost", min_cost=_pico(given["min_cost"]))
    if "min_tokens" in given:
        question.ask("min_tokens", min_tokens=whole("min_tokens", given["min_tokens"], 2**63 - 1))
    if "min_wall" in given:
        try:
            question.ask("min_wall", min_wall=min(round(parse_duration(given["min_wall"]) * 1e9), 2**63 - 1))
        except ValueError:
            raise BadParameter(f"min_wall: {given['min_wall']!r} is not a duration such as 60s or 1h30m") from None


def _order(question: Question, given: Mapping[str, str]) -> None:
    question.sort = given.get("sort", "-end")
    column = question.sort.removeprefix("-")
    if column not in SORTABLE:
        raise BadParameter(f"sort: {question.sort[:80]!r} is none of {', '.join(SORTABLE)}, each with `-` for descending")
    name, kind = SORTABLE[column]
    direction = "descending" if question.sort.startswith("-") else "ascending"
    question.ask(direction, sort=name)
    if "after" not in given:
        return
    sort, value, project, session = decode_cursor(given["after"], (str, (str, type(None)), str, str))
    if sort != question.sort:
        raise BadParameter(f"after: belongs to a list sorted by {sort[:80]!r}: ask for that sort, or start again without it")
    if value is None and not kind.startswith("Nullable"):
        raise BadParameter("after: is not a cursor of this list")
    question.ask("after_unknown" if value is None else f"after_{direction}", after_project=project, after_id=session)
    if value is not None:
        question.bound.update(after=_sort_value(value, kind), after_type=kind)


def _sort_value(value: str, kind: str) -> str:
    shapes = {"UInt": r"\d{1,20}", "Date": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z", "Null": r"-?\d{1,26}(\.\d{1,12})?"}
    if not re.fullmatch(shapes[kind[:4]], value):
        raise BadParameter("after: is not a cursor of this list: use `next` of an earlier answer as it is")
    return str(_pico(value)) if kind.startswith("Null") else value.replace("T", " ").rstrip("Z")


def _pico(dollars: str) -> int:
    """Money as it is stored: whole 10^-12 US dollars."""
    return max(-(2**63), min(int(Decimal(dollars).scaleb(12)), 2**63 - 1))


def next_sessions(question: Question, rows: list[dict[str, Any]]) -> str | None:
    """Cut `rows`, of which one more than asked for was read, and give the cursor of the next page."""
    if len(rows) <= question.limit:
        return None
    del rows[question.limit :]
    last, column = rows[-1], question.sort.removeprefix("-")
    value = last[column]
    return encode_cursor(question.sort, None if value is None else str(value), last["project"], last["session_id"])


BUCKETS: Final = tuple(seconds * 1_000_000_000 for seconds in (60, 300, 900, 3600, 6 * 3600, 86_400))
"""From 1m to 1d, in nanoseconds: what is chosen from where none is asked for."""
GROUPS: Final = ("service", "model", "user", "project")
_OVER_TIME: Final = (*(name for name in SESSIONS if name not in ("sort", "limit", "after")), "bucket", "group")
_DAY: Final = 86_400_000_000_000


def over_time(pairs: Sequence[tuple[str, str]], now: int) -> Question:
    """The parameters of what came in over time, for `over_time.sql`: `since` and `until` in whole buckets."""
    given = _single(_others(pairs), _OVER_TIME)
    question = Question()
    _ids(question, pairs)
    _texts(question, given)
    _metadata(question, pairs)
    _amounts(question, {name: value for name, value in given.items() if name not in ("since", "until")}, now)
    since = parse_time("since", given["since"], now) if "since" in given else now - _DAY
    until = parse_time("until", given["until"], now) if "until" in given else now
    if since >= until:
        raise BadParameter("since: is not before until")
    bucket = _bucket(given["bucket"]) if "bucket" in given else next((one for one in BUCKETS if (until - since) / one <= 100), BUCKETS[-1])
    first = since - since % bucket
    if (until - first) // bucket >= 2_000:
        raise BadParameter("bucket: makes more than 2000 of this time: write a longer one, or less time")
    group = _choice("group", given["group"], GROUPS) if "group" in given else ""
    question.given |= {"group", f"group_{group}"} if group else {"all"}
    question.given |= set() if group in ("service", "model") else {"plain"}
    question.bound |= {"since": first, "until": first + -(-(until - first) // bucket) * bucket, "bucket": bucket}
    return question


def _bucket(text: str) -> int:
    try:
        bucket = round(parse_duration(text) * 1e9)
    except ValueError:
        bucket = 0
    if not BUCKETS[0] <= bucket <= BUCKETS[-1]:
        raise BadParameter(f"bucket: {text!r} is not a duration from 1m to 1d")
    return bucket


def events(pairs: Sequence[tuple[str, str]], now: int, only: str = "") -> Question:
    """The parameters of the list of events, or of `only` those of one name, for `events.sql`."""
    given = _single(pairs, ("session_id", "project", "event", "since", "limit", "after"))
    if only:
        given["event"] = _choice("event", given.get("event", only), (only,))
    question = Question(limit=whole("limit", given.get("limit", "100"), MAX_LIMIT, 1))
    question.bound["limit"] = question.limit + 1
    for name, parameter in (("session_id", "session"), ("project", "project"), ("event", "event")):
        if name in given:
            question.ask(parameter, **{parameter: given[name]})
    if "since" in given:
        question.ask("since", since=parse_time("since", given["since"], now))
    if "after" in given:
        time, project, session, segment, revision, event, reason = decode_cursor(given["after"], (str, str, str, int, int, str, str))
        question.ask("after", after_time=parse_time("after", time, now), after_project=project, after_id=session)
        question.bound.update(after_segment=segment, after_revision=revision, after_event=event, after_reason=reason)
    return question


def alerts(pairs: Sequence[tuple[str, str]], now: int) -> Question:
    """The parameters of the list of alerts, which are events: `name` is that of the alert."""
    names = [value for name, value in pairs if name == "name" and value]
    if len(set(names)) > 1:
        raise BadParameter("name: is given twice")
    question = events([pair for pair in pairs if pair[0] != "name"], now, only="session.alert")
    if names:
        question.ask("reason", reason=names[0])
    return question


def next_events(question: Question, rows: list[dict[str, Any]]) -> str | None:
    if len(rows) <= question.limit:
        return None
    del rows[question.limit :]
    last = rows[-1]
    return encode_cursor(*(last[name] for name in ("time", "project", "session_id", "segment", "revision", "event", "reason")))


def by_start(
    pairs: Sequence[tuple[str, str]], others: Sequence[str], default: int, greatest: int, now: int
) -> tuple[Question, dict[str, str]]:
    """Paging of what belongs to one thing and is listed by (start, id): traces of a session, spans of a trace."""
    given = _single(pairs, (*others, "limit", "after"))
    question = Question(limit=whole("limit", given.get("limit", str(default)), greatest, 1))
    question.bound["limit"] = question.limit + 1
    if "after" in given:
        start, identity = decode_cursor(given["after"], (str, str))
        question.ask("after", after_start=parse_time("after", start, now), after_id=identity)
    return question, given


def waterfall(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Which `span` of a trace is shown whole, `from` which row on the page shows them, and whether `only` the span is wanted."""
    given = _single(pairs, ("span", "from", "only"))
    if "only" in given:
        _choice("only", given["only"], ("span",))
    whole("from", given.get("from", "0"), 10**6)
    return given


def next_by_start(question: Question, rows: list[dict[str, Any]], identity: str) -> str | None:
    if len(rows) <= question.limit:
        return None
    del rows[question.limit :]
    return encode_cursor(rows[-1]["start"], rows[-1][identity])


def behind(place: tuple[str, str], identity: str, now: int) -> Question:
    """What of a list lies behind this (time, id), everything behind two empty texts; `identity` is what its statement calls the id."""
    question = Question()
    if place[0]:
        number = whole("after", place[1], 2**64 - 1) if identity == "after_digest" else place[1]
        question.ask("after", after_start=parse_time("after", place[0], now), **{identity: number})
    return question


def logs(pairs: Sequence[tuple[str, str]], now: int) -> tuple[Question, dict[str, str]]:
    """Paging of the log records of one session, for `session_logs.sql`."""
    given = _single(pairs, ("project", "limit", "after"))
    time, digest = decode_cursor(given["after"], (str, str)) if "after" in given else ("", "")
    question = behind((time, digest), "after_digest", now)
    question.limit = whole("limit", given.get("limit", str(MAX_LIMIT)), MAX_LIMIT, 1)
    question.bound["limit"] = question.limit + 1
    return question, given


def next_logs(question: Question, rows: list[dict[str, Any]]) -> str | None:
    if len(rows) <= question.limit:
        return None
    del rows[question.limit :]
    return encode_cursor(rows[-1]["time"], rows[-1]["digest"])


def places(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str, str, str], dict[str, str]]:
    """Where the traces and the log records of a session's page begin (see `timeline.Places`), and what else was given."""
    given = _single(pairs, ("project", "after"))
    parts = decode_cursor(given["after"], (str, str, str, str)) if "after" in given else [""] * 4
    return (parts[0], parts[1], parts[2], parts[3]), given


def metrics(pairs: Sequence[tuple[str, str]]) -> tuple[Question, dict[str, str]]:
    """Paging of the metric series of one session by name, for `session_metrics.sql`."""
    given = _single(pairs, ("project", "limit", "after"))
    question = Question(limit=whole("limit", given.get("limit", "100"), MAX_LIMIT, 1))
    question.ask("series", limit=question.limit + 1)
    if "after" in given:
        name, series = decode_cursor(given["after"], (str, str))
        question.ask("after", after_name=name, after_series=whole("after", series, 2**64 - 1))
    return question, given


def next_metrics(question: Question, rows: list[dict[str, Any]]) -> str | None:
    if len(rows) <= question.limit:
        return None
    del rows[question.limit :]
    return encode_cursor(rows[-1]["name"], rows[-1]["id"])
