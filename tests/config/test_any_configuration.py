"""Whatever stands in a configuration: it is understood, or told as a mistake with its place; it never crashes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sojourn.config.load import load
from sojourn.config.model import read
from sojourn.config.problems import ConfigErrors

from .samples import Samples

RIGHT: dict[str, Any] = {
    "receivers": {"source": {"protocols": {"grpc": {"endpoint": ":0"}}, "limit": "1MiB", "tags": ["a"]}},
    "processors": {"session": None, "aggregate": {}, "a": {"type": "session"}},
    "exporters": {"sink": {"path": "x", "count": 3, "token": "t", "database": "clickhouse://h"}, "forward": {"endpoint": "x"}},
    "extensions": {"health": None},
    "service": {
        "data_dir": "x",
        "extensions": ["health"],
        "flush_interval": "1s",
        "pipelines": {"traces": {"receivers": ["source"], "processors": ["a", "session", "aggregate"], "exporters": ["sink"]}},
        "telemetry": {"logs": {"level": "info"}},
    },
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["${env:X}", "$", "${", "a/b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(deeper for key, child in children for deeper in paths(child, (*path, key)))]


def change(tree: Any, path: tuple[Any, ...], value: Any, beside: bool) -> None:
    """Replace what stands at `path`, or put a key that nobody knows beside it; nothing if an earlier change took it away."""
    try:
        parent = tree
        for key in path[:-1]:
            parent = parent[key]
        parent[f"{path[-1]}x" if beside else path[-1]] = value
    except (KeyError, IndexError, TypeError):
        return


def understood_or_told(attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except ConfigErrors as wrong:
        if not wrong.problems or not all(problem.message for problem in wrong.problems):
            raise AssertionError("refused without saying why") from wrong


@given(st.lists(st.tuples(st.sampled_from(paths(RIGHT)[1:]), VALUES, st.booleans()), min_size=1, max_size=3))
def test_anything_is_understood_or_told(changes: list[tuple[tuple[Any, ...], Any, bool]]) -> None:
    """A right configuration with some values replaced by anything, or with a key that nobody knows."""
    tree = copy.deepcopy(RIGHT)
    for path, value, beside in changes:
        change(tree, path, value, beside)
    understood_or_told(lambda: read(load(["env:C"], [], {"C": json.dumps(tree), "X": "[1"}), Samples()))


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_understood_or_told(text: str, value: str) -> None:
    """As a source, and as a setting."""
    environment = {"C": text, "X": value}
    understood_or_told(lambda: load(["env:C"], [], environment))
    for setting in (text, f"service.collector={text}", f"a={text}"):
        understood_or_told(lambda setting=setting: load([], [setting], environment))  # type: ignore[misc]
