"""`bearer` and `basic`: whom a credential stands for, and what they may do."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sojourn.component import Authenticator, Component, Service
from sojourn.config.types import Secret
from sojourn.errors import ConfigError
from sojourn.extensions.watching import watching

if TYPE_CHECKING:
    from sojourn import _native

Known = tuple[bytes, str, list[str]]
"""SHA-256 of a credential, its tenant, its scopes."""
_HASHED = re.compile(r"sha256:([0-9a-fA-F]{64})")
_LARGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Open:
    """An authenticator that runs."""

    keyring: _native.Keyring


class Credential(Component):
    """Whom a credential stands for."""

    tenant: str = Field(default="", max_length=256)
    """Whose data it writes and reads; nobody reads or changes another tenant's. Empty for the one without a name."""
    scopes: tuple[Literal["write", "read", "admin"], ...] = Field(default=("write", "read"), min_length=1)
    """What it may do: `write` sends data, `read` sees it on the page and over the API, both together rename, end and delete sessions;
    `admin` does all of that, asks SQL (which sees every tenant) and rebuilds."""

    @field_validator("tenant")
    @classmethod
    def _printable(cls, value: str) -> str:
        if not value.isprintable():
            raise PydanticCustomError("tenant", "has characters that cannot be printed")
        return value


class Token(Credential):
    """One token, or several in a file."""

    token: Secret | None = None
    """The token itself, such as `${env:SHOP_TOKEN}`, or `sha256:` and the 64 hex digits of its digest."""
    token_file: Path | None = None
    """File with one token or digest per line, so that a new one can come before the old one goes. Lines that begin with # are skipped."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Token:
        if (self.token is None) == (self.token_file is None):
            raise PydanticCustomError("token", "give either token or token_file")
        return self

    def known(self) -> Iterator[Known]:
        for token in [self.token.reveal()] if self.token else _lines(self.token_file):
            yield _digest(token, ""), self.tenant, list(self.scopes)


class User(Credential):
    """One user."""

    username: str = Field(min_length=1, pattern="^[^:]*$")
    """The user's name."""
    password: Secret | None = None
    """The password itself, such as `${env:ANN_PASSWORD}`."""
    password_file: Path | None = None
    """File with one password per line. Lines that begin with # are skipped."""

    @model_validator(mode="after")
    def _one_of_both(self) -> User:
        if (self.password is None) == (self.password_file is None):
            raise PydanticCustomError("password", "give either password or password_file")
        return self

    def known(self) -> Iterator[Known]:
        for password in [self.password.reveal()] if self.password else _lines(self.password_file):
            yield _digest(password, f"{self.username}:"), self.tenant, list(self.scopes)


class Bearer(Authenticator):
    """Knows callers by tokens: `Authorization: Bearer TOKEN`. Files are read again when they change."""

    credentials: tuple[Token, ...] = Field(min_length=1)
    """The tokens that are known."""

    @contextmanager
    def open(self, service: Service) -> Iterator[Open]:
        with _opened("bearer", self.credentials, tuple(each.token_file for each in self.credentials if each.token_file)) as opened:
            yield opened


class Basic(Authenticator):
    """Knows callers by name and password: `Authorization: Basic …`. Files are read again when they change."""

    credentials: tuple[User, ...] = Field(min_length=1)
    """The users that are known."""

    @contextmanager
    def open(self, service: Service) -> Iterator[Open]:
        with _opened("basic", self.credentials, tuple(each.password_file for each in self.credentials if each.password_file)) as opened:
            yield opened


@contextmanager
def _opened(scheme: str, credentials: tuple[Token, ...] | tuple[User, ...], files: tuple[Path, ...]) -> Iterator[Open]:
    from sojourn import _native

    keyring = _native.Keyring(scheme)

    def read() -> None:
        known = [each for credential in credentials for each in credential.known()]
        whose: dict[bytes, str] = {}
        for digest, tenant, _ in known:
            if whose.setdefault(digest, tenant) != tenant:
                raise ConfigError(f"credentials: one stands for two tenants, {whose[digest]!r} and {tenant!r}: give each its own")
        keyring.replace(known)

    read()
    with watching(scheme, files, read):
        yield Open(keyring)


def _lines(file: Path | None) -> list[str]:
    assert file is not None
    try:
        with file.open(encoding="utf-8") as text:
            lines = [line.strip() for line in text.read(_LARGEST).splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"credentials: {file} cannot be read: {error}: check the path and who may read it") from error
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ConfigError(f"credentials: {file} holds nothing: write one credential per line")
    return found


def _digest(secret: str, user: str) -> bytes:
    """A credential that is empty would let in whoever presents nothing."""
    if not secret:
        raise ConfigError("credentials: an empty credential would be anybody's: is its environment variable set?")
    hashed = None if user else _HASHED.fullmatch(secret)
    return bytes.fromhex(hashed[1]) if hashed else hashlib.sha256(f"{user}{secret}".encode()).digest()
