"""`sojourn components [NAME]`: what is installed, and the manual of one component, made from the docstrings of its keys."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator
from typing import Any

from sojourn.collector.registry import Installed
from sojourn.component import Component
from sojourn.config.manual import Key, keys, purpose
from sojourn.config.model import KINDS, Kind, ServiceSettings
from sojourn.config.problems import nearest
from sojourn.errors import ConfigError


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="a type such as clickhouse, kind/type where two kinds share it, or service")
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    if args.name is None:
        _list(args.json)
        return 0
    found = _find(args.name)
    if not found:
        raise ConfigError(f"sojourn components: {args.name}: unknown component{nearest(args.name, _names())}")
    if args.json:
        print(json.dumps([_manual(title, component) for title, component in found], indent=2, ensure_ascii=False))
    else:
        print("\n\n".join("\n".join(_page(title, component)) for title, component in found))
    return 0


def _names() -> set[str]:
    return {name for kind in KINDS for name in Installed().names(kind)} | {"service"}


def _find(wanted: str) -> list[tuple[str, type[Component]]]:
    if wanted == "service":
        return [("service", ServiceSettings)]
    only, slash, name = wanted.rpartition("/")
    registry = Installed()
    found: list[tuple[str, type[Component]]] = []
    for kind in KINDS:
        if name in registry.names(kind) and (not slash or only in (kind, kind[:-1])):
            found.append((f"{kind[:-1]} {name}", registry.find(kind, name, None)))
    return found


def _list(as_json: bool) -> None:
    registry = Installed()
    table = {kind: {name: _purpose(registry, kind, name) for name in registry.names(kind)} for kind in KINDS}
    if as_json:
        print(json.dumps(table, indent=2, ensure_ascii=False))
        return
    for kind, components in table.items():
        print(f"{kind}:")
        for name, text in components.items():
            print(f"  {name:<18}{text}")
    print("\n`sojourn components NAME` prints every key of one of them; `sojourn components service` those of the service.")


def _purpose(registry: Installed, kind: Kind, name: str) -> str:
    """What it is for; a plugin that cannot be loaded does not hide the others."""
    try:
        return purpose(registry.find(kind, name, None))
    except ConfigError as error:
        return f"({error})"


def _manual(title: str, component: type[Component]) -> dict[str, Any]:
    return {"component": title, "purpose": purpose(component), "keys": [key.table() for key in keys(component)]}


def _page(title: str, component: type[Component]) -> Iterator[str]:
    yield f"{title}\n{'=' * len(title)}\n"
    yield from textwrap.wrap(purpose(component), 100)
    yield ""
    for key in keys(component):
        yield from _entry(key)


def _entry(key: Key) -> Iterator[str]:
    indent = "  " * key.depth
    yield f"{indent}{key.name}: {key.type}" + (f" = {key.default}" if key.default is not None else "" if key.below else "  (required)")
    yield from textwrap.wrap(key.meaning, 110, initial_indent=f"{indent}    ", subsequent_indent=f"{indent}    ")
