"""Who asks SQL: clients of ClickHouse present users and passwords in several ways, and a token stands for the password of any user."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from sojourn.web.clickhouse.refusal import Refused

if TYPE_CHECKING:
    from sojourn import _native


def check(keyring: _native.Keyring, headers: Mapping[str, str], query_string: bytes) -> None:
    """Raises Refused for strangers, and for those who may not see every tenant."""
    caller = keyring.identify(_presented(keyring.challenge.startswith("Bearer"), headers, query_string))
    if caller is None:
        raise Refused(516, "AUTHENTICATION_FAILED", "Authentication failed: there is no credential, or it is not known here")
    if "admin" not in caller[1]:
        raise Refused(497, "ACCESS_DENIED", "SQL sees every tenant: only a credential with the scope admin may ask it")


def _presented(bearer: bool, headers: Mapping[str, str], query_string: bytes) -> bytes:
    """The value of the header `Authorization` that says the same."""
    if authorization := headers.get("authorization", ""):
        told = _basic(authorization) if bearer else None
        return authorization.encode("latin-1") if told is None else _as(bearer, *told)
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return _as(bearer, headers.get("x-clickhouse-user", "default"), headers.get("x-clickhouse-key", ""))
    told_so = parse_qs(query_string.decode("latin-1"), keep_blank_values=True) if query_string.count(b"&") < 1000 else {}
    return _as(bearer, told_so.get("user", ["default"])[0], told_so.get("password", [""])[0])


def _basic(authorization: str) -> tuple[str, str] | None:
    """User and password; None if it presents something else."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password


def _as(bearer: bool, user: str, password: str) -> bytes:
    return b"Bearer " + password.encode() if bearer else b"Basic " + base64.b64encode(f"{user}:{password}".encode())
