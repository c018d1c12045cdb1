"""What a listening component may be told about who comes in: `auth` and `tls`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sojourn.component import Component, Host
from sojourn.errors import ConfigError

if TYPE_CHECKING:
    from sojourn import _native


class Auth(Component):
    """Who may come in."""

    authenticator: str
    """Id of the extension that knows the credentials, such as `bearer` or `basic/people`."""

    def keyring(self, host: Host) -> _native.Keyring:
        """The credentials. ConfigError if there is no such authenticator."""
        try:
            return host.authenticators[self.authenticator]
        except KeyError:
            known = ", ".join(sorted(host.authenticators)) or "there is none"
            message = f"auth::authenticator: {self.authenticator} is no authenticator among service::extensions: {known}"
            raise ConfigError(message) from None


class ServerTls(Component):
    """TLS on what is listened on. Files that change are read again; connections from then on have what they say."""

    cert_file: Path
    """Certificate in PEM, with those between it and an authority behind it."""
    key_file: Path
    """Its private key in PEM."""
    client_ca_file: Path | None = None
    """Authorities in PEM whose clients are let in: with it every client needs a certificate (mutual TLS)."""
    min_version: Literal["1.2", "1.3"] = "1.2"
    """Oldest version of TLS that is spoken."""

    def files(self) -> tuple[Path, ...]:
        return tuple(file for file in (self.cert_file, self.key_file, self.client_ca_file) if file is not None)

    def settings(self) -> dict[str, object]:
        """What the native server is told."""
        return {
            "cert_file": str(self.cert_file),
            "key_file": str(self.key_file),
            "client_ca_file": str(self.client_ca_file) if self.client_ca_file else None,
            "min_version": self.min_version,
        }
