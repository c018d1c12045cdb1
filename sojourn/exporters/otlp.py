"""The `otlp` exporter: sends requests on to another OTLP endpoint over gRPC, byte for byte but for what processors changed."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sojourn.component import Batch, Component, Exporter, Host, Raw
from sojourn.config.types import Duration, Secret, Size
from sojourn.errors import Rejected, SojournError, Unavailable
from sojourn.exporters.retrying import Backoff, Retry, may_pass, numbers, submessage, texts, told_delay

if TYPE_CHECKING:
    import grpc

_METHODS: Final = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_MAX_ANSWER: Final = 4 * 1024 * 1024
"""OTLP specification: the recommended limit for responses."""

log = logging.getLogger(__name__)

Part = tuple[bytes, ...]
"""Requests that are sent as one: repeated fields of protobuf messages that are put one behind the other add up."""


class Tls(Component):
    """How the connection is secured."""

    insecure: bool = False
    """Send in plain text, without TLS."""
    ca_file: Path | None = None
    """Certificates of the authorities to trust, PEM; without it those that grpc brings along."""
    cert_file: Path | None = None
    """Certificate of this client, PEM, for servers that ask for one."""
    key_file: Path | None = None
    """Private key of this client, PEM."""

    @model_validator(mode="after")
    def _pair(self) -> Tls:
        if (self.cert_file is None) != (self.key_file is None):
            raise PydanticCustomError("tls", "cert_file and key_file belong together: set both or none")
        return self


class Otlp(Exporter):
    """Sends on to another collector, byte for byte; only what processors changed is written anew."""

    raw: ClassVar[bool] = True

    endpoint: str
    """host:port of the other side, or a URL: `http://` sends in plain text, `https://` with TLS."""
    tls: Tls = Tls()
    """How the connection is secured."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Sent with every request, for example `authorization`."""
    compression: Literal["gzip", "none"] = "gzip"
    """How requests are compressed."""
    timeout: Duration = 5.0
    """How long one attempt may take."""
    retry_on_failure: Retry = Retry()
    """How data that the other side cannot take now is sent again."""
    max_request_size: Size = Field(default=3 * 1024 * 1024, gt=0)
    """Small requests are joined up to this size. Many servers take at most 4 MiB; a larger request goes alone."""
    in_flight: int = Field(default=10, gt=0, le=1000)
    """How many requests may wait for their answers at a time."""

    @field_validator("endpoint")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = _without_scheme(value).rpartition(":")
        if not host or "/" in host or not port.isdecimal() or int(port) > 65535:
            raise PydanticCustomError("endpoint", "is not host:port: write for example gateway:4317")
        return value

    @field_validator("headers")
    @classmethod
    def _lower_case(cls, value: dict[str, Secret]) -> dict[str, Secret]:
        return {name.lower(): secret for name, secret in value.items()}

    def open(self, host: Host) -> AbstractContextManager[Forwarding]:
        return _open(self)

    @property
    def plain(self) -> bool:
        """Whether to send without TLS. A URL's scheme goes before `tls.insecure`."""
        return self.endpoint.startswith("http://") or (self.tls.insecure and not self.endpoint.startswith("https://"))


def _without_scheme(endpoint: str) -> str:
    return endpoint.removeprefix("http://").removeprefix("https://").rstrip("/")


@contextmanager
def _open(description: Otlp) -> Iterator[Forwarding]:
    import grpc

    target = _without_scheme(description.endpoint)
    options = [("grpc.max_receive_message_length", _MAX_ANSWER)]
    compression = grpc.Compression.Gzip if description.compression == "gzip" else grpc.Compression.NoCompression
    if description.plain:
        channel = grpc.insecure_channel(target, options, compression)
    else:
        channel = grpc.secure_channel(target, _credentials(description.tls), options, compression)
    with channel:
        yield Forwarding(description, channel)


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    import grpc

    def read(path: Path | None) -> bytes | None:
        try:
            return None if path is None else path.read_bytes()
        except OSError as error:
            raise SojournError(f"tls: {path}: cannot be read: {error.strerror}: check the path and who may read it") from error

    return grpc.ssl_channel_credentials(read(tls.ca_file), read(tls.key_file), read(tls.cert_file))


class Forwarding:
    """A connection over which requests are sent on. While a group is tried again, what of it was taken is not sent twice."""

    def __init__(self, description: Otlp, channel: grpc.Channel) -> None:
        self._description = description
        self._headers = tuple((name, secret.reveal()) for name, secret in description.headers.items())
        self._calls = {signal: channel.unary_unary(method) for signal, method in _METHODS.items()}
        self._group: Batch | Raw | None = None
        self._left: list[Part] = []
        self._refused: list[str] = []
        self._backoff = Backoff(description.retry_on_failure)
        self._rejected_items = 0

    def export(self, batch: Batch | Raw) -> None:
        """Raises Unavailable while something of the group may still be taken, then Rejected if something never will."""
        if not isinstance(batch, Raw):
            raise TypeError("the otlp exporter sends requests, not rows")
        if batch is not self._group:
            self._group, self._left, self._refused = batch, list(join(batch.requests, self._description.max_request_size)), []
            self._backoff = Backoff(self._description.retry_on_failure)
        if (asked := self._backoff.asked()) > 0:
            raise Unavailable(f"{self._description.endpoint}: asked for time", asked)
        self._left, errors = self._send(batch.signal, self._left)
        if errors:
            self._wait_or_give_up(errors)
        self._group = None
        if self._refused:
            message = f"{len(self._refused)} of {len(batch.requests)} requests were refused, the others were sent on: {self._refused[0]}"
            raise Rejected(f"{self._description.endpoint}: {message}")

    def meters(self) -> dict[str, float]:
        return {"sojourn_exporter_rejected_items_total": self._rejected_items}

    def _wait_or_give_up(self, errors: list[grpc.RpcError]) -> None:
        told = max(told_delay(error) or 0.0 for error in errors)
        wait = self._backoff.wait(told)
        if wait is not None:
            raise Unavailable(f"{self._description.endpoint}: {_words(errors[0])}", wait)
        self._refused += [f"given up: {_words(errors[0])}"] * sum(map(len, self._left))
        self._left = []

    def _send(self, signal: str, parts: list[Part]) -> tuple[list[Part], list[grpc.RpcError]]:
        """Send all. What was refused for good is sent again request by request, so that only the bad ones are lost.

        Gives what may be taken later, and why it was not.
        """
        later: list[Part] = []
        errors: list[grpc.RpcError] = []
        while parts:
            failed, parts = list(self._failures(signal, parts)), []
            for part, error in failed:
                if may_pass(error):
                    later.append(part)
                    errors.append(error)
                elif len(part) > 1:
                    parts += [(body,) for body in part]
                else:
                    self._refused.append(_words(error))
        return later, errors

    def _failures(self, signal: str, parts: Iterable[Part]) -> Iterator[tuple[Part, grpc.RpcError]]:
        """Send the parts, at most `in_flight` at a time; gives those that failed."""
        import grpc

        description, call, rest = self._description, self._calls[signal], iter(parts)
        open_: deque[tuple[Part, grpc.Future]] = deque()
        while True:
            for part in islice(rest, description.in_flight - len(open_)):
                body = part[0] if len(part) == 1 else b"".join(part)
                open_.append((part, call.future(body, timeout=description.timeout, metadata=self._headers)))
            if not open_:
                return
            part, answer = open_.popleft()
            try:
                self._read(signal, answer.result())
            except grpc.RpcError as error:
                yield part, error

    def _read(self, signal: str, answer: bytes) -> None:
        """A partial success is not sent again (OTLP specification), but it is not kept quiet about."""
        partial = submessage(answer, 1)
        rejected, message = next(numbers(partial, 1), 0), next(texts(partial, 2), "")
        if rejected and not self._rejected_items:
            log.error("otlp: %s: rejected %d %s: %s; more of it is only counted", self._description.endpoint, rejected, signal, message)
        self._rejected_items += rejected


def _words(error: grpc.RpcError) -> str:
    return f"{error.code().name}: {error.details()}"


def join(requests: Iterable[bytes], size: int) -> Iterator[Part]:
    """Neighbours together, as long as they have at most `size` bytes."""
    part: list[bytes] = []
    held = 0
    for body in requests:
        if part and held + len(body) > size:
            yield tuple(part)
            part, held = [], 0
        part.append(body)
        held += len(body)
    if part:
        yield tuple(part)
