"""Trying again over gRPC: which failures may pass, how long to wait, and when to give up."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydantic import Field

from sojourn.component import Component
from sojourn.config.types import Duration

if TYPE_CHECKING:
    import grpc

_RETRYABLE: Final = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
"""OTLP specification, "OTLP/gRPC Response". RESOURCE_EXHAUSTED may pass too, if it comes with RetryInfo."""
_RETRY_INFO: Final = b"type.googleapis.com/google.rpc.RetryInfo"


class Retry(Component):
    """How data that the other side cannot take now is sent again."""

    enabled: bool = True
    """Whether to send again at all; if not, such data is given up at once."""
    initial_interval: Duration = 5.0
    """Wait before the second attempt."""
    max_interval: Duration = 30.0
    """Longest wait between two attempts, unless the other side asks for more."""
    multiplier: float = Field(default=1.5, ge=1)
    """How much longer each wait is than the one before."""
    randomization_factor: float = Field(default=0.5, ge=0, le=1)
    """Part of a wait that is left to chance, so that senders do not come back all at once."""
    max_elapsed_time: Duration = 0.0
    """After how long data is given up; 0 for never: then the queue fills, and senders are told to wait."""


class Backoff:
    """The waits between the attempts to send one group."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._interval = retry.initial_interval
        self._begun = time.monotonic()
        self._not_before = 0.0

    def asked(self) -> float:
        """Seconds that the other side still wants to be left alone."""
        return max(0.0, self._not_before - time.monotonic())

    def wait(self, told: float) -> float | None:
        """Seconds until the next attempt, at least what the other side `told`. None to give up."""
        now, retry = time.monotonic(), self._retry
        if not retry.enabled or 0 < retry.max_elapsed_time <= now - self._begun:
            return None
        chance = 1 + retry.randomization_factor * random.uniform(-1, 1)
        wait = min(self._interval, retry.max_interval) * chance
        self._interval = min(self._interval * retry.multiplier, retry.max_interval)
        self._not_before = now + told
        return max(wait, told)


def may_pass(error: grpc.RpcError) -> bool:
    """Whether the same request may be sent again."""
    code = error.code().name
    return code in _RETRYABLE or (code == "RESOURCE_EXHAUSTED" and told_delay(error) is not None)


def told_delay(error: grpc.RpcError) -> float | None:
    """Seconds of the RetryInfo that came with the error; None without one.

    Read by hand: the protobuf package would cost a forwarding sidecar more memory than it is worth.
    """
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin" and isinstance(value, bytes):
            for any_ in _messages(value, 3):
                if next(_messages(any_, 1), b"") == _RETRY_INFO:
                    duration = next(_messages(next(_messages(any_, 2), b""), 1), b"")
                    return next(numbers(duration, 1), 0) + next(numbers(duration, 2), 0) / 1e9
    return None


def _messages(message: bytes, number: int) -> Iterator[bytes]:
    return (value for found, value in _fields(message) if found == number and isinstance(value, bytes))


def numbers(message: bytes, number: int) -> Iterator[int]:
    """The values of a varint field of a protobuf message."""
    return (value for found, value in _fields(message) if found == number and isinstance(value, int))


def texts(message: bytes, number: int) -> Iterator[str]:
    """The values of a string field."""
    return (value.decode(errors="replace") for value in _messages(message, number))


def submessage(message: bytes, number: int) -> bytes:
    """The first value of a message field, b'' if there is none."""
    return next(_messages(message, number), b"")


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of varint and length-prefixed fields; ends silently where the message is broken or has other fields."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value, at = _varint(message, at)
        if tag & 7 == 0:
            yield tag >> 3, value
        elif tag & 7 == 2 and value <= len(message) - at:
            yield tag >> 3, message[at : at + value]
            at += value
        else:
            return


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            break
    return value, at
