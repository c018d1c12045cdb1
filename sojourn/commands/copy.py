"""`sojourn copy --to clickhouse://…`: everything in the embedded database into a server, with a comparison at the end."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sojourn.collector.home import move_in
from sojourn.commands import configuration
from sojourn.component import Host
from sojourn.config.model import Description
from sojourn.errors import ConfigError, SojournError

if TYPE_CHECKING:
    from sojourn.storage.copying import Copying
    from sojourn.storage.database import Database
    from sojourn.storage.moving import Compared, Step

USER: Final = "CLICKHOUSE_USER"
PASSWORD: Final = "CLICKHOUSE_PASSWORD"
"""Variables that hold what --to does not say, as for clickhouse-client: arguments are seen by everybody on a machine."""
_SECONDS: Final = 600.0
"""How long one question may take: a comparison reads a day, or a whole table."""


def configure(parser: argparse.ArgumentParser) -> None:
    configuration.add_arguments(parser)
    parser.description = (
        "Copy everything in the embedded database of a stopped collector into an empty database of a ClickHouse server, and compare both. "
        "What is interrupted goes on where it stopped when it is started again. Exit code 1 if something differs in the end."
    )
    help_to = f"the server: clickhouse://user@host:8123/database?secure=true; user and password may stand in {USER} and {PASSWORD}"
    parser.add_argument("--to", required=True, metavar="URL", help=help_to)
    parser.add_argument("--exporter", metavar="ID", help="whose database, if several exporters of the configuration have an embedded one")
    parser.add_argument("--rows", type=int, metavar="N", help="rows of one insert, at most (default: 100000, fewer if they are large)")
    parser.add_argument("--json", action="store_true", help="print lines of JSON: progress, each table, and what came of it")


def execute(args: argparse.Namespace) -> int:
    description = configuration.description(args)
    configuration.warn(description)
    if args.rows is not None and args.rows < 1:
        raise ConfigError(f"sojourn copy: --rows {args.rows}: write a number from 1 on")
    with _opened(args, description) as copying:
        from sojourn.storage.moving import move

        steps = move(copying)
        tables = _printed(steps) if args.json else _shown(steps)
    return 1 if any(table.different for table in tables) else 0


@contextmanager
def _opened(args: argparse.Namespace, description: Description) -> Iterator[Copying]:
    """Under the lock of the data directory: nobody else writes into the embedded database."""
    from sojourn.storage import migrate
    from sojourn.storage.copied import Copied
    from sojourn.storage.copying import ROWS, Copying
    from sojourn.storage.embedded import OURS

    source = _source(args, description)
    assert source.path is not None
    target = _target(args.to, source.name)
    if not (source.path / "store").is_dir():
        raise SojournError(f"{source.address}: there is no embedded database, so there is nothing to copy: see service::data_dir")
    with ExitStack() as stack:
        home = stack.enter_context(move_in(description.service.data_dir, description.service.collector))
        for database in (source, target):
            database.timeout = _SECONDS
            stack.enter_context(database)
            migrate.apply(database)
        into = f"{target.address}/{target.name}"
        name = f"copied-{source.name}-{hashlib.sha256(into.encode()).hexdigest()[:16]}.jsonl"
        copied = stack.enter_context(Copied(source.path / OURS / name, into))
        if not copied.id:
            _refuse_rows(target)
        copied.begin()
        _warn_of_log(home.path)
        yield Copying(source, target, copied, args.rows or ROWS)


def _source(args: argparse.Namespace, description: Description) -> Database:
    from sojourn import _native

    host = Host(_native.Clock(), "", description.service.data_dir)
    stores = {id_: exporter.stores_in(host) for id_, exporter in description.exporters.items()}
    found = {id_: database for id_, database in stores.items() if database is not None and database.embedded}
    if args.exporter is not None and args.exporter not in found:
        raise ConfigError(f"sojourn copy: --exporter {args.exporter}: has no embedded database; there is {', '.join(found) or 'none'}")
    if not found:
        raise ConfigError("sojourn copy: no exporter of this configuration has an embedded database (endpoint: chdb://) to copy from")
    if args.exporter is None and len(found) > 1:
        raise ConfigError(f"sojourn copy: several exporters have an embedded database: choose one with --exporter: {', '.join(found)}")
    return found[args.exporter or next(iter(found))]


def _target(to: str, name: str) -> Database:
    from sojourn.storage.address import parse
    from sojourn.storage.database import Database

    try:
        address = parse(to, database=name, username=os.environ.get(USER, ""), password=os.environ.get(PASSWORD, ""))
    except ConfigError as error:
        raise ConfigError(f"sojourn copy: --to: {error}") from error
    if address.embedded:
        raise ConfigError("sojourn copy: --to: names an embedded database: write the address of a server, clickhouse://host:8123/otel")
    return Database(address)


def _refuse_rows(target: Database) -> None:
    """A copy that was not begun from here: rows of both could not be told apart, and no comparison would be possible."""
    from sojourn import schema

    for table in schema.TABLES:
        if target.rows(f"SELECT 1 AS one FROM {target.name}.{table.name} LIMIT 1"):
            advice = "copy into an empty database, before a collector stores into it"
            raise SojournError(f"{target.address}: {target.name}.{table.name} has rows already: {advice}")


def _warn_of_log(data_dir: Path | None) -> None:
    """Requests that were taken and are not stored yet: the next start brings them to whichever database is configured then."""
    from sojourn import _native
    from sojourn.collector.write_ahead import FOLDER

    if data_dir is None:
        return
    for path in sorted(each for each in (data_dir / FOLDER).glob("*") if each.is_dir()):
        opened = _native.Log(str(path), 1 << 40)
        requests = opened.report()["requests"]
        opened.close()
        if requests:
            message = f"{path}: {requests} requests are not stored yet: the next start of the collector stores them, where it is told to"
            print(message, file=sys.stderr)


def _printed(steps: Iterable[Step]) -> list[Compared]:
    from sojourn.storage.moving import Compared

    tables = []
    for step in steps:
        print(json.dumps(_line(step)), flush=True)
        if isinstance(step, Compared):
            tables.append(step)
    print(json.dumps({"finished": True, "different": [table.table.name for table in tables if table.different]}), flush=True)
    return tables


def _line(step: Step) -> dict[str, Any]:
    from sojourn.storage.moving import Looked, Stored

    if isinstance(step, Stored):
        return {"copying": step.table.name, "done": step.done, "total": step.total}
    if isinstance(step, Looked):
        return {"comparing": step.table.name, "done": step.done, "total": step.total}
    differences = {name: {"here": step.here[name], "there": step.there[name]} for name in step.names()}
    return {"table": step.table.name, "here": step.here["rows"], "there": step.there["rows"], "differences": differences}


def _shown(steps: Iterable[Step]) -> list[Compared]:
    """A bar while it goes on, and a table of what came of it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sojourn.storage.moving import Compared, Stored

    tables: list[Compared] = []
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("copying", total=None)
        for step in steps:
            if isinstance(step, Compared):
                tables.append(step)
                continue
            verb = "copying" if isinstance(step, Stored) else "comparing"
            bar.update(task, description=f"{verb} {step.table.name}", completed=step.done, total=step.total)
    _print_tables(tables)
    return tables


def _print_tables(tables: Iterable[Compared]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table("Table", box=None, pad_edge=False)
    for title in ("Rows here", "Rows there"):
        shown.add_column(title, justify="right")
    shown.add_column("Totals")
    for table in tables:
        different = "; ".join(f"{name}: {table.here[name]:,} here, {table.there[name]:,} there" for name in table.names())
        shown.add_row(table.table.name, f"{table.here['rows']:,}", f"{table.there['rows']:,}", different or "equal")
    Console().print(shown)
