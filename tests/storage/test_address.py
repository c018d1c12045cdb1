"""Which database an endpoint names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.errors import ConfigError
from sojourn.storage.address import parse


def test_embedded() -> None:
    """In the data directory, or where the endpoint says."""
    assert parse("chdb://", data_dir=Path("/data")).path == Path("/data/db")
    assert parse("chdb:///var/lib/x y", data_dir=Path("/data")).path == Path("/var/lib/x y")
    assert str(parse("chdb:///var/lib/x")) == "chdb:///var/lib/x"


def test_server() -> None:
    """What stands in the endpoint wins over the keys beside it, and is never printed with the password."""
    address = parse("clickhouse://me:p%40ss@db.example:8124/shop?secure=true&verify=false", database="otel", username="you", password="x")
    assert (address.host, address.port, address.database) == ("db.example", 8124, "shop")
    assert (address.username, address.password, dict(address.options)) == ("me", "p@ss", {"secure": True, "verify": False})
    assert str(address) == "https://db.example:8124"
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    ("endpoint", "port", "secure"),
    [
        ("clickhouse://h", 8123, False),
        ("clickhouse://h?secure=true", 8443, True),
        ("http://h", 8123, False),
        ("https://h", 8443, True),
        ("https://h:444/x", 444, True),
        ("clickhouse://[::1]:8123", 8123, False),
    ],
)
def test_ports(endpoint: str, port: int, secure: bool) -> None:
    """The ports that a server has by default."""
    address = parse(endpoint)
    assert (address.port, address.options["secure"]) == (port, secure)


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("chdb://", "service::data_dir"),
        ("chdb://db", "absolute path"),
        ("chdb:///db?x=1", "absolute path"),
        ("tcp://h:9000", "not a protocol"),
        ("clickhouse://h:9000", "native protocol: use the HTTP port, usually 8123"),
        ("clickhouse://h:9440", "usually 8443"),
        ("clickhouse:///otel", "names no host"),
        ("clickhouse://h?dial_timeout=5s", "dial_timeout: unknown option"),
        ("clickhouse://h?secure=maybe", "secure: 'maybe'"),
        ("clickhouse://h:99999", "not an address"),
    ],
)
def test_mistakes_are_told(endpoint: str, message: str) -> None:
    """With what to write instead."""
    with pytest.raises(ConfigError, match=message):
        parse(endpoint)
