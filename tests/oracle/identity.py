"""2.1: which session a span, or a log record, names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from tests.oracle import keys
from tests.oracle.facts import Fact
from tests.oracle.values import member, valid_text


def _candidates(attributes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in keys.SESSION_ID:
        yield key, member(attributes, key)
    generic = [key for key in attributes if is_generic_id(key)]
    for key in sorted(generic, key=str.encode):
        yield key, attributes[key]


def is_generic_id(key: str) -> bool:
    *above, last = key.split(".")
    below = any(part in ("metadata", "context", "properties", "association") for part in above)
    return last in ("session_id", "sessionId") and below and key not in keys.NEVER_AN_ID


def read_identity(fact: Fact, attributes: dict[str, Any], resource: dict[str, Any]) -> None:
    for key, value in _candidates(attributes):
        if text := valid_text(value):
            fact.session, fact.id_class = text, id_class(key)
            break
    else:
        if text := valid_text(resource.get("session.id")):
            fact.session, fact.id_class = text, 2
    if fact.session != shortened(fact.session):
        fact.session = shortened(fact.session)
        fact.flags.add("truncated_id")


def shortened(session: str) -> str:
    return session if len(session) <= 256 else session[:200] + "~" + hashlib.sha256(session.encode()).hexdigest()[:16]


def id_class(key: str) -> int:
    parts = re.split(r"[.>]", key)
    return 0 if parts[-1] in ("session_id", "sessionId", "session") or parts[-2:] == ["session", "id"] else 1
