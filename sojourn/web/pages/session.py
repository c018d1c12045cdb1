"""The page of one session: what it came to, its timeline, and what was said and done in it, turn by turn."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from sojourn.schema import FLAG_MEANINGS
from sojourn.web import wording
from sojourn.web.answers import Answer, Pairs
from sojourn.web.messages import Message, Told, cut, of_record
from sojourn.web.pages import lanes
from sojourn.web.pages.frame import LONGEST_VALUE, again, bars, render, session_address
from sojourn.web.reading import Row

_FEW_RECORDS: Final = 10
_ALOUD: Final = (".user_prompt", ".api_response")
"""Log records with which a command-line agent tells what was asked and answered: they are the conversation."""
_COST: Final = {
    "reported": "as the senders reported it",
    "computed": "computed from list prices",
    "mixed": "partly reported, partly computed from list prices",
}


def session(answer: Answer, pairs: Pairs) -> str:
    """`answer` is what `answers.story` gives."""
    row = answer["session"]
    turns = _numbers(row, answer["traces"])
    return render(
        "session.html",
        row=row,
        segments=answer["segments"],
        moments=_bars(_runs(answer["moments"]), row),
        turns=turns,
        steps=_by_trace(answer["steps"]),
        timeline=lanes.drawn(row, answer["traces"], answer["agents"], answer["segments"], answer["events"], turns)
        if answer["traces"]
        else None,
        events=answer["events"],
        totals=_totals(row),
        tokens=_token_parts(row),
        time=_time_parts(row),
        flags=[(flag, FLAG_MEANINGS.get(flag, "")) for flag in row["flags"]],
        following=again(pairs, after=answer["next"]) if answer["next"] else None,
        first=again(pairs, after=None) if dict(pairs).get("after") else None,
        twin=session_address(row, ".json"),
        live=session_address(row),
        latest=answer["latest"],
    )


def _numbers(row: Row, traces: Sequence[Row]) -> dict[str, int]:
    """The number of each turn by trace id: of all traces where none is marked as a turn, as they are counted."""
    marked = any(trace["turn"] for trace in traces)
    if marked is False and row["turns"] != row["traces"]:
        return {}  # turns are prompts in log records
    chosen = [trace["trace_id"] for trace in traces if trace["turn"] or not marked]
    return {identity: number for number, identity in enumerate(chosen, 1)}


def _by_trace(steps: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for step in steps:
        found.setdefault(step["trace_id"], []).append(step)
    return found


def _totals(row: Row) -> list[tuple[str, str, str]]:
    """(what, how much, more about it)."""
    middle, most = (wording.duration(row[name]).replace(" ", "\N{NO-BREAK SPACE}") for name in ("turn_p50_ns", "turn_p95_ns"))
    turns = f"{middle} median, {most}\N{NO-BREAK SPACE}p95" if row["turns"] else ""
    calls = [wording.count(row["tool_calls"], "tool call")]
    if row["embedding_calls"]:
        calls.append(wording.count(row["embedding_calls"], "embedding"))
    errors = "spans with errors" if row["errors"] else "none"
    if row["log_errors"]:
        errors = f"and {wording.count(row['log_errors'], 'log error')}"
    return [
        ("Turns", wording.number(row["turns"]), turns),
        ("Model calls", wording.number(row["llm_calls"]), ", ".join(calls)),
        ("Errors", wording.number(row["errors"]), errors),
        ("Traces", wording.number(row["traces"]), f"{row['spans']:,} spans, {wording.count(row['log_records'], 'log record')}"),
    ]


def _token_parts(row: Row) -> dict[str, Any]:
    cached = min(row["cache_read_tokens"], row["input_tokens"])
    reasoning = min(row["reasoning_tokens"], row["output_tokens"])
    parts = [
        ("fresh", "input", row["input_tokens"] - cached),
        ("cached", "cached input", cached),
        ("output", "output", row["output_tokens"] - reasoning),
        ("reasoning", "reasoning", reasoning),
    ]
    return {"parts": list(_stacked(parts, row["total_tokens"])), "written": row["cache_write_tokens"]}


def _time_parts(row: Row) -> list[tuple[str, str, str, str, str]]:
    idle = max(row["wall_ns"] - row["active_ns"], 0)
    parts = list(_stacked([("active", "active", row["active_ns"]), ("idle", "idle", idle)], row["wall_ns"]))
    return [(kind, name, left, width, wording.duration(amount)) for kind, name, left, width, amount in parts]


def _stacked(parts: Iterable[tuple[str, str, int]], whole: int) -> Iterator[tuple[str, str, str, str, int]]:
    """(class, name, left and width in per cent, amount) of every part that is there."""
    left = 0.0
    for kind, name, amount in parts:
        width = amount / max(whole, 1) * 100
        if amount:
            yield kind, name, f"{left:.3f}", f"{width:.3f}", amount
        left += width


def _runs(moments: Iterable[Row]) -> Iterator[Row]:
    """Traces as they are, and the log records between two of them as one row of `logs`, open where it is short, all there is, or where
    somebody speaks.
    """
    runs = [(of_logs, list(rows)) for of_logs, rows in itertools.groupby(moments, lambda row: "digest" in row)]
    for of_logs, rows in runs:
        if not of_logs:
            yield from rows
            continue
        rows = [row | {"said": _said(row), "aloud": row["event"].endswith(_ALOUD)} for row in rows]
        errors = sum(row["error"] for row in rows)
        shown = len(runs) == 1 or len(rows) <= _FEW_RECORDS or any(row["said"] and row["aloud"] for row in rows)
        yield {"logs": rows, "errors": errors, "start": rows[0]["time"], "end": rows[-1]["time"], "shown": shown}


def _said(row: Row) -> list[Message]:
    return [cut(message, LONGEST_VALUE) for message in of_record(Told(row["event"], row["attributes"], row["body"]))]


def _bars(moments: Iterable[Row], row: Row) -> list[Row]:
    return bars(moments, row["start"], row["wall_ns"])
