"""Attribute values as OTLP writes them → texts, whole numbers and money."""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from typing import Any


def attributes_of(holder: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for attribute in holder.attributes:
        attributes.setdefault(attribute.key, value_of(attribute.value))
    return attributes


def value_of(value: Any) -> Any:
    which = value.WhichOneof("value")
    if which is None:
        return None
    if which == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return {item.key: value_of(item.value) for item in value.kvlist_value.values}
    return getattr(value, which)


def plain_text(value: Any) -> str:
    return value if isinstance(value, str) else number_text(value)


def number_text(value: Any) -> str:
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return shortest(value)
    return ""


def shortest(number: float) -> str:
    """The shortest decimal text that reads back as the same double; whole numbers without a point."""
    if math.isnan(number) or math.isinf(number):
        return str(number)
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


_INVALID = {"", "null", "none", "undefined", "unknown", "nan", "<null>", "{}", "<redacted>", "[redacted]", "__redacted__"}


def valid_text(value: Any) -> str:
    """2.1: trimmed; integers and doubles as text; '' for everything that is as if absent."""
    if value is None:
        return ""
    text = plain_text(value).strip()
    if text.lower() in _INVALID or not text.strip("*"):
        return ""
    return text


def member(attributes: dict[str, Any], key: str) -> Any:
    """The value of an attribute, or of a member of the JSON in it (`a>b>c`)."""
    if ">" not in key and not key.startswith("mlflow."):
        return attributes.get(key)
    name, *path = key.split(">")
    value = attributes.get(name)
    if name.startswith("mlflow.") and isinstance(value, str):
        value = from_json(value, value)
    for part in path:
        if isinstance(value, str):
            value = from_json(value, None)
        if isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def from_json(text: str, otherwise: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return otherwise


def first_text(attributes: dict[str, Any], names: list[str]) -> str:
    for name in names:
        if text := valid_text(member(attributes, name)):
            return text
    return ""


def whole(value: Any) -> int | None:
    """3.3: numbers, numbers as strings, JSON integer wrappers."""
    if isinstance(value, dict):
        value = value.get("intValue", value.get("doubleValue", value.get("stringValue")))
    if isinstance(value, str):
        text = value.strip()
        if text.startswith(("{", '"')):
            return whole(from_json(text, None))
        try:
            value = int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return round(value)


def exact(value: Any) -> Fraction | None:
    """A number, or one as text, to its last digit; a double as it is written."""
    if isinstance(value, str):
        value = value.strip()
        return Fraction(value) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def picodollars(value: Any) -> int | None:
    """3.4: US dollars → whole picodollars, rounded once, half to even."""
    dollars = exact(value)
    return None if dollars is None or dollars < 0 else round(dollars * 10**12)
