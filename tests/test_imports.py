"""Imports point one way: what is below never knows what is above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "sojourn"
LAYERS = (
    {"errors", "scheduling", "schema", "_native", "config.types"},
    {"component"},
    {"sessions", "storage", "wire"},
    {"receivers", "processors", "exporters", "extensions"},
    {"config"},
    {"collector"},
    {"web", "cli", "commands", "demo", "testing"},
)
"""From the bottom to the top. `sojourn` itself is the door for plugins: it may import what they need, and nobody here goes through it."""


def layer(module: str) -> int:
    """The number of the layer that a module below `sojourn` belongs to."""
    for number, names in enumerate(LAYERS):
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return number
    raise AssertionError(f"sojourn.{module} has no place in LAYERS")


def imported(tree: ast.AST, package: str) -> Iterator[tuple[str, int]]:
    """Modules of ours that a file imports when it runs, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for inner in ast.walk(node):
                inner.skipped = True  # type: ignore[attr-defined]
        if getattr(node, "skipped", False):
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sojourn":
            rest = node.module.removeprefix("sojourn").lstrip(".")
            for name in node.names:
                yield (f"{rest}.{name.name}" if (ROOT / rest.replace(".", "/")).is_dir() else rest), node.lineno
        elif isinstance(node, ast.Import):
            yield from ((name.name.removeprefix("sojourn."), node.lineno) for name in node.names if name.name.startswith("sojourn."))


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    """No file imports from a layer above its own, not even inside a function."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    if module in ("", "__init__"):
        return
    above = [
        f"{path.name}:{line} imports sojourn.{name}"
        for name, line in imported(ast.parse(path.read_text()), module)
        if layer(name.strip(".") or "component") > layer(module)
    ]
    assert above == []


def test_nothing_heavy_is_imported_early() -> None:
    """Modules that every start loads import nothing that only some configurations need."""
    heavy = {"numpy", "pyarrow", "chdb", "starlette", "uvicorn", "clickhouse_connect", "grpc", "jinja2", "rich"}
    for folder in ("config", "collector", "extensions"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {name.split(".")[0] for name in names} & heavy, path
