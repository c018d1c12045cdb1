"""`sojourn sessions …`: list, show, tail, export, rename, end and delete sessions, through a running collector."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Final
from urllib.parse import quote

from sojourn.commands import following, showing
from sojourn.commands.calling import ENDPOINT, call
from sojourn.errors import ConfigError

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
    listing = _configure_filters(commands, "list", "list sessions")
    listing.set_defaults(act=_list)
    tailing = _configure_filters(commands, "tail", "tell every change of a session as it comes")
    tailing.add_argument("--all", action="store_true", help="begin with the newest sessions that are there")
    tailing.set_defaults(act=lambda args: following.tail(args, _asked(args)))
    exporting = _configure_filters(commands, "export", "write every session that fits as a line of JSON")
    exporting.add_argument("--traces", action="store_true", help="each session with its segments, traces and events")
    exporting.add_argument("--output", metavar="FILE", help="write into this file, which is there when it is whole")
    exporting.set_defaults(act=lambda args: following.export(args, _asked(args)))
    one = commands.add_parser("show", help="show one session", description="Show one session.")
    one.add_argument("id", help="session id")
    one.add_argument("--project", help="project of the session, if it is in one")
    one.set_defaults(act=_show)
    changing = [_configure_change(commands, *change) for change in _CHANGES]
    for command in (listing, one):
        command.add_argument("--watch", action="store_true", help="show it again whenever something has changed, until Ctrl-C")
    for command in (listing, one, tailing, exporting, *changing):
        command.add_argument("--endpoint", default=ENDPOINT, metavar="URL", help=f"where the collector's page is (default: {ENDPOINT})")
        command.add_argument("--json", action="store_true", help="print the API's JSON as it is")


def _configure_filters(commands: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    for option, meaning in _FILTERS.items():
        parser.add_argument(f"--{option.replace('_', '-')}", dest=option, help=meaning)
    parser.add_argument("--session-id", action="append", default=[], metavar="ID", help="exactly this session; may be given again")
    parser.add_argument("--meta", action="append", default=[], metavar="KEY=VALUE", help="metadata; may be given again")
    return parser


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
    if name == "delete":
        parser.add_argument("--yes", action="store_true", help="do not ask; nobody is asked where the input is no terminal")
    parser.add_argument("--project", help="project of the session, if it is in one")
    parser.set_defaults(act=_change, method=method, suffix=suffix)
    return parser


def execute(args: argparse.Namespace) -> int:
    return int(args.act(args))


def _change(args: argparse.Namespace) -> int:
    pairs = [("project", args.project)] if args.project else []
    said = {"name": args.name} if "name" in args else {}
    path = f"/sessions/{quote(args.id, safe='')}{args.suffix}"
    if "yes" in args and not args.yes and sys.stdin.isatty() and not _agreed(args.id):
        print("nothing was deleted", file=sys.stderr)
        return 1
    body = call(args.endpoint, path, pairs, args.method, said)
    if args.json:
        return _print_json(body) if body else 0
    if body:
        console = showing.console()
        console.print(showing.session(json.loads(body), console.width))
    return 0


def _agreed(identity: str) -> bool:
    """Whether whoever sits before the terminal means it."""
    print(f"Delete {identity!a} with its spans and log records, for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _asked(args: argparse.Namespace) -> list[tuple[str, str]]:
    """The filters as parameters of the API."""
    pairs = [(name, value) for name in _FILTERS if (value := getattr(args, name)) is not None]
    pairs += [("session_id", identity) for identity in args.session_id]
    return pairs + [(f"meta.{key}", value) for key, value in map(_pair, args.meta)]


def _list(args: argparse.Namespace) -> int:
    asked = _asked(args)
    body = call(args.endpoint, "/sessions.json", asked)
    if args.json:
        return _print_json(body)
    if args.watch:
        return following.watch(args.endpoint, (), lambda width: _listed(call(args.endpoint, "/sessions.json", asked), width))
    console = showing.console()
    console.print(_listed(body, console.width))
    if after := json.loads(body)["next"]:
        print(f"more: --after {after}", file=sys.stderr)
    return 0


def _listed(body: bytes, width: int) -> Any:
    return showing.sessions(json.loads(body)["sessions"], width)


def _show(args: argparse.Namespace) -> int:
    pairs = [("project", args.project)] if args.project else []
    path = f"/sessions/{quote(args.id, safe='').replace('.', '%2E')}.json"
    body = call(args.endpoint, path, pairs)
    if args.watch:
        asked = [("session_id", args.id), *pairs]
        return following.watch(args.endpoint, asked, lambda width: showing.session(json.loads(call(args.endpoint, path, pairs)), width))
    if args.json:
        return _print_json(body)
    console = showing.console()
    console.print(showing.session(json.loads(body), console.width))
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
