"""References in a configuration: ${env:NAME}, ${NAME}, ${env:NAME:-fallback}, ${file:path}, ${yaml:…}; `$$` is a dollar sign.

A value that is nothing but one reference becomes what its text means as YAML, and keeps the text itself for keys that want text. A
reference inside a longer text is put in as text. What a reference gives may hold references again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sojourn.config.problems import ConfigErrors, Place, Problem, nearest
from sojourn.config.tree import Node, parse

MAX_DEPTH: Final = 100
MAX_TEXT: Final = 1 << 20
MAX_REFERENCES: Final = 10_000
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(?!-)(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEMES = ("env", "file", "yaml")


class _Wrong(Exception):
    """A reference that cannot be followed: why, and what to do."""


@dataclass(slots=True)
class Expansion:
    """Replaces the references of a tree; collects what is wrong and what is odd."""

    environment: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _followed: int = 0

    def tree(self, node: Node, path: tuple[str, ...] = (), depth: int = 0) -> Node:
        """The tree with every reference replaced."""
        if isinstance(node.value, dict):
            return Node({key: self.tree(child, (*path, key), depth) for key, child in node.value.items()}, node.place, node.text)
        if isinstance(node.value, list):
            return Node([self.tree(child, (*path, str(i)), depth) for i, child in enumerate(node.value)], node.place, node.text)
        if not isinstance(node.value, str) or "$" not in node.value:
            return node
        try:
            return self._value(node.value, node.place, path, depth)
        except _Wrong as wrong:
            self.problems.append(Problem(node.place, path, str(wrong)))
            return Node(None, node.place)

    def _value(self, text: str, place: Place, path: tuple[str, ...], depth: int) -> Node:
        if text.startswith("${") and _closing(text, 0) == len(text) - 1:
            inner = self._text(text[2:-1], place, depth + 1)
            found = self._follow(inner, place)
            return self._whole(found, place.through(f"${{{inner}}}"), path, depth + 1)
        return Node(self._text(text, place, depth), place)

    def _whole(self, found: str, place: Place, path: tuple[str, ...], depth: int) -> Node:
        text = self._text(found, place, depth)
        try:
            tree = parse(found, Place(place.source, None, place.via, place.folder))
        except ConfigErrors as errors:
            if "\n" in found.strip():
                raise _Wrong(f"{place.via}: {errors.problems[0].message}") from None
            return Node(text, place, text)
        tree = self.tree(_placed(tree, place), path, depth)
        tree.text = text
        return tree

    def _text(self, text: str, place: Place, depth: int) -> str:
        """The text with references put in as text."""
        if depth > MAX_DEPTH:
            raise _Wrong(f"references lead to references more than {MAX_DEPTH} times: break the circle")
        parts: list[str] = []
        position = 0
        while (dollar := text.find("$", position)) >= 0:
            parts.append(text[position:dollar])
            if text.startswith("$$", dollar):
                parts.append("$")
                position = dollar + 2
            elif text.startswith("${", dollar):
                close = _closing(text, dollar)
                inner = self._text(text[dollar + 2 : close], place, depth + 1)
                parts.append(self._text(self._follow(inner, place), place, depth + 1))
                position = close + 1
            else:
                parts.append("$")
                position = dollar + 1
            if sum(map(len, parts)) > MAX_TEXT:
                raise _Wrong(f"references give more than {MAX_TEXT} characters: break the circle")
        return "".join(parts) + text[position:]

    def _follow(self, reference: str, place: Place) -> str:
        """The text that a reference stands for."""
        self._followed += 1
        if self._followed > MAX_REFERENCES:
            raise _Wrong(f"more than {MAX_REFERENCES} references: break the circle")
        parts = _SCHEME.fullmatch(reference)
        scheme, rest = (parts[1], parts[2]) if parts else ("env", reference)
        match scheme:
            case "env":
                return self._variable(rest, place)
            case "file":
                return _read(rest, place)
            case "yaml":
                return rest
            case _:
                raise _Wrong(f"${{{reference}}}: unknown scheme {scheme}{nearest(scheme, _SCHEMES)}")

    def _variable(self, rest: str, place: Place) -> str:
        name, has_fallback, fallback = rest.partition(":-")
        if not _NAME.fullmatch(name):
            raise _Wrong(f"${{{rest}}}: not the name of a variable: use letters, digits and _; write $$ for a dollar sign")
        if (value := self.environment.get(name)) is not None:
            return value
        if not has_fallback:
            self.warnings.append(f"{place}: the environment variable {name} is not set: taken as empty")
        return fallback


def _closing(text: str, start: int) -> int:
    """Position of the brace that closes the reference at `start`."""
    depth, position = 0, start
    while position < len(text):
        if text.startswith("${", position):
            depth += 1
            position += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    raise _Wrong(f"{text[start : start + 40]}: the closing brace of the reference is missing; write $$ for a dollar sign")


def find_file(name: str, folder: Path | None) -> Path:
    """A relative path begins at the file that names it, else at the working directory."""
    path = Path(name).expanduser()
    beside = folder / path if folder else path
    return beside if beside.exists() else path


def _read(name: str, place: Place) -> str:
    path = find_file(name, place.folder)
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise _Wrong(f"${{file:{name}}}: cannot read {path}: {why}") from None


def _placed(node: Node, place: Place) -> Node:
    """All of the tree at one place: that of the reference which brought it."""
    if isinstance(node.value, dict):
        return Node({key: _placed(child, place) for key, child in node.value.items()}, place)
    if isinstance(node.value, list):
        return Node([_placed(child, place) for child in node.value], place)
    return Node(node.value, place)
