"""`sojourn sessions tail`, `--watch` and `export`: what goes on for longer than one question."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sojourn.commands import showing
from sojourn.commands.calling import Pairs, answer_of, call
from sojourn.errors import SojournError

if TYPE_CHECKING:
    from rich.console import RenderableType

_PART: Final = 1000
_NEWEST: Final = 200
_BETWEEN: Final = 1.0  # seconds between two looks, however much changes


def changes(endpoint: str, pairs: Pairs = ()) -> Iterator[None]:
    """Once at the beginning, then whenever the list, or the session that `pairs` name, has changed; until the collector leaves."""
    looked = 0.0
    with answer_of(endpoint, "/live", pairs) as answer:
        for line in answer:
            if not line.startswith(b"data:"):
                continue
            time.sleep(max(0.0, looked + _BETWEEN - time.monotonic()))
            looked = time.monotonic()
            yield


def watch(endpoint: str, pairs: Pairs, picture: Callable[[int], RenderableType]) -> int:
    """Show `picture(width)` again whenever something has changed, until Ctrl-C."""
    from rich.live import Live

    console = showing.console()
    with contextlib.suppress(KeyboardInterrupt):
        if not console.is_terminal:  # a file or a pipe is given every picture
            for _ in changes(endpoint, pairs):
                console.print(picture(console.width))
            return 0
        with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as screen:
            for _ in changes(endpoint, pairs):
                screen.update(picture(console.width), refresh=True)
    return 0


def tail(args: argparse.Namespace, pairs: list[tuple[str, str]]) -> int:
    """A line for every session that changes."""
    told: dict[tuple[str, str], int] = {}
    console = showing.console()
    asked = [*(pair for pair in pairs if pair[0] not in ("sort", "limit", "after")), ("sort", "-last_seen"), ("limit", str(_NEWEST))]
    first = True
    with contextlib.suppress(KeyboardInterrupt):
        for _ in changes(args.endpoint):
            rows = json.loads(call(args.endpoint, "/sessions.json", asked))["sessions"]
            for row in reversed(rows):
                key = (row["project"], row["session_id"])
                if told.get(key) == row["revision"]:
                    continue
                known = key in told
                told[key] = row["revision"]
                if first and not args.all:
                    continue
                if args.json:
                    print(json.dumps(row, ensure_ascii=False, separators=(",", ":")), flush=True)
                else:
                    console.print(_line(row, known), soft_wrap=True)
            first = False
    return 0


def _line(row: dict[str, Any], known: bool) -> RenderableType:
    from sojourn.web import wording

    style = {"active": "green", "idle": "yellow"}.get(row["state"], "dim")
    line = showing.coloured(f"{wording.clock(row['last_seen'])[11:]} ", "dim")
    line.append(f"{showing.plain(row['state']):6} ", style)
    line.append(f"{showing.plain(row['name'] or row['session_id'], 60)} ", "bold" if not known else "")
    line.append(f"{showing.plain(row['session_id'])} ", "dim")
    line.append(f"{wording.count(row['turns'], 'turn')}, {wording.rough(row['total_tokens'])} tokens, {wording.money(row['cost'])}")
    if row["errors"]:
        line.append(f", {wording.count(row['errors'], 'error')}", "red")
    return line


def export(args: argparse.Namespace, pairs: list[tuple[str, str]]) -> int:
    """Every session that fits, a line of JSON each; with `--traces` each as the API gives one session."""
    with _output(args.output) as out:
        count = 0
        with _progress() as told:
            for row in _all(args.endpoint, [pair for pair in pairs if pair[0] not in ("limit", "after")]):
                whole = _whole(args.endpoint, row) if args.traces else row
                out.write(json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
                count += 1
                told(count)
        out.flush()
    print(f"{count} {'session' if count == 1 else 'sessions'}", file=sys.stderr)
    return 0


def _all(endpoint: str, pairs: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    after = ""
    while True:
        part = json.loads(call(endpoint, "/sessions.json", [*pairs, ("limit", str(_PART)), *([("after", after)] if after else [])]))
        yield from part["sessions"]
        after = part["next"]
        if not after:
            return


def _whole(endpoint: str, row: dict[str, Any]) -> dict[str, Any]:
    """One session with all its traces, however many parts they come in."""
    path = f"/sessions/{quote(row['session_id'], safe='').replace('.', '%2E')}.json"
    project = [("project", row["project"])] if row["project"] else []
    whole: dict[str, Any] = json.loads(call(endpoint, path, project))
    after = whole.pop("next")
    while after:
        part = json.loads(call(endpoint, path, [*project, ("after", after)]))
        whole["traces"] += part["traces"]
        after = part["next"]
    return whole


@contextlib.contextmanager
def _output(path: str | None) -> Iterator[IO[bytes]]:
    """A file that is there only when it is whole, or standard output."""
    if path is None or path == "-":
        yield sys.stdout.buffer
        return
    wanted = Path(path)
    making = wanted.with_name(f".{wanted.name}.part")
    try:
        with making.open("wb") as file:
            yield file
        making.replace(wanted)
    except OSError as error:
        raise SojournError(f"sojourn sessions export: {path}: {error.strerror or error}") from error
    finally:
        making.unlink(missing_ok=True)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """How many there are so far, where somebody looks at it."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = showing.console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} sessions"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("export", total=None)
        yield lambda count: progress.update(task, completed=count)
