"""Sessions as people read them in a terminal: tables, colours, and a timeline of characters."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_NUMBERS: Final = ("+Duration", "+Turns", "+Traces", "+Tokens", "+Cost", "+Errors")
_SPARE: Final = ("Traces", "Start", "User", "Duration", "Turns", "Project", "State", "Tokens", "Errors")
_SPARE_OF_TRACES: Final = ("Calls", "Spans", "Errors", "Tokens", "Duration", "Name")
_STATES: Final = {"active": "green", "idle": "yellow", "ended": "dim"}
_LEAST: Final = 10
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


def table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], room: int, spare: Sequence[str] = ()) -> Table:
    """A table at most `room` wide: columns with `+` stand right and whole, with `=` left and whole; the widest others give way, and where
    that is not enough, the columns in `spare` go, one after the other: what is shown can be read and copied.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table

    names = [column.lstrip("+=") for column in columns]
    widths = [max(cell_len(str(cell)) for cell in (name, *(row[number] for row in rows))) for number, name in enumerate(names)]
    yielding = {number for number, column in enumerate(columns) if not column.startswith(("+", "="))}
    kept = _kept(names, [min(width, _LEAST) if number in yielding else width for number, width in enumerate(widths)], room, spare)
    widths = _squeezed(widths, kept, yielding, room - 3 * len(kept))
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(columns), header_style="dim")
    for number in kept:
        justify: Literal["left", "right"] = "right" if columns[number].startswith("+") else "left"
        drawn.add_column(names[number], justify=justify, no_wrap=True, overflow="ellipsis", width=widths[number])
    for row in rows:
        drawn.add_row(*(row[number] for number in kept))
    return drawn


def _kept(names: Sequence[str], least: Sequence[int], room: int, spare: Sequence[str]) -> list[int]:
    """The columns that can stand side by side with these least widths."""
    kept = list(range(len(names)))
    for name in spare:
        if sum(least[number] + 3 for number in kept) <= room:
            break
        kept = [number for number in kept if names[number] != name]
    return kept


def _squeezed(widths: Sequence[int], kept: Sequence[int], yielding: Set[int], room: int) -> list[int]:
    """The widest columns among `yielding` narrower, down to the least, until all fit."""
    found = list(widths)
    giving = [number for number in kept if number in yielding]
    while giving and sum(found[number] for number in kept) > room:
        widest = max(giving, key=lambda number: found[number])
        if found[widest] <= _LEAST:
            break
        found[widest] -= 1
    return found


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
    return table([*(["Project"] if named else []), "=Id", "Name", "User", "+State", "+Start", *_NUMBERS], lines, room, _SPARE)


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
    one_day = len({trace["start"][:10] for trace in traces}) == 1  # then the session tells it
    for trace in traces:
        counts = [wording.number(trace[name]) for name in ("spans", "llm_calls", "total_tokens")]
        texts = [
            trace["trace_id"],
            plain(trace["name"]),
            wording.clock(trace["start"])[11 if one_day else 0 :],
            wording.duration(trace["wall_ns"]),
        ]
        lines.append([*texts, *counts, wording.money(trace["cost"]), _errors(trace["errors"])])
    if _left(columns, lines, room) < _LEAST_LINE:  # when it ran tells more
        columns, lines = columns[:4] + columns[6:], [line[:4] + line[6:] for line in lines]
    if (left := _left(columns, lines, room)) >= _LEAST_LINE:
        columns.insert(4, "=When")
        for line, drawn in zip(lines, timeline(traces, min(left, _LONGEST_LINE)), strict=True):
            line.insert(4, drawn)
    return table(columns, lines, room, _SPARE_OF_TRACES)


def _left(columns: Sequence[str], lines: Sequence[Sequence[str | Text]], room: int) -> int:
    """The room that is left beside these columns."""
    widths = (max(len(str(cell)) for cell in (name, *(line[place] for line in lines))) for place, name in enumerate(columns))
    return room - 3 - sum(width + 3 for width in widths)


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
