"""Finds the classes of components: through entry points, or in one file. Only what a configuration names is imported."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Final

from sojourn.component import Component
from sojourn.config.expand import find_file
from sojourn.config.model import Kind
from sojourn.config.problems import nearest
from sojourn.errors import ConfigError

ALIASES: Final[dict[Kind, dict[str, str]]] = {
    "exporters": {"otlp_grpc": "otlp"},
    "receivers": {},
    "processors": {},
    "extensions": {"healthcheck": "health_check"},
}
"""Other spellings that the Collector's configurations use."""
REPLACED: Final[dict[tuple[Kind, str], str | None]] = {
    ("exporters", "logging"): "debug",
    ("processors", "batch"): None,
    ("processors", "memory_limiter"): None,
}
"""Types that people paste: the name of what does it here, or None if the engine itself does."""


class Installed:
    """Everything that is installed: ours and plugins, by the same way."""

    def names(self, kind: Kind) -> Sequence[str]:
        return sorted(_entries(kind))

    def find(self, kind: Kind, type_: str, folder: Path | None) -> type[Component]:
        if ".py:" in type_:
            return from_file(type_, folder)
        name = ALIASES[kind].get(type_, type_)
        entry = _entries(kind).get(name)
        if entry is None:
            raise ConfigError(self._unknown(kind, type_))
        try:
            found = entry.load()
        except Exception as error:
            raise ConfigError(f"cannot load {entry.value}: {_reason(error)}") from error
        return _component(found, entry.value)

    def _unknown(self, kind: Kind, type_: str) -> str:
        if (kind, type_) in REPLACED:
            instead = REPLACED[kind, type_]
            advice = (
                f"use {instead}"
                if instead
                else "the service does it for all pipelines: see service::flush_rows and service::queue_bytes, and leave it out"
            )
            return f"there is no {type_}: {advice}"
        return f"unknown type {type_}{nearest(type_, self.names(kind))}"


@cache
def _entries(kind: Kind) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"sojourn.{kind}")}


def from_file(reference: str, folder: Path | None) -> type[Component]:
    """The class of './file.py:Class'. Raises ConfigError."""
    name, _, class_ = reference.rpartition(":")
    path = find_file(name, folder).resolve()
    if not path.is_file():
        raise ConfigError(f"there is no file {(folder or Path()) / name}")
    module = _module(path)
    if not hasattr(module, class_):
        known = [key for key, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__]
        raise ConfigError(f"{path.name} has no class {class_ or '(none given)'}{nearest(class_, known)}")
    return _component(getattr(module, class_), reference)


@cache
def _module(path: Path) -> ModuleType:
    """One file as a module; the same file is the same module, so that its classes are the same."""
    name = f"sojourn_plugin_{path.stem}_{abs(hash(path)):x}"
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ConfigError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and pydantic look annotations up there
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"cannot load {path}: {_reason(error)}") from error
    return module


def _reason(error: BaseException) -> str:
    """One line: what happened and where."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames and "importlib" not in frames[-1].filename else ""
    return f"{type(error).__name__}: {error}{at}"


def _component(found: object, name: str) -> type[Component]:
    if not isinstance(found, type) or not issubclass(found, Component):
        raise ConfigError(f"{name} is not a component: derive it from sojourn.Processor, Exporter, Receiver or Extension")
    return found
