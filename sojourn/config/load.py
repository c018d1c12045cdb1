"""From `--config` and `--set` to one tree: sources are read, merged from left to right, then references are replaced."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sojourn.config.expand import Expansion
from sojourn.config.problems import ConfigErrors, Place, Problem
from sojourn.config.tree import Node, merge, parse

DEFAULT: Final = Path(__file__).with_name("default.yaml")
_SCHEMES = ("file", "env", "yaml")


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration before anybody knows what its keys mean."""

    tree: Node
    warnings: tuple[str, ...]


def load(sources: Sequence[str] = (), settings: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Document:
    """Read `--config` sources and `--set` settings; without a source the built-in configuration. Raises ConfigErrors."""
    environment = os.environ if environment is None else environment
    problems: list[Problem] = []
    trees: list[Node] = []
    for read, texts in ((_source, sources), (_setting, settings)):
        if read is _source and not texts:
            trees.append(built_in())
        for text in texts:
            try:
                trees.append(read(text, environment))
            except ConfigErrors as errors:
                problems += errors.problems
    if problems:
        raise ConfigErrors(problems)
    whole = trees[0]
    for tree in trees[1:]:
        whole = merge(whole, tree)
    expansion = Expansion(environment)
    whole = expansion.tree(whole)
    if expansion.problems:
        raise ConfigErrors(expansion.problems)
    return Document(whole, tuple(dict.fromkeys(expansion.warnings)))


def built_in() -> Node:
    """The configuration that runs when nobody gives one."""
    return parse(DEFAULT.read_text(encoding="utf-8"), Place("built-in configuration", 1, folder=Path.cwd()))


def _source(uri: str, environment: Mapping[str, str]) -> Node:
    scheme, colon, rest = uri.partition(":")
    if not colon or len(scheme) == 1 or not scheme.isalnum():
        scheme, rest = "file", uri
    match scheme:
        case "file":
            return _top(_file(rest))
        case "env":
            place = Place(f"env:{rest}", 1)
            if rest not in environment:
                raise ConfigErrors([Problem(Place(f"--config {uri}"), (), f"the environment variable {rest} is not set")])
            return _top(parse(environment[rest], place))
        case "yaml":
            return _nested(_top(parse(rest, Place(f"--config {_cut(uri)}", None, folder=Path.cwd()))))
        case _:
            near = difflib.get_close_matches(scheme, _SCHEMES, n=1)
            hint = f"did you mean {near[0]}:?" if near else "use a path, file:, env: or yaml:"
            raise ConfigErrors([Problem(Place(f"--config {_cut(uri)}"), (), f"unknown scheme {scheme}; {hint}")])


def _cut(uri: str) -> str:
    """Inline YAML, short enough to stand before a message."""
    line = " ".join(uri.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def _file(name: str) -> Node:
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigErrors([Problem(Place(f"--config {name}"), (), f"cannot read the file: {why}")]) from None
    return parse(text, Place(name, 1, folder=path.resolve().parent))


def _top(tree: Node) -> Node:
    if tree.value is None:
        raise ConfigErrors([Problem(tree.place, (), "is empty: write receivers, exporters and service, or run without --config")])
    if not isinstance(tree.value, dict):
        raise ConfigErrors([Problem(tree.place, (), "is not a map: write receivers, exporters and service")])
    return tree


def _nested(tree: Node) -> Node:
    """`a::b: v` of inline YAML becomes `a: {b: v}`."""
    whole = Node({}, tree.place)
    for key, child in tree.children():
        for part in reversed(key.split("::")):
            child = Node({part: child}, child.place)
        whole = merge(whole, child)
    return whole


def _setting(text: str, environment: Mapping[str, str]) -> Node:
    key, equals, value = text.partition("=")
    place = Place(f"--set {key}", None, folder=Path.cwd())
    parts = [part.strip() for part in key.split("::" if "::" in key else ".")]
    if not equals or not all(parts):
        raise ConfigErrors([Problem(Place(f"--set {text}"), (), "is not key=value: write for example --set service.flush_interval=2s")])
    try:
        node = parse(value, place)
    except ConfigErrors:
        node = Node(value, place)  # a text that happens not to be YAML, such as `@name` or a line with a colon
    for part in reversed(parts):
        node = Node({part: node}, place)
    return node
