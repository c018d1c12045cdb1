"""Durations, sizes, secrets and addresses mean what they say, and read back what they print."""

import pytest
from pydantic import BaseModel, ValidationError

from sojourn.config.types import Duration, Endpoint, Secret, Size, Url, format_duration, format_size, parse_duration, parse_size


class Sample(BaseModel):
    wait: Duration = 1.0
    limit: Size = 1
    token: Secret | None = None
    database: Url | None = None
    endpoint: Endpoint | None = None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 1800),
        ("1h30m", 5400),
        ("300ms", 0.3),
        ("7d", 604800),
        ("1.5s", 1.5),
        ("10us", 1e-5),
        ("5µs", 5e-6),
        (0, 0),
        ("0", 0),
        (0.0, 0),
    ],
)
def test_duration_is_seconds(text: object, seconds: float) -> None:
    """A duration says its unit and becomes seconds."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [30, 1.5, "30", "", "m", "30 m", "-5s", "1h 30m", True, False, None, "1x", "9" * 30 + "s", "1e3s"])
def test_bare_number_is_no_duration(text: object) -> None:
    """A number without a unit is refused, because it would mean seconds to one and milliseconds to another."""
    with pytest.raises(ValidationError, match="is not a duration"):
        Sample(wait=text)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, 0.3, 1, 90, 5400, 86400, 604800, 1.5, 1e-9, 86461.25])
def test_duration_reads_back(seconds: float) -> None:
    """What is printed is read as the same duration."""
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "size"),
    [("64MiB", 64 << 20), ("20MB", 20_000_000), (512, 512), ("512", 512), ("1.5KiB", 1536), ("64 MiB", 64 << 20), ("7B", 7), (0, 0)],
)
def test_size_is_bytes(text: object, size: int) -> None:
    """A size is a number of bytes, with or without a unit."""
    assert parse_size(text) == size
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize("text", [-1, 1.5, True, "64mib", "64 M", "", "MiB", None, "1e9"])
def test_wrong_size_is_refused(text: object) -> None:
    """A unit that could mean two things is refused."""
    with pytest.raises(ValidationError, match="is not a size"):
        Sample(limit=text)  # type: ignore[arg-type]


def test_secret_is_never_printed() -> None:
    """No way of printing a description shows a secret in it."""
    sample = Sample(token="hunter2", database="clickhouse://me:hunter2@host:8443/otel?secure=true&access_token=hunter2")  # type: ignore[arg-type]
    for shown in (repr(sample), str(sample), str(sample.model_dump()), sample.model_dump_json(), f"{sample.token} {sample.database!r}"):
        assert "hunter2" not in shown
    assert sample.token is not None
    assert sample.token.reveal() == "hunter2"
    assert str(sample.database) == "clickhouse://me:<redacted>@host:8443/otel?secure=true&access_token=<redacted>"
    assert sample.database is not None
    assert sample.database.reveal().startswith("clickhouse://me:hunter2@host")


@pytest.mark.parametrize(
    ("text", "host", "port", "bind"),
    [
        (":4317", "", 4317, "0.0.0.0:4317"),
        ("localhost:4317", "localhost", 4317, "127.0.0.1:4317"),
        ("[::1]:4317", "::1", 4317, "[::1]:4317"),
        ("127.0.0.1:0", "127.0.0.1", 0, "127.0.0.1:0"),
        ("my-host.example:65535", "my-host.example", 65535, "my-host.example:65535"),
    ],
)
def test_endpoint_is_host_and_port(text: str, host: str, port: int, bind: str) -> None:
    """An endpoint prints as it was written and knows what to bind."""
    endpoint = Endpoint.parse(text)
    assert (endpoint.host, endpoint.port, endpoint.bind, str(endpoint)) == (host, port, bind, text)


@pytest.mark.parametrize("text", ["4317", "localhost", "localhost:", "host:99999", "::1:4317", "http://host:1", 4317, "a b:1", ""])
def test_wrong_endpoint_is_refused(text: object) -> None:
    """An endpoint without a port, or with a scheme, is refused with an example."""
    with pytest.raises(ValidationError, match="is not host:port"):
        Sample(endpoint=text)  # type: ignore[arg-type]
