"""The answers as HTML. What came from outside is escaped by the templates, and isolated where it may turn the writing direction."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from sojourn.web import changing, drawing, parameters, wording
from sojourn.web.answers import Answer, Pairs
from sojourn.web.reading import Row

SPANS: Final = 1_000
_DEEPEST: Final = 24
_LONGEST_VALUE: Final = 4_000
_FEW_RECORDS: Final = 10
_LEAST_BAR: Final = 0.5  # per cent: an instant is seen too
_MORE_FILTERS: Final = {"project", "service", "model", "tag", "until", "min_cost", "min_tokens", "min_wall"}


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sojourn.web", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    words = ("ago", "amount", "clock", "count", "duration", "money", "number", "severity", "short")
    environment.filters.update({word: getattr(wording, word) for word in words})
    environment.globals.update(session_address=session_address, trace_address=trace_address)
    environment.globals.update(flag_words=wording.FLAGS, reasons=wording.REASONS, token=changing.TOKEN)
    return environment


def _render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)


def session_address(row: Mapping[str, Any], suffix: str = "") -> str:
    """The address of a session's page, or with `.json` of its twin."""
    path = quote(row["session_id"], safe="")
    path = path.removesuffix(".json") + "%2Ejson" if path.endswith(".json") else path
    query = "?" + urlencode({"project": row["project"]}) if row["project"] else ""
    return f"/sessions/{path}{suffix}{query}"


def trace_address(identity: str, suffix: str = "") -> str:
    return f"/traces/{quote(identity, safe='')}{suffix}"


def _again(pairs: Pairs, **changes: str | None) -> str:
    """The same question with changes, as a query string."""
    kept = [(name, value) for name, value in pairs if value and name not in changes]
    return "?" + urlencode(kept + [(name, value) for name, value in changes.items() if value is not None])


def sessions(answer: Answer, pairs: Pairs, otlp: Callable[[], str], now: int) -> str:
    given = {name: value for name, value in pairs if value}
    rows = answer["sessions"]
    sort = given.get("sort", "-end")
    return _render(
        "sessions.html",
        rows=rows,
        now=now,
        given=given,
        filtered=bool(given.keys() - {"sort", "limit"}),
        meta=[(name, value) for name, value in pairs if name.startswith("meta.") and value],
        more=bool(given.keys() & _MORE_FILTERS),
        states=parameters.STATES,
        statuses=parameters.STATUSES,
        sort=sort,
        sort_link=lambda column: _again(pairs, after=None, sort=column if sort == f"-{column}" else f"-{column}"),
        following=_again(pairs, after=answer["next"]) if answer["next"] else None,
        twin="/sessions.json" + _again(pairs),
        otlp=otlp() if not rows else "",
        projects=any(row["project"] for row in rows),
    )


def session(answer: Answer, pairs: Pairs) -> str:
    row = answer["session"]
    return _render(
        "session.html",
        row=row,
        segments=answer["segments"],
        moments=_bars(_runs(answer["moments"]), row["start"], row["wall_ns"]),
        longest=_LONGEST_VALUE,
        events=answer["events"],
        totals=_totals(row),
        following=_again(pairs, after=answer["next"]) if answer["next"] else None,
        twin=session_address(row, ".json"),
    )


def metrics(answer: Answer, identity: str, pairs: Pairs) -> str:
    row = {"session_id": identity, "project": dict(pairs).get("project", "")}
    series = answer["series"]
    return _render(
        "metrics.html",
        row=row,
        width=drawing.WIDTH,
        height=drawing.HEIGHT,
        series=[one | {"line": drawing.line(one["points"], bars=one["temporality"] == "delta")} for one in series],
        telling=_telling([one["attributes"] for one in series]),
        totals=answer["totals"],
        following=_again(pairs, after=answer["next"]) if answer["next"] else None,
        twin=session_address(row, "/metrics.json"),
    )


def trace(answer: Answer, pairs: Pairs, now: int) -> str:
    row = answer["trace"]
    spans = _bars(tree(answer["spans"]), row["start"], row["wall_ns"])
    return _render(
        "trace.html",
        row=row,
        now=now,
        spans=spans,
        longest=_LONGEST_VALUE,
        following=_again(pairs, after=answer["next"]) if answer["next"] else None,
        twin=trace_address(row["trace_id"], ".json"),
    )


def failure(answer: Answer, status: int) -> Response:
    titles = {400: "That cannot be asked", 404: "Not found", 503: "Not now"}
    projects = [{"session_id": "", "project": project} for project in answer.get("projects", ())]
    html = _render("failure.html", title=titles.get(status, "Something went wrong"), error=answer["error"], projects=projects)
    return Response(html, status, media_type="text/html")


def _totals(row: Row) -> list[tuple[str, str, str]]:
    """(what, how much, more about it)."""
    turns = f"{wording.duration(row['turn_p50_ns'])} median, {wording.duration(row['turn_p95_ns'])} p95"
    cost = {"reported": "as told by the senders", "computed": "computed from prices", "mixed": "partly told, partly computed"}
    return [
        ("Duration", wording.duration(row["wall_ns"]), f"active {wording.duration(row['active_ns'])}"),
        ("Cost", wording.money(row["cost"]), cost.get(row["cost_source"], "")),
        ("Tokens", wording.number(row["total_tokens"]), f"{row['input_tokens']:,} in, {row['output_tokens']:,} out"),
        ("Cached", f"{row['cache_read_tokens']:,}", f"{row['cache_write_tokens']:,} written, {row['reasoning_tokens']:,} reasoning"),
        ("Turns", wording.number(row["turns"]), turns),
        ("Traces", wording.number(row["traces"]), f"{row['spans']:,} spans"),
        ("Calls", wording.number(row["llm_calls"]), f"{row['tool_calls']:,} of tools, {row['embedding_calls']:,} embeddings"),
        ("Errors", wording.number(row["errors"]), ""),
        ("Log records", wording.number(row["log_records"]), wording.count(row["log_errors"], "error")),
    ]


def _runs(moments: Iterable[Row]) -> Iterator[Row]:
    """Traces as they are, and the log records between two of them as one row of `logs`, open where it is short or all there is."""
    runs = [(of_logs, list(rows)) for of_logs, rows in itertools.groupby(moments, lambda row: "digest" in row)]
    for of_logs, rows in runs:
        if not of_logs:
            yield from rows
            continue
        errors = sum(row["error"] for row in rows)
        shown = len(runs) == 1 or len(rows) <= _FEW_RECORDS
        yield {"logs": rows, "errors": errors, "start": rows[0]["time"], "end": rows[-1]["time"], "shown": shown}


def _telling(maps: list[dict[str, str]]) -> set[str]:
    """The keys by which these differ: those that all have alike would only repeat themselves."""
    keys = {key for one in maps for key in one}
    return {key for key in keys if len(maps) == 1 or any(one.get(key) != maps[0].get(key) for one in maps)}


def _bars(rows: Iterable[Row], start: str, wall: int) -> list[Row]:
    """Each row with where its bar begins and how long it is, in per cent of the whole."""
    first, whole = wording.moment(start), max(int(wall), 1)
    shown = []
    for row in rows:
        begin, end = wording.moment(row["start"]), wording.moment(row["end"])
        left = min(max((begin - first) / whole * 100, 0.0), 100.0 - _LEAST_BAR)
        width = min(max((end - begin) / whole * 100, _LEAST_BAR), 100.0 - left)
        shown.append(row | {"left": f"{left:.3f}", "width": f"{width:.3f}"})
    return shown


def tree(spans: list[Row]) -> list[Row]:
    """Spans in the order of a tree, each with its `depth`; what hangs on nothing known stands at the top, and loops are cut."""
    known = {span["span_id"] for span in spans}
    children: dict[str, list[Row]] = {}
    for span in spans:
        parent = span["parent_span_id"]
        children.setdefault(parent if parent in known and parent != span["span_id"] else "", []).append(span)
    ordered: list[Row] = []
    seen: set[str] = set()
    for start in (children.get("", []), spans):  # the second round finds what only a loop holds
        stack = [(span, 0) for span in reversed(start)]
        while stack:
            span, depth = stack.pop()
            if span["span_id"] in seen:
                continue
            seen.add(span["span_id"])
            ordered.append(span | {"depth": min(depth, _DEEPEST)})
            stack.extend((child, depth + 1) for child in reversed(children.get(span["span_id"], [])))
    return ordered
