"""YAML as a tree in which every value knows where it was written, so that any later error can say so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

import yaml

from sojourn.config.problems import ConfigErrors, Place, Problem

Scalar = str | int | float | bool | None
MAX_NODES: Final = 100_000  # aliases let a page of YAML stand for billions of values
MAX_DEPTH: Final = 100


@dataclass(slots=True)
class Node:
    """A value and its place. For an entry of a map the place is that of its key."""

    value: dict[str, Node] | list[Node] | Scalar
    place: Place
    text: str | None = None
    """The unchanged text that a reference gave, for keys that want text: 0123 from a variable is a number to some and a code to others."""

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def children(self) -> Iterator[tuple[str, Node]]:
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from ((str(index), node) for index, node in enumerate(self.value))

    def child(self, key: str) -> Node | None:
        if isinstance(self.value, dict):
            return self.value.get(key)
        if isinstance(self.value, list) and key.isdigit() and int(key) < len(self.value):
            return self.value[int(key)]
        return None


class _Loader(yaml.SafeLoader):
    """YAML as the Go collector reads it: `on` and `12:30` are texts, `1e3` is a number, `0123` is octal."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the name and the kind of attribute are PyYAML's


def _resolvers() -> None:
    signs = list("-+.0123456789")
    for tag, pattern, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+", signs),
        ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", signs),
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("merge", r"<<", ["<"]),
    ):
        _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)


_resolvers()


def parse(text: str, place: Place) -> Node:
    """The tree of a YAML document; an empty one is null. Raises ConfigErrors."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigErrors([Problem(_line(place, line), (), f"not YAML: {error.problem or error.context}")]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigErrors([Problem(place, (), f"not YAML: {error}")]) from None
    if node is None:
        return Node(None, place)
    build = _Build(place)
    tree = build.node(node, build.at(node), ())
    if build.problems:
        raise ConfigErrors(build.problems)
    return tree


def _line(place: Place, line: int) -> Place:
    return replace(place, line=line) if place.line is not None else place


class _Build:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._left = MAX_NODES
        self.problems: list[Problem] = []

    def at(self, node: yaml.Node) -> Place:
        return _line(self._place, node.start_mark.line + 1)

    def node(self, node: yaml.Node, place: Place, path: tuple[str, ...]) -> Node:
        self._left -= 1
        if self._left < 0 or len(path) > MAX_DEPTH:
            raise ConfigErrors([Problem(place, path[:3], f"more than {MAX_NODES} values or {MAX_DEPTH} levels: write fewer aliases")])
        if isinstance(node, yaml.MappingNode):
            return Node(self._map(node, path), place)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.node(item, self.at(item), (*path, str(i))) for i, item in enumerate(node.value)], place)
        assert isinstance(node, yaml.ScalarNode)
        return Node(self._scalar(node, place, path), place)

    def _map(self, node: yaml.MappingNode, path: tuple[str, ...]) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            place = self.at(key)
            if key.tag == "tag:yaml.org,2002:merge":
                merged |= self._merged(value, path)
                continue
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(place, path, "a key must be a text"))
                continue
            name = str(key.value)
            if name in entries:
                first = entries[name].place.line
                self.problems.append(Problem(place, (*path, name), f"written twice, first on line {first}: keep one of them"))
                continue
            entries[name] = self.node(value, place, (*path, name))
        return merged | entries

    def _merged(self, value: yaml.Node, path: tuple[str, ...]) -> dict[str, Node]:
        """What `<<: *anchor` brings in; of several the first one wins."""
        found: dict[str, Node] = {}
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if not isinstance(source, yaml.MappingNode):
                self.problems.append(Problem(self.at(value), (*path, "<<"), "is not a map or a list of maps"))
                continue
            tree = self.node(source, self.at(source), path)
            assert isinstance(tree.value, dict)
            found = tree.value | found
        return found

    def _scalar(self, node: yaml.ScalarNode, place: Place, path: tuple[str, ...]) -> Scalar:
        kind, text = node.tag.removeprefix("tag:yaml.org,2002:"), node.value
        try:
            return scalar(kind, text)
        except ValueError:
            self.problems.append(Problem(place, path, f"{text!r} is not of the kind {node.tag}"))
            return None


def scalar(kind: str, text: str) -> Scalar:
    """A YAML scalar by the name of its tag. ValueError if it is none."""
    match kind:
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() == "true" if text.lower() in ("true", "false") else _refuse(text)
        case "int":
            return _whole(text)
        case "float":
            return float(re.sub(r"\.(?=[A-Za-z])", "", text))
        case _:
            return _refuse(text)


def _whole(text: str) -> int:
    if len(text) > 40:
        _refuse(text)
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits.isdigit():
        octal = all(digit in "01234567" for digit in digits)
        return int(text, 8) if octal else int(text, 10)
    return int(text, 0) if not digits.isdigit() else int(text, 10)


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def merge(first: Node, second: Node) -> Node:
    """Maps are merged deeply; anything else in `second` replaces what `first` has, null included."""
    if not isinstance(first.value, dict) or not isinstance(second.value, dict):
        return second
    entries = dict(first.value)
    for key, node in second.value.items():
        entries[key] = merge(entries[key], node) if key in entries else node
    return Node(entries, second.place)
