"""`sojourn dead-letters list` and `retry`: rows that could not be stored, and why; and sending them once more."""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from sojourn.collector.dead_letters import FOLDER, read
from sojourn.commands import configuration
from sojourn.commands.calling import BASIC, TOKEN, authorization
from sojourn.errors import ConfigError, SojournError, Unavailable

ENDPOINT: Final = "http://127.0.0.1:4318"


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = commands.add_parser("list", help="show them", description="Show the rows that could not be stored, oldest first.")
    listing.add_argument("--json", action="store_true", help="print each row with everything that is known, as JSON Lines")
    listing.set_defaults(act=_list)
    purpose = "send them to a collector again"
    retrying = commands.add_parser("retry", help=purpose, description=f"{purpose.capitalize()}; what it takes is removed from the files.")
    retrying.add_argument("--endpoint", default=ENDPOINT, metavar="URL", help=f"its OTLP/HTTP receiver (default: {ENDPOINT})")
    retrying.add_argument(
        "--tenant",
        default="",
        metavar="NAME",
        help=f"send the rows of this tenant, with a token of it in {TOKEN}, or user:password in {BASIC}; the others stay",
    )
    retrying.set_defaults(act=_retry)
    for command in (listing, retrying):
        configuration.add_arguments(command)


def execute(args: argparse.Namespace) -> int:
    data_dir = configuration.description(args).service.data_dir
    if data_dir is None:
        raise ConfigError("service::data_dir: is not configured: dead letters are kept there")
    return int(args.act(args, data_dir))


def _list(args: argparse.Namespace, data_dir: Path) -> int:
    for letter in read(data_dir):
        if args.json:
            print(json.dumps(letter))
        else:
            row = letter["row"]
            name = row.get("SpanName") or row.get("MetricName") or str(row.get("Body", ""))[:60]
            print(f"{letter['time']}  {letter['table']}  {row.get('TraceId', '')}  {name!r}: {letter['reason']}")
    return 0


def _retry(args: argparse.Namespace, data_dir: Path) -> int:
    sent = left = 0
    for file in sorted((data_dir / FOLDER).glob("*.jsonl")):
        taken, kept = _retry_file(file, args.endpoint, args.tenant)
        sent, left = sent + taken, left + kept
    print(f"{sent} rows were taken, {left} are left")
    return 1 if left else 0


def _retry_file(file: Path, endpoint: str, tenant: str) -> tuple[int, int]:
    """(rows that were taken, rows that are left). The file is moved away first: a collector may be writing to it."""
    moved = file.with_suffix(".retrying")
    if moved.exists():
        raise SojournError(f"{moved}: an earlier retry did not end: rename it to {file.with_suffix('').name}-2.jsonl, and retry again")
    file.rename(moved)
    lines = moved.read_bytes().splitlines(keepends=True)
    left, taken = list(lines), 0
    try:
        for line in lines:
            if _taken(line, endpoint, tenant):
                left.remove(line)
                taken += 1
    finally:
        _put_back(file, left)
        moved.unlink()
    return taken, len(left)


def _put_back(file: Path, lines: list[bytes]) -> None:
    if lines:
        out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(out, "ab") as stream:
            stream.writelines(lines)
            stream.flush()
            os.fsync(stream.fileno())


def _taken(line: bytes, endpoint: str, tenant: str) -> bool:
    """Whether a row could be sent. One of another tenant, one that is no span or log record, or cannot be read, stays.

    Raises Unavailable, and SojournError if the collector does not take this credential.
    """
    from sojourn.collector.resending import request

    try:
        told: dict[str, Any] = json.loads(line)
        body = request(told["table"], told["row"])
    except (ValueError, KeyError, TypeError):
        return False
    if body is None or (told["row"].get("Tenant") or "") != tenant:
        return False
    path = "traces" if told["table"] == "otel_traces" else "logs"
    headers = {"Content-Type": "application/json"} | authorization()
    asked = urllib.request.Request(f"{endpoint}/v1/{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return b"partialSuccess" not in answer.read()
    except urllib.error.HTTPError as error:
        if error.code in (429, 502, 503, 504):
            raise Unavailable(f"{endpoint}: {error.code}: try again later") from error
        if error.code in (401, 403):
            raise SojournError(f"{endpoint}: {error.code}: put a token of the tenant {tenant!r} into {TOKEN}") from error
        return False
    except OSError as error:
        raise Unavailable(f"{endpoint}: no collector answers there ({error}): give --endpoint") from error
