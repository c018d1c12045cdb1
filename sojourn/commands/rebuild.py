"""`sojourn rebuild`: fold sessions again from their stored spans, through a running collector, and say what differed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sojourn.commands.calling import ENDPOINT, answer_of
from sojourn.errors import SojournError

if TYPE_CHECKING:
    from rich.progress import Progress


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="*", help="session ids; all sessions without any")
    parser.add_argument("--since", metavar="T", help="only sessions that were active since then: 24h or 2026-01-31T09:30:00Z")
    parser.add_argument("--project", help="only sessions of this project")
    parser.add_argument("--check", action="store_true", help="change nothing, only tell differences; exit code 1 if there are any")
    parser.add_argument("--reprice", action="store_true", help="price all calls again that report no cost, by the prices of today")
    parser.add_argument("--json", action="store_true", help="print the API's lines of JSON as they are")
    parser.add_argument("--endpoint", default=ENDPOINT, metavar="URL", help=f"where the collector's page is (default: {ENDPOINT})")


def execute(args: argparse.Namespace) -> int:
    said: dict[str, object] = {"sessions": args.id, "check": args.check} | ({"reprice": True} if args.reprice else {})
    said |= {name: value for name in ("since", "project") if (value := getattr(args, name)) is not None}
    with answer_of(args.endpoint, "/rebuild", (), "POST", said) as answer:
        last = _printed(answer) if args.json else _shown(answer, args.check, args.reprice)
    if "finished" not in last:
        raise SojournError(f"rebuild: {last.get('error', 'the collector stopped in the middle')}")
    return 1 if args.check and last["wrong"] else 0


def _lines(answer: Any) -> Iterator[dict[str, Any]]:
    for line in answer:
        try:
            yield dict(json.loads(line))
        except ValueError as error:
            raise SojournError("rebuild: the answer is not one of a Sojourn") from error


def _printed(answer: Any) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for last in _lines(answer):
        print(json.dumps(last, ensure_ascii=False), flush=True)
    return last


def _shown(answer: Any, check: bool, reprice: bool) -> dict[str, Any]:
    """A bar while it goes on, differences as they are found, and what came of it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    last: dict[str, Any] = {}
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("checking" if check else "rebuilding", total=None)
        for last in _lines(answer):
            if "difference" in last:
                _tell(bar, last["difference"])
            elif "total" in last:
                bar.update(task, completed=last["done"], total=last["total"])
    if "finished" in last:
        verb = "cost something else now" if reprice else "differ" if check else "were mended"
        print(f"{last['done']:,} sessions folded again, {last['wrong']:,} {verb}")
        for session in last["unsettled"]:
            print(f"left out, because it is changing: {_plain(session['session_id'])}", file=sys.stderr)
    return last


def _tell(bar: Progress, difference: dict[str, Any]) -> None:
    what = f"{difference['table']}.{difference['column']}" if difference["column"] else f"{difference['table']}: the row"
    row = f" {difference['row']}" if difference["row"] else ""
    session = f"{difference['project']}/{difference['session_id']}" if difference["project"] else difference["session_id"]
    bar.console.print(_plain(f"{session}{row}: {what} is {difference['stored']}, its spans say {difference['found']}"), markup=False)


def _plain(text: str) -> str:
    """What senders wrote, without what would steer the terminal."""
    from sojourn.web import wording

    return wording.plain(text)
