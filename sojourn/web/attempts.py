"""How often wrong credentials may be presented: guessing takes longer than anybody lives, and a slip of the finger costs nothing."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from sojourn.web.serving import Scope

AT_ONCE: Final = 10
"""Wrong ones in a row."""
EVERY: Final = 6.0
"""Seconds after which one more is allowed."""
_MOST: Final = 10_000
"""Who is remembered, the latest: a few MB."""


class Attempts:
    """Wrong attempts, by whoever makes them. A bucket for each: it is full again after a minute."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait(self, who: str) -> int:
        """Seconds until they may try again, 0 for at once."""
        spent = self._full_at.get(who, 0.0) - self._now()
        return max(0, math.ceil(spent - (AT_ONCE - 1) * EVERY))

    def failed(self, who: str) -> None:
        now = self._now()
        self._full_at[who] = max(self._full_at.get(who, 0.0), now) + EVERY
        self._full_at.move_to_end(who)
        while len(self._full_at) > _MOST:
            self._full_at.popitem(last=False)


def address(scope: Scope) -> str:
    """Where a request comes from; of IPv6 the network, since one machine has as many addresses as it likes."""
    client = scope.get("client")
    try:
        found = ipaddress.ip_address(str(client[0]).partition("%")[0] if client else "")
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False).network_address)
    return str(found)


def user(authorization: bytes) -> str | None:
    """The name in front of a password; None for what is no password: nobody guesses a token."""
    scheme, _, told = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return base64.b64decode(told, validate=True).partition(b":")[0][:256].decode("utf-8", "replace")
    except binascii.Error:
        return ""
