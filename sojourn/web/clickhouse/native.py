"""The few blocks of format Native that the engine does not write itself."""

from __future__ import annotations

import json
from typing import Final

_GREETING: Final = "SELECT displayName(), version(), revision(), timezone()"
_BLOCK_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # no overflows, no bucket
_STRING: Final = "String"


def header(described: bytes) -> bytes:
    """A block without rows from the lines of DESCRIBE in JSONCompactEachRow."""
    columns = [json.loads(line)[:2] for line in described.splitlines()]
    return _number(len(columns)) + _number(0) + b"".join(_text(part) for column in columns for part in column)


def is_greeting(sql: str, protocol: int) -> bool:
    """Whether this is the first question of clickhouse-go over HTTP.

    It reads the answer as blocks of the protocol that it knows, and everything later as blocks of the revision that the answer names. The
    engine writes blocks of revision 0 only, so the answer says 0 and is the one block that is written by hand.
    """
    return protocol > 0 and " ".join(sql.rstrip("; \n").split()) == _GREETING


def greeting(version: str, timezone: str) -> bytes:
    """One row: display name, version, revision 0, time zone; each column tells that it has no serialisation of its own."""
    revision = _text("revision()") + _text("UInt32") + b"\0" + (0).to_bytes(4, "little")
    strings = [
        _text(f"{name}()") + _text(_STRING) + b"\0" + _text(value)
        for name, value in (("displayName", "sojourn"), ("version", version), ("timezone", timezone))
    ]
    return _BLOCK_INFO + _number(4) + _number(1) + strings[0] + strings[1] + revision + strings[2]


def _text(text: str) -> bytes:
    data = text.encode()
    return _number(len(data)) + data


def _number(value: int) -> bytes:
    """LEB128, as ClickHouse writes lengths."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
