"""Answers as browsers get them: with the headers that keep scripts, frames and caches out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from starlette.responses import Response

SAFE: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def json_answer(answer: Mapping[str, Any], status: int = 200, **headers: str) -> Response:
    body = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(body, status, SAFE | headers, "application/json")


def page_answer(html: str, status: int = 200) -> Response:
    return Response(html, status, SAFE, "text/html")


def see(address: str) -> Response:
    """Lead a browser there, behind a form."""
    return Response(status_code=303, headers=SAFE | {"location": address})


def with_safety(response: Any, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    for name, value in (SAFE | dict(headers)).items():
        response.headers[name] = value
    return response  # type: ignore[no-any-return]
