"""What the commands that read a configuration share: `--config`, `--set`, and reading them."""

from __future__ import annotations

import argparse
import sys

from sojourn.collector.registry import Installed
from sojourn.config.load import load
from sojourn.config.model import Description, read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="URI",
        help="a path, file:PATH, env:NAME or yaml:TEXT; may be repeated, later ones win; without it the built-in configuration",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=v", dest="settings", help="one key, after all --config; may be repeated"
    )


def description(args: argparse.Namespace) -> Description:
    """The configuration that the arguments name. Raises ConfigErrors."""
    return read(load(args.config, args.settings), Installed())


def warn(description: Description) -> None:
    for warning in description.warnings:
        print(f"warning: {warning}", file=sys.stderr)
