"""`sojourn schema`: the statements of the tables that the exporters write to; `--apply` makes what is missing."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from sojourn.collector.home import move_in
from sojourn.commands import configuration
from sojourn.component import Host
from sojourn.config.model import Description
from sojourn.errors import SojournError


def configure(parser: argparse.ArgumentParser) -> None:
    configuration.add_arguments(parser)
    parser.add_argument("--apply", action="store_true", help="make what is missing, instead of printing it")


def execute(args: argparse.Namespace) -> int:
    description = configuration.description(args)
    configuration.warn(description)
    found = _apply(description) if args.apply else _print(description)
    if not found:
        raise SojournError("sojourn schema: no exporter of this configuration has tables: configure clickhouse")
    return 0


def _print(description: Description) -> int:
    from sojourn.storage import migrate

    names = {database.name for exporter in description.exporters.values() if (database := exporter.stores_in(_host(description)))}
    for name in sorted(names):
        print(";\n\n".join(migrate.statements(name)) + ";")
    return len(names)


def _apply(description: Description) -> int:
    """Under the lock of the data directory: an embedded database belongs to one process."""
    from sojourn.storage import migrate

    found = 0
    with ExitStack() as stack:
        home = stack.enter_context(move_in(description.service.data_dir, description.service.collector))
        for id_, exporter in description.exporters.items():
            database = exporter.stores_in(_host(description, home.collector))
            if database is not None:
                applied = migrate.apply(stack.enter_context(database))
                print(f"exporters::{id_}: {database.address}: " + (f"applied {', '.join(applied)}" if applied else "everything is there"))
                found += 1
    return found


def _host(description: Description, collector: str = "") -> Host:
    from sojourn import _native

    return Host(_native.Clock(), collector, description.service.data_dir)
