"""Values of attributes, written anew from their text in the type that they had before."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1
_DEPTH: Final = 32
"""Deeper ones are sent on as text."""

Pairs = Iterable[tuple[str, str]]


def attributes(now: Pairs, before: Pairs, sent: Iterable[KeyValue]) -> Iterator[KeyValue]:
    """The attributes `now`, in their order. One whose text is as before stays as it was sent."""
    texts = dict(before)
    known: dict[str, KeyValue] = {}
    for pair in sent:
        known.setdefault(pair.key, pair)  # of two with one key the first counts
    for key, text in now:
        old = known.get(key)
        if old is not None and texts.get(key) == text:
            yield old
        else:
            yield KeyValue(key=key, value=value(text, old and old.value))


def value(text: str, before: AnyValue | None = None) -> AnyValue:
    """A value with this text, of the type of `before` if a value of that type reads so, else a string."""
    kind = before.WhichOneof("value") if before is not None else None
    read = _READERS.get(kind or "")
    try:
        found = read(text) if read else None
    except (ValueError, RecursionError):
        found = None
    return found or AnyValue(string_value=text)


def texts(pairs: object) -> list[tuple[str, str]]:
    """A map of a row."""
    told: Any = pairs.items() if isinstance(pairs, Mapping) else pairs or ()
    return [(str(key), "" if text is None else str(text)) for key, text in told]


def _bool(text: str) -> AnyValue | None:
    return AnyValue(bool_value=text == "true") if text in ("true", "false") else None


def _int(text: str) -> AnyValue | None:
    number = int(text[:32])
    return AnyValue(int_value=number) if str(number) == text and _LEAST <= number <= _GREATEST else None


def _double(text: str) -> AnyValue | None:
    number = float(text)
    return AnyValue(double_value=number) if _written(number) == text else None


def _written(number: float) -> str | None:
    """The text of a double, where Python writes it as the native core does: without an exponent."""
    if number == 0:
        return "0"
    text = repr(number).removesuffix(".0")
    return text if text.strip("-0123456789.") == "" else None


def _bytes(text: str) -> AnyValue | None:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return AnyValue(bytes_value=data) if base64.b64encode(data).decode() == text else None


def _nested(kind: type) -> Any:
    def read(text: str) -> AnyValue | None:
        told = json.loads(text)
        if not isinstance(told, kind) or json.dumps(told, ensure_ascii=False, separators=(",", ":")) != text:
            return None
        return _any(told, 0)

    return read


def _any(told: object, depth: int) -> AnyValue:
    """ValueError for what would read otherwise than it was written."""
    if depth > _DEPTH:
        raise ValueError
    if isinstance(told, list):
        listed = AnyValue()
        listed.array_value.SetInParent()
        listed.array_value.values.extend(_any(inner, depth + 1) for inner in told)
        return listed
    if isinstance(told, dict):
        mapped = AnyValue()
        mapped.kvlist_value.SetInParent()
        mapped.kvlist_value.values.extend(KeyValue(key=key, value=_any(inner, depth + 1)) for key, inner in told.items())
        return mapped
    return _scalar(told)


def _scalar(told: object) -> AnyValue:
    if told is None:
        return AnyValue()
    if isinstance(told, bool):
        return AnyValue(bool_value=told)
    if isinstance(told, int):
        return AnyValue(int_value=told)  # ValueError if it is too great
    if isinstance(told, float):
        if _written(told) != repr(told):
            raise ValueError
        return AnyValue(double_value=told)
    return AnyValue(string_value=str(told))


_READERS: Final[dict[str, Any]] = {
    "bool_value": _bool,
    "int_value": _int,
    "double_value": _double,
    "bytes_value": _bytes,
    "array_value": _nested(list),
    "kvlist_value": _nested(dict),
}
