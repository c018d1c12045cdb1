"""The manual of a component: every key with its type, default and meaning, read from its description."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sojourn.config.settings import submodels
from sojourn.config.types import Word

_WORDS: Final[dict[Any, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    type(None): "nothing",
    Any: "anything",
    object: "anything",
    dict: "map",
    list: "list",
}
MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Key:
    name: str
    depth: int
    type: str
    default: str | None
    """As it would be written; None if the key is required."""
    meaning: str
    below: bool = False
    """Keys of its own follow."""

    def table(self) -> dict[str, Any]:
        return {"name": self.name, "depth": self.depth, "type": self.type, "default": self.default, "meaning": self.meaning}


def purpose(model: type[BaseModel]) -> str:
    """The first paragraph of the description's docstring, on one line."""
    text = inspect.cleandoc(model.__doc__ or "")
    return " ".join(text.split("\n\n")[0].split())


def keys(model: type[BaseModel], depth: int = 0) -> Iterator[Key]:
    """Every key, those of inner descriptions below their own."""
    hints = get_type_hints(model, include_extras=True)
    texts = meanings(model)
    for name, info in model.model_fields.items():
        inner = submodels(info.annotation) if depth < MAX_DEPTH else []
        meaning = " ".join((texts.get(name) or info.description or "").split())
        yield Key(info.alias or name, depth, word(hints[name]), _default(model, name, info), meaning, bool(inner))
        for candidate in inner:
            if candidate is not model:
                yield from keys(candidate, depth + 1)


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """The docstrings below the fields, inherited ones too. pydantic can read them as well, but only at import, which delays every start."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
            assert isinstance(tree, ast.ClassDef)
            for above, below in pairwise(tree.body):
                match above, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        found[name] = inspect.cleandoc(text)
    return found


def word(annotation: Any) -> str:
    """What a person calls the type."""
    named = getattr(annotation, "word", None)
    if isinstance(named, Word):
        return named.name
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        found = next((extra for extra in arguments[1:] if isinstance(extra, Word)), None)
        return found.name if found else word(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(word(argument) for argument in arguments if argument is not type(None)))
    if origin is Literal:
        return " | ".join(json.dumps(argument) if not isinstance(argument, str) else argument for argument in arguments)
    if origin in (list, tuple, set, frozenset):
        return f"list of {word(arguments[0])}" if arguments else "list"
    if origin is dict:
        return f"map of {word(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "map"
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(model: type[BaseModel], name: str, info: FieldInfo) -> str | None:
    if info.is_required():
        return None
    value = info.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return "{}"
    if value is None:
        return "nothing"
    shown = model.model_construct(**{name: value}).model_dump(mode="json", include={name}, warnings=False)[name]
    return shown if isinstance(shown, str) and shown else json.dumps(shown, ensure_ascii=False)
