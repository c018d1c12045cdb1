"""Sessions as people read them in a terminal: tables, colours, and a timeline of characters."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_NUMBERS: Final = ("+Duration", "+Turns", "+Traces", "+Tokens", "+Cost", "+Errors")
_STATES: Final = {"active": "green", "idle": "yellow", "ended": "dim"}
_LEAST_LINE: Final = 16
_LONGEST_LINE: Final = 60
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    there = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=None if there.isatty() else 160)


def plain(text: str, length: int = 40) -> str:
    """What senders wrote, in one line, without what would steer the terminal."""
    from sojourn.web import wording

    return wording.plain(wording.short(text, length))


def coloured(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(text, style)


def table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], room: int) -> Table:
    """A table at most `room` wide, whose columns with `+` stand right and whole, with `=` left and whole; the widest others give way."""
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table

    names = [column.lstrip("+=") for column in columns]
    widths = [max(cell_len(str(cell)) for cell in (name, *(row[number] for row in rows))) for number, name in enumerate(names)]
    _squeeze(widths, [number for number, column in enumerate(columns) if not column.startswith(("+", "="))], room - 3 * len(columns))
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(columns), header_style="dim")
    for column, name, width in zip(columns, names, widths, strict=True):
        drawn.add_column(name, justify="right" if column.startswith("+") else "left", no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        drawn.add_row(*row)
    return drawn


def _squeeze(widths: list[int], yielding: list[int], room: int) -> None:
    """Make the widest columns among `yielding` narrower, down to eight, until all fit."""
    while sum(widths) > room and yielding:
        widest = max(yielding, key=lambda number: widths[number])
        if widths[widest] <= 8:
            return
        widths[widest] -= 1


def sessions(rows: list[dict[str, Any]], room: int) -> RenderableType:
    from sojourn.web import wording

    if not rows:
        return "no sessions"
    named = any(row["project"] for row in rows)
    lines: list[list[str | Text]] = []
    for row in rows:
        texts: list[str | Text] = [
            plain(text) for text in (*([row["project"]] if named else []), row["session_id"], row["name"], row["user_id"])
        ]
        lines.append([*texts, _state(row["state"]), wording.clock(row["start"]), *_counts(row)])
    return table([*(["Project"] if named else []), "Id", "Name", "User", "+State", "+Start", *_NUMBERS], lines, room)


def _state(state: str) -> Text:
    return coloured(plain(state), _STATES.get(state, ""))


def _errors(count: int) -> Text:
    from sojourn.web import wording

    return coloured(wording.number(count), "bold red" if count else "dim")


def _counts(row: dict[str, Any]) -> Iterator[str | Text]:
    from sojourn.web import wording

    yield wording.duration(row["wall_ns"])
    yield from (wording.number(row[name]) for name in ("turns", "traces", "total_tokens"))
    yield coloured(wording.money(row["cost"]), "bold")
    yield _errors(row["errors"])


def session(answer: dict[str, Any], room: int) -> RenderableType:
    """One session whole: what is known of it, its traces on a timeline, its events."""
    from rich.console import Group

    from sojourn.web import wording

    parts: list[RenderableType] = [
        table(("", ""), [(coloured(name, "dim"), plain(value, 120)) for name, value in _facts(answer["session"])], room)
    ]
    if answer["traces"]:
        parts.append(_traces(answer["traces"], room))
    for event in answer["events"]:
        reason = wording.REASONS.get(event["reason"], event["reason"])
        parts.append(f"{wording.clock(event['time'])}  {plain(event['event'])}  {plain(reason, 100)}".rstrip())
    return Group(*parts)


def _traces(traces: list[dict[str, Any]], room: int) -> Table:
    from sojourn.web import wording

    columns = ["+Trace", "Name", "+Start", "+Duration", "+Spans", "+Calls", "+Tokens", "+Cost", "+Errors"]
    lines: list[list[str | Text]] = []
    for trace in traces:
        counts = [wording.number(trace[name]) for name in ("spans", "llm_calls", "total_tokens")]
        texts = [trace["trace_id"], plain(trace["name"]), wording.clock(trace["start"]), wording.duration(trace["wall_ns"])]
        lines.append([*texts, *counts, wording.money(trace["cost"]), _errors(trace["errors"])])
    left = room - sum(max(len(str(cell)) for cell in (name, *(line[place] for line in lines))) + 3 for place, name in enumerate(columns))
    if left >= _LEAST_LINE:
        columns.insert(4, "=When")
        for line, drawn in zip(lines, timeline(traces, min(left, _LONGEST_LINE)), strict=True):
            line.insert(4, drawn)
    return table(columns, lines, room)


def timeline(traces: Sequence[dict[str, Any]], width: int) -> Iterator[Text]:
    """For each trace a line of `width` characters with a bar where it ran; dots where a long silence is folded."""
    from sojourn.web import wording
    from sojourn.web.axis import Axis

    spans = [(wording.moment(trace["start"]), wording.moment(trace["end"])) for trace in traces]
    axis = Axis(spans)
    ground = [" "] * width
    for fold in axis.folds:
        ground[min(int((fold.left + fold.width / 2) * width / 100), width - 1)] = "┊"
    for (start, end), trace in zip(spans, traces, strict=True):
        left = min(int(axis.place(start) * width / 100), width - 1)
        length = max(round((axis.place(end) - axis.place(start)) * width / 100 * 8), 1)
        bar = "█" * (length // 8) + (_EIGHTHS[length % 8] if length % 8 else "")
        line = coloured("".join(ground[:left]), "dim")
        line.append(bar[: width - left], "red" if trace["status"] == "error" else "blue")
        line.append("".join(ground[left + len(bar) :])[: width - left], "dim")
        yield line


def _facts(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from sojourn.web import wording

    yield "Session", row["session_id"]
    for title, name in (("Project", "project"), ("Name", "name"), ("User", "user_id")):
        if row[name]:
            yield title, row[name]
    reason = f": {wording.REASONS.get(row['end_reason'], row['end_reason'])}" if row["end_reason"] else ""
    yield "State", row["state"] + reason + (", with errors" if row["status"] == "error" else "")
    yield "Time", f"{wording.clock(row['start'])} to {wording.clock(row['end'])} UTC, {wording.duration(row['wall_ns'])}"
    yield "Active", f"{wording.duration(row['active_ns'])} in {wording.count(row['segments'], 'segment')}"
    yield "Cost", wording.money(row["cost"])
    yield "Tokens", f"{row['total_tokens']:,}: {row['input_tokens']:,} in, {row['output_tokens']:,} out"
    yield "Counts", ", ".join(wording.count(row[f"{what}s"], what) for what in ("turn", "trace", "span", "error"))
    yield "Logs", f"{wording.count(row['log_records'], 'log record')}, {wording.count(row['log_errors'], 'log error')}"
    for name in ("services", "models", "tools", "tags", "flags", "alerts"):
        if row[name]:
            yield name.capitalize(), ", ".join(row[name])
    for key, value in sorted(row["metadata"].items()):
        yield plain(key), value
