"""Which database an `endpoint` names: `chdb://` in the data directory, `chdb:///a/path`, or a server by `clickhouse://` or `http(s)://`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from sojourn.errors import ConfigError

_NATIVE_PORTS: Final = {9000: 8123, 9440: 8443}
_OPTIONS: Final = {
    "secure": bool,
    "verify": bool,
    "ca_cert": str,
    "client_cert": str,
    "client_cert_key": str,
    "server_host_name": str,
    "proxy_path": str,
    "connect_timeout": int,
}
"""What may stand behind the `?`: what clickhouse-connect calls it, and its type."""


@dataclass(frozen=True, slots=True)
class Address:
    """One database: a directory of the embedded engine, or a server."""

    database: str
    path: Path | None = None
    """Directory of the embedded engine; None for a server."""
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def embedded(self) -> bool:
        return self.path is not None

    def __str__(self) -> str:
        """Without the password."""
        if self.path is not None:
            return f"chdb://{self.path}"
        return f"{'https' if self.options.get('secure') else 'http'}://{self.host}:{self.port}"


def parse(endpoint: str, *, database: str = "otel", username: str = "", password: str = "", data_dir: Path | None = None) -> Address:
    """What stands in the endpoint wins over the keys beside it. Raises ConfigError."""
    try:
        url = urlsplit(endpoint)
        port = url.port
    except ValueError as error:
        raise ConfigError(f"endpoint: not an address ({error}): write clickhouse://host:8123 or chdb://") from None
    if url.scheme == "chdb":
        return Address(database, path=_directory(url, data_dir))
    if url.scheme not in ("clickhouse", "http", "https"):
        advice = "write clickhouse://host:8123 (the HTTP port), https://host:8443 or chdb://"
        raise ConfigError(f"endpoint: {url.scheme}://: not a protocol that is spoken here: {advice}")
    if not url.hostname:
        raise ConfigError("endpoint: names no host: write clickhouse://host:8123")
    options = _options(url)
    options.setdefault("secure", url.scheme == "https")
    if port in _NATIVE_PORTS:
        raise ConfigError(f"endpoint: port {port} speaks the native protocol: use the HTTP port, usually {_NATIVE_PORTS[port]}")
    return Address(
        unquote(url.path.strip("/")) or database,
        host=url.hostname,
        port=port or (8443 if options["secure"] else 8123),
        username=unquote(url.username or "") or username,
        password=unquote(url.password or "") or password,
        options=options,
    )


def _directory(url: SplitResult, data_dir: Path | None) -> Path:
    if url.netloc or url.query:
        raise ConfigError("endpoint: chdb:// takes nothing but an absolute path: write chdb:// or chdb:///var/lib/sojourn/db")
    if url.path.strip("/"):
        return Path(unquote(url.path)).resolve()
    if data_dir is None:
        raise ConfigError("endpoint: chdb:// needs a directory: set service::data_dir, or write chdb:///an/absolute/path")
    return data_dir.resolve() / "db"


def _options(url: SplitResult) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise ConfigError(f"endpoint: {name}: unknown option: there are {', '.join(_OPTIONS)}")
        try:
            options[name] = _flag(value) if _OPTIONS[name] is bool else _OPTIONS[name](value)
        except ValueError:
            raise ConfigError(f"endpoint: {name}: {value!r} is not a {_OPTIONS[name].__name__}") from None
    return options


def _flag(value: str) -> bool:
    known = {"true": True, "1": True, "": True, "false": False, "0": False}
    if value.lower() not in known:
        raise ValueError(value)
    return known[value.lower()]
