"""Writes docs/reference from the program itself: the components' manuals and the tables. `make docs` runs it; a test holds both equal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sojourn import schema
from sojourn.collector.registry import Installed
from sojourn.config.manual import Key, keys, purpose
from sojourn.config.model import KINDS, ServiceSettings

REFERENCE = Path(__file__).parent / "reference"
HINT = "<!-- Written by `make docs`: change the docstrings of the code instead. -->"


def pages() -> dict[str, str]:
    """The text of each file below docs/reference."""
    return {"components.md": _text(_components()), "tables.md": _text(_tables())}


def _text(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"


def _components() -> Iterator[str]:
    yield from ("# Components", "", HINT, "", "What `sojourn components NAME` prints, for all of them.")
    registry = Installed()
    for kind in KINDS:
        yield from ("", f"## {kind.capitalize()}")
        for name in registry.names(kind):
            component = registry.find(kind, name, None)
            yield from ("", f"### {kind[:-1]} `{name}`", "", purpose(component), "")
            yield from _keys(keys(component))
    yield from ("", "## Service", "", purpose(ServiceSettings), "")
    yield from _keys(keys(ServiceSettings))


def _keys(found: Iterator[Key]) -> Iterator[str]:
    lines = [_row(key) for key in found]
    if not lines:
        yield "It has no keys."
        return
    yield from ("| key | type | default | meaning |", "| --- | --- | --- | --- |", *lines)


def _row(key: Key) -> str:
    indent = "&nbsp;&nbsp;" * key.depth
    default = f"`{key.default}`" if key.default is not None else "" if key.below else "required"
    return f"| {indent}`{key.name}` | {_cell(key.type)} | {_cell(default)} | {_cell(key.meaning)} |"


def _tables() -> Iterator[str]:
    yield from ("# Tables", "", HINT, "")
    yield "What Sojourn stores. Query the views of the same data (`sessions`, `session_traces`, …): they show one row per thing."
    for table in schema.TABLES:
        yield from ("", f"## `{table.name}`", "", f"{table.meaning[0].upper()}{table.meaning[1:]}.", "")
        yield from ("| column | type | meaning |", "| --- | --- | --- |")
        yield from (f"| `{column.name}` | `{column.type}` | {_cell(column.meaning)} |" for column in table.columns)
    yield from ("", "## Flags", "", "Names of the bits of `Flags` that the views show.", "")
    yield from (f"- `{name}`: {meaning}" for name, meaning in schema.FLAG_MEANINGS.items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
        print(REFERENCE / name)
