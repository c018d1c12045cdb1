"""The types that configuration keys have beside text, numbers and lists: durations, sizes, secrets, addresses.

A description writes `idle_timeout: Duration = 1800.0` and the YAML says `idle_timeout: 30m`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

REDACTED: Final = "<redacted>"


@dataclass(frozen=True, slots=True)
class Word:
    """What the manual calls a type."""

    name: str


_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:\d{1,15}(?:\.\d{1,9})?(?:ms|us|µs|ns|d|h|m|s))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_BYTES: dict[str, int] = {
    "B": 1,
    **{unit: 1000**power for power, unit in enumerate(("KB", "MB", "GB", "TB"), 1)},
    **{unit: 1024**power for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB"), 1)},
}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]+)")


def parse_duration(value: object) -> float:
    """Seconds of '30m', '1h30m', '300ms' or '7d'. A bare number is refused, except 0, because nobody knows its unit."""
    if isinstance(value, float | int) and not isinstance(value, bool) and value == 0:
        return 0.0
    if isinstance(value, str) and value == "0":
        return 0.0
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value))
    raise PydanticCustomError("duration", "is not a duration: write a number with a unit, such as 300ms, 30s, 1h30m or 7d")


def format_duration(seconds: float) -> str:
    """The shortest way to write it that parse_duration() reads back."""
    left = round(seconds * 1e9)
    parts = []
    for unit, size in (("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    if left:
        parts.append(f"{left}ns")
    return "".join(parts) or "0"


def parse_size(value: object) -> int:
    """Bytes of '64MiB', '20MB' or a bare whole number of bytes."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        if value.isascii() and value.isdigit() and len(value) <= 18:
            return int(value)
        parts = _SIZE.fullmatch(value)
        if parts and parts[2] in _BYTES:
            return round(float(parts[1]) * _BYTES[parts[2]])
    raise PydanticCustomError("size", "is not a size: write bytes as a whole number, or with a unit, such as 64MiB or 20MB")


def format_size(size: int) -> str:
    """The shortest way to write it that parse_size() reads back."""
    for unit in ("TiB", "GiB", "MiB", "KiB", "TB", "GB", "MB", "KB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return str(size)


Duration = Annotated[float, BeforeValidator(parse_duration), PlainSerializer(format_duration), Word("duration")]
"""A length of time: seconds as a float in Python, '30m' in YAML."""

Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size), Word("size")]
"""A number of bytes: an int in Python, '64MiB' in YAML."""


class Secret:
    """A text that is never printed: only reveal() gives it away."""

    __slots__ = ("_text",)
    word = Word("secret")

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def _read(cls, value: object) -> Secret:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise PydanticCustomError("secret", "is not a text: put quotes around it")
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._read, serialization=core_schema.plain_serializer_function_ser_schema(str))


_PASSWORD = re.compile(r"(?<=://)([^/?#]*):[^/?#]*@")
_SECRET_PARAMETER = re.compile(r"(?i)([?&][^=&#]*(?:password|secret|token|key)[^=&#]*=)[^&#]*")


class Url:
    """An address that may carry a password: printed without it, reveal() gives all of it."""

    __slots__ = ("_text",)
    word = Word("url")

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    @property
    def scheme(self) -> str:
        return self._text.partition("://")[0]

    def __str__(self) -> str:
        return _SECRET_PARAMETER.sub(rf"\1{REDACTED}", _PASSWORD.sub(rf"\1:{REDACTED}@", self._text))

    def __repr__(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def _read(cls, value: object) -> Url:
        if isinstance(value, Url):
            return value
        if not isinstance(value, str) or not re.match(r"[a-z][a-z0-9+.-]*://", value):
            raise PydanticCustomError("url", "is not an address: write scheme://host:port, such as clickhouse://localhost:8123")
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._read, serialization=core_schema.plain_serializer_function_ser_schema(str))


def is_loopback(host: str) -> bool:
    """Whether a name or address, without brackets, certainly means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:/\s\[\]]*):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where something listens: a host and a port. `:4317` means every interface, port 0 any free port."""

    host: str
    """A name or an address, without brackets; '' for every interface."""
    port: int

    word = Word("endpoint")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def bind(self) -> str:
        """The address to listen on as a number, so that '' and 'localhost' mean the same everywhere."""
        host = {"": "0.0.0.0", "localhost": "127.0.0.1"}.get(self.host, self.host)
        return str(Endpoint(host, self.port))

    @property
    def local(self) -> bool:
        """Reached from this machine only."""
        return is_loopback(self.host)

    @classmethod
    def _read(cls, value: object) -> Endpoint:
        if isinstance(value, Endpoint):
            return value
        parts = _ENDPOINT.fullmatch(value) if isinstance(value, str) else None
        if parts is None or int(parts[2]) > 65535:
            raise PydanticCustomError("endpoint", "is not host:port: write for example 127.0.0.1:4317, localhost:4317, [::1]:4317 or :4317")
        return cls(parts[1].strip("[]"), int(parts[2]))

    @classmethod
    def parse(cls, value: str) -> Endpoint:
        """ValueError if it is not host:port."""
        return cls._read(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._read, serialization=core_schema.plain_serializer_function_ser_schema(str))
