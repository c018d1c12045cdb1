"""From a tree to one checked description, and from what pydantic says to what a person can act on."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sojourn.config.problems import ConfigErrors, Problem, nearest
from sojourn.config.tree import Node

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str, ...]

_WANTS_TEXT = {"string_type", "secret", "url", "literal_error", "enum", "endpoint", "path_type"}
_UNSHOWN = {"secret", "url", "missing", "extra_forbidden"}
_TEXTS = {
    "missing": "is required: add it",
    "bool_type": "is not true or false",
    "bool_parsing": "is not true or false",
    "int_type": "is not a whole number",
    "int_parsing": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_type": "is not a number",
    "float_parsing": "is not a number",
    "string_type": "is not a text: put quotes around it",
    "list_type": "is not a list: write [a, b] or lines that begin with -",
    "tuple_type": "is not a list: write [a, b] or lines that begin with -",
    "dict_type": "is not a map: write key: value below it",
    "model_type": "is not a map: write key: value below it",
    "model_attributes_type": "is not a map: write key: value below it",
    "path_type": "is not a path",
}


def describe(model: type[Model], node: Node, path: Path) -> Model:
    """The checked description of what stands at `path`. Raises ConfigErrors with every mistake in it.

    A null is as if the key were absent, unless the key takes it; a number that came from a reference is a text where a text is wanted.
    """
    settings: Any = {} if node.value is None else node.plain()
    while True:
        try:
            return model.model_validate(settings)
        except ValidationError as invalid:
            errors = [(error, _where(error, node)) for error in invalid.errors(include_url=False)]
            mended = _mend(copy.deepcopy(settings), node, errors)
            if mended is None or mended == settings:
                raise ConfigErrors(_problems(model, node, path, errors)) from None
            settings = mended


def _where(error: ErrorDetails, node: Node) -> Path:
    """The keys that lead to the mistake: pydantic also names the members of unions, which nobody wrote."""
    keys: list[str] = []
    location = [str(part) for part in error["loc"]]
    current: Node | None = node
    for index, key in enumerate(location):
        following = current.child(key) if current else None
        if following is not None:
            keys.append(key)
            current = following
        elif index == len(location) - 1 and error["type"] == "missing":
            keys.append(key)
    return tuple(keys)


def _find(node: Node, path: Path) -> Node | None:
    current: Node | None = node
    for key in path:
        current = current.child(key) if current else None
    return current


def _mend(settings: Any, node: Node, errors: list[tuple[ErrorDetails, Path]]) -> Any | None:
    """The settings with texts for numbers and without nulls where that is what was asked for; None if nothing can be mended."""
    mended = False
    for error, where in errors:
        found = _find(node, where)
        if found is None or not where:
            continue
        parent = settings
        for step in where[:-1]:
            parent = parent[int(step)] if isinstance(parent, list) else parent.get(step, {})
        key: Any = int(where[-1]) if isinstance(parent, list) else where[-1]
        if found.text is not None and error["type"] in _WANTS_TEXT and parent[key] != found.text:
            parent[key] = found.text
            mended = True
        elif (
            found.value is None
            and isinstance(parent, dict)
            and key in parent
            and parent[key] is None
            and error["type"] != "extra_forbidden"
        ):
            del parent[key]
            mended = True
    return settings if mended else None


def _problems(model: type[BaseModel], node: Node, path: Path, errors: list[tuple[ErrorDetails, Path]]) -> Iterator[Problem]:
    deepest = {where for _, where in errors}
    for error, where in errors:
        if any(other[: len(where)] == where and other != where for other in deepest) and error["type"] not in (
            "missing",
            "extra_forbidden",
        ):
            continue  # another member of a union got further: what it says is closer to what was meant
        found = _find(node, where) or _find(node, where[:-1]) or node
        yield Problem(found.place, (*path, *where), _sentence(model, error, where))


def _sentence(model: type[BaseModel], error: ErrorDetails, where: Path) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"unknown key{nearest(where[-1], _keys(model, where[:-1]))}"
    context = error.get("ctx", {})
    text = _TEXTS.get(kind) or error["msg"].removeprefix("Value error, ")
    if kind in ("literal_error", "enum"):
        expected = [word.strip(" '") for word in str(context.get("expected", "")).replace(" or ", ", ").split(",")]
        text = f"is not one of {', '.join(expected)}"
        near = nearest(str(error["input"]), expected)
        text += near if "did you mean" in near else ""
    elif kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        limit = next(iter(context.values()))
        text = {"greater_than": "must be more than", "greater_than_equal": "must be at least", "less_than": "must be less than"}.get(
            kind, "must be at most"
        ) + f" {limit}"
    elif kind == "value_error":
        return text
    return text if kind in _UNSHOWN else f"{_shown(error['input'])} {text}"


def _shown(value: object) -> str:
    """The value as it would be written, cut."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _keys(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that may stand at `path` below a description."""
    models = [model]
    for key in path:
        following: list[type[BaseModel]] = []
        for candidate in models:
            if (info := field(candidate, key)) is not None:
                following += submodels(info.annotation)
        models = following or models
    return sorted({info.alias or name for candidate in models for name, info in candidate.model_fields.items()})


def field(model: type[BaseModel], key: str) -> Any:
    """The field that a YAML key means, or None."""
    for name, info in model.model_fields.items():
        if key in (name, info.alias):
            return info
    return None


def submodels(annotation: Any) -> list[type[BaseModel]]:
    """The descriptions that may stand where this annotation stands, inside unions, lists and maps."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, Annotated, list, dict, tuple):
        return [found for argument in get_args(annotation) for found in submodels(argument)]
    return []
