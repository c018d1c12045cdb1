"""The `sojourn` command: finds the subcommand, turns errors into one clear message and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn

from sojourn.errors import ConfigError, SojournError

DONE: Final = 0
FAILED: Final = 1
WRONG: Final = 2
"""The configuration or the command line is wrong."""

COMMANDS: Final = {
    "run": ("sojourn.commands.run", "take data, keep sessions, write them to the database"),
    "demo": ("sojourn.commands.demo", "run with lively generated traffic"),
    "validate": ("sojourn.commands.validate", "check a configuration without starting anything"),
    "print-config": ("sojourn.commands.print_config", "print the configuration as it is understood, without secrets"),
    "components": ("sojourn.commands.components", "list the components, or print the manual of one"),
    "sessions": ("sojourn.commands.sessions", "list, show, rename, end and delete sessions"),
    "rebuild": ("sojourn.commands.rebuild", "fold sessions again from their stored spans, and say what differed"),
    "dead-letters": ("sojourn.commands.dead_letters", "show rows that could not be stored, or send them again"),
    "copy": ("sojourn.commands.copy", "copy the embedded database into a ClickHouse server"),
    "schema": ("sojourn.commands.schema", "show the statements of the tables"),
}
"""Subcommands: the module that is loaded when one is used, and what it is for."""


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        args = _parser(words).parse_args(words)
        return int(args.execute(args))
    except ConfigError as error:
        _say(str(error))
        return WRONG
    except SojournError as error:
        _say(f"sojourn: {error}")
        return FAILED
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return FAILED


def _say(message: str) -> None:
    print(message, file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if hint := _nearest(message):
            message = f"{message.split(' (choose from')[0]}; {hint}"
        _say(f"{self.prog}: {message}\nTry: {self.prog} --help")
        raise SystemExit(WRONG)


def _nearest(message: str) -> str:
    """A mistyped command gets the nearest right one."""
    if "invalid choice" not in message:
        return ""
    import difflib

    word = message.split("invalid choice: ")[1].split(" (")[0].strip("'")
    near = difflib.get_close_matches(word, COMMANDS, n=1)
    return f"did you mean {near[0]}?" if near else ""


class _Version(argparse.Action):
    """Reads the version only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from sojourn import _native

        print(f"sojourn {_native.version()}")
        parser.exit()


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Knows every command by name, but loads only the module of the one that is used."""
    parser = _Parser(prog="sojourn", description="A session-aware OpenTelemetry Collector.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    used = next((word for word in words if not word.startswith("-")), None)
    for name, (module, purpose) in COMMANDS.items():
        subparser = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        if name == used:
            command = import_module(module)
            command.configure(subparser)
            subparser.set_defaults(execute=command.execute)
    return parser


if __name__ == "__main__":
    sys.exit(main())
