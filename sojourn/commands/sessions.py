"""`sojourn sessions list`, `show`, `rename`, `end` and `delete`: sessions in the terminal, through a running collector."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sojourn.commands.calling import ENDPOINT, call
from sojourn.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_NUMBERS: Final = ("+Duration", "+Turns", "+Traces", "+Tokens", "+Cost", "+Errors")
_FILTERS: Final = {
    "search": "text in the id, name, user or metadata",
    "project": "project",
    "user": "user",
    "state": "active, idle or ended",
    "status": "ok or error",
    "service": "service that took part",
    "model": "model that was called",
    "tag": "tag",
    "since": "active since then: 24h or 2026-01-31T09:30:00Z",
    "until": "active until then",
    "min_cost": "cost from, in US dollars",
    "min_tokens": "tokens from",
    "min_wall": "lasting at least, such as 60s",
    "sort": "column, with - for descending (default: -end); write --sort=-cost",
    "limit": "at most so many, up to 1000 (default: 50)",
    "after": "go on behind an earlier list: its `next`",
}


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = commands.add_parser("list", help="list sessions", description="List sessions.")
    for name, meaning in _FILTERS.items():
        listing.add_argument(f"--{name.replace('_', '-')}", dest=name, help=meaning)
    listing.add_argument("--meta", action="append", default=[], metavar="KEY=VALUE", help="metadata; may be given again")
    listing.set_defaults(act=_list)
    showing = commands.add_parser("show", help="show one session", description="Show one session.")
    showing.add_argument("id", help="session id")
    showing.add_argument("--project", help="project of the session, if it is in one")
    showing.set_defaults(act=_show)
    changing = [_configure_change(commands, *change) for change in _CHANGES]
    for command in (listing, showing, *changing):
        command.add_argument("--endpoint", default=ENDPOINT, metavar="URL", help=f"where the collector's page is (default: {ENDPOINT})")
        command.add_argument("--json", action="store_true", help="print the API's JSON as it is")


_CHANGES: Final = (
    ("rename", "give a session a name that wins for good", "POST", "/name"),
    ("end", "say that a session has ended: what starts later begins its next segment", "POST", "/end"),
    ("delete", "remove a session with its spans and log records, for good", "DELETE", ""),
)
"""Command, what it does, and how the API calls it."""


def _configure_change(commands: Any, name: str, purpose: str, method: str, suffix: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    parser.add_argument("id", help="session id")
    if name == "rename":
        parser.add_argument("name", help="its name from now on")
    parser.add_argument("--project", help="project of the session, if it is in one")
    parser.set_defaults(act=_change, method=method, suffix=suffix)
    return parser


def execute(args: argparse.Namespace) -> int:
    return int(args.act(args))


def _change(args: argparse.Namespace) -> int:
    pairs = [("project", args.project)] if args.project else []
    said = {"name": args.name} if "name" in args else {}
    path = f"/sessions/{quote(args.id, safe='')}{args.suffix}"
    body = call(args.endpoint, path, pairs, args.method, said)
    if args.json:
        return _print_json(body) if body else 0
    if body:
        _print_session(_console(), json.loads(body))
    return 0


def _list(args: argparse.Namespace) -> int:
    pairs = [(name, value) for name in _FILTERS if (value := getattr(args, name)) is not None]
    body = call(args.endpoint, "/sessions.json", pairs + [(f"meta.{key}", value) for key, value in map(_pair, args.meta)])
    if args.json:
        return _print_json(body)
    answer = json.loads(body)
    console = _console()
    console.print(_sessions(answer["sessions"], console.width) if answer["sessions"] else "no sessions")
    if answer["next"]:
        print(f"more: --after {answer['next']}", file=sys.stderr)
    return 0


def _show(args: argparse.Namespace) -> int:
    pairs = [("project", args.project)] if args.project else []
    body = call(args.endpoint, f"/sessions/{quote(args.id, safe='').replace('.', '%2E')}.json", pairs)
    if args.json:
        return _print_json(body)
    _print_session(_console(), json.loads(body))
    return 0


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ConfigError(f"sojourn sessions: --meta {text}: write KEY=VALUE")
    return key, value


def _print_json(body: bytes) -> int:
    sys.stdout.buffer.write(body.rstrip(b"\n") + b"\n")
    sys.stdout.buffer.flush()
    return 0


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 160)


def _plain(text: str) -> str:
    """What senders wrote, without what would steer the terminal."""
    from sojourn.web import wording

    return wording.plain(text)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> Table:
    """A table at most `room` wide, whose columns with `+` stand right and whole; the widest of the others give way."""
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table

    names = [column.removeprefix("+") for column in columns]
    widths = [max(map(cell_len, (name, *(row[number] for row in rows)))) for number, name in enumerate(names)]
    _squeeze(widths, [number for number, column in enumerate(columns) if not column.startswith("+")], room - 3 * len(columns))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(columns))
    for column, name, width in zip(columns, names, widths, strict=True):
        table.add_column(name, justify="right" if column.startswith("+") else "left", no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        table.add_row(*row)
    return table


def _squeeze(widths: list[int], yielding: list[int], room: int) -> None:
    """Make the widest columns among `yielding` narrower, down to eight, until all fit."""
    while sum(widths) > room and yielding:
        widest = max(yielding, key=lambda number: widths[number])
        if widths[widest] <= 8:
            return
        widths[widest] -= 1


def _sessions(rows: list[dict[str, Any]], room: int) -> Table:
    from sojourn.web import wording

    named = any(row["project"] for row in rows)
    lines = []
    for row in rows:
        texts = [*([row["project"]] if named else []), row["session_id"], row["name"], row["user_id"]]
        texts = [_plain(wording.short(text, 40)) for text in texts]
        lines.append([*texts, row["state"], wording.clock(row["start"]), *_counts(row)])
    return _table([*(["Project"] if named else []), "Id", "Name", "User", "+State", "+Start", *_NUMBERS], lines, room)


def _counts(row: dict[str, Any]) -> Iterator[str]:
    from sojourn.web import wording

    yield wording.duration(row["wall_ns"])
    yield from (wording.number(row[name]) for name in ("turns", "traces", "total_tokens"))
    yield wording.money(row["cost"])
    yield wording.number(row["errors"])


def _print_session(console: Console, answer: dict[str, Any]) -> None:
    from sojourn.web import wording

    console.print(_table(("", ""), [(name, _plain(wording.short(value, 120))) for name, value in _facts(answer["session"])], console.width))
    traces = []
    for trace in answer["traces"]:
        texts = (
            trace["trace_id"],
            _plain(wording.short(trace["name"], 40)),
            wording.clock(trace["start"]),
            wording.duration(trace["wall_ns"]),
        )
        counts = [wording.number(trace[name]) for name in ("spans", "llm_calls", "total_tokens")]
        traces.append([*texts, *counts, wording.money(trace["cost"]), wording.number(trace["errors"])])
    console.print(
        _table(("+Trace", "Name", "+Start", "+Duration", "+Spans", "+Calls", "+Tokens", "+Cost", "+Errors"), traces, console.width)
    )
    for event in answer["events"]:
        reason = wording.REASONS.get(event["reason"], event["reason"])
        console.print(f"{wording.clock(event['time'])}  {_plain(event['event'])}  {_plain(reason)}".rstrip())


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
    for name in ("services", "models", "tools", "tags", "flags"):
        if row[name]:
            yield name.capitalize(), ", ".join(row[name])
    for key, value in sorted(row["metadata"].items()):
        yield f"{key[:40]}", value
