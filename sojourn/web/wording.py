"""How numbers, times and flags read for people."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

_STEERING: Final = dict.fromkeys(
    (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\N{REPLACEMENT CHARACTER}"
)
_BREAKING: Final = {9: "\t", 10: "\n"}
UNKNOWN: Final = "\N{EN DASH}"
_SEVERITIES: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
REASONS: Final = {
    "explicit": "ended by the application or by hand",
    "continued": "continued as another session",
    "idle_timeout": "silent for too long",
    "max_duration": "reached its longest duration",
    "max_traces": "reached its greatest number of traces",
    "late_data": "data came long after the end",
    "merged": "data came that bridges a silence",
}


EVENTS: Final = {
    "session.start": "began",
    "session.idle": "fell silent",
    "session.end": "ended",
    "session.reopened": "went on after its end",
    "session.rotated": "was cut into a new segment",
    "session.updated": "changed",
    "session.alert": "alert",
}


def moment(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time as the API writes it."""
    whole = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
    fraction = text[20:].rstrip("Z") if text[19:20] == "." else ""
    return int((whole - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000_000 + int(fraction.ljust(9, "0") or "0")


def stamp(nanoseconds: int) -> str:
    """The RFC 3339 time of nanoseconds since 1970."""
    whole = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"


def clock(text: str) -> str:
    """`2026-01-31 09:30:00`, UTC."""
    return text[:19].replace("T", " ")


def duration(nanoseconds: int | str) -> str:
    """`850 ms`, `3.4 s`, `12 m 05 s`, `3 h 20 m`, `2 d 4 h`."""
    ns = int(nanoseconds)
    for unit, size in (("ns", 1_000), ("µs", 1_000_000), ("ms", 1_000_000_000)):
        if ns < size:
            value = ns / (size / 1_000)
            return f"{value:.0f} {unit}" if value >= 10 or unit == "ns" else f"{value:.1f} {unit}"
    seconds = ns / 1e9
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours < 1:
        return f"{minutes} m {int(seconds % 60):02d} s"
    return f"{hours} h {minutes % 60:02d} m" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def ago(text: str, now: int) -> str:
    """`3 m ago`; the time itself if it lies in the future."""
    silent = now - moment(text)
    if silent < 0:
        return clock(text)
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    name, size = next(((name, size) for name, size in units if silent >= size * 1_000_000_000), ("s", 1))
    return f"{silent // (size * 1_000_000_000)} {name} ago"


def money(text: str | None) -> str:
    """`$0.0042`, `$1,234.50`; a dash for what nobody knows."""
    if text is None:
        return UNKNOWN
    amount = Decimal(text)
    if amount == 0 or amount >= Decimal("0.1"):
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if amount >= Decimal("0.001") else f"${Decimal(f'{amount:.2g}'):f}"


def number(value: int | str | None) -> str:
    return UNKNOWN if value is None else f"{int(value):,}"


def rough(value: int | str | None) -> str:
    """`950`, `12.3k`, `4.56M`: three digits, for lists; the whole number stands beside it."""
    if value is None:
        return UNKNOWN
    count = int(value)
    for unit, size in (("", 1), ("k", 10**3), ("M", 10**6), ("G", 10**9)):
        if count < 999.5 * size:
            digits = 0 if not unit or count >= 99.95 * size else 1 if count >= 9.995 * size else 2
            return f"{count / size:.{digits}f}{unit}"
    return f"{count / 10**12:,.1f}T"


def amount(value: float | None) -> str:
    """A measured value: whole numbers whole, others with six digits; a dash for what is no number."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.6g}"


def severity(text: str, number: int) -> str:
    """The producer's word for it, else that of OpenTelemetry for its number."""
    return text or (_SEVERITIES[(number - 1) // 4] if 1 <= number <= 24 else "")


def count(value: int | str, what: str) -> str:
    """`1 segment`, `1,234 segments`."""
    return f"{int(value):,} {what}" + ("" if int(value) == 1 else "s")


def short(text: str, length: int) -> str:
    """At most `length` characters, without what would hide or turn the others; lines stay lines."""
    return (text if len(text) <= length else text[: length - 1] + "…").translate(_STEERING | _BREAKING)


def plain(text: str) -> str:
    """One line without control characters and marks of writing direction, which make a name look like another one."""
    return text.translate(_STEERING)
