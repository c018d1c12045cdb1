"""Errors as ClickHouse tells them: a code, a name, and an HTTP status."""

from __future__ import annotations

import re
from typing import Final

SYNTAX_ERROR: Final = 62
READONLY: Final = 164

_FOUND = re.compile(r"Code: (\d+)\. ")
_BAD_REQUEST: Final = {6, 7, 26, 27, 32, 36, 38, 41, 42, 43, 53, 62, 69, 70, 72, 73, 117, 130, 131, 168, 184, 386, 393, 456, 457, 652}
_NOT_FOUND: Final = {46, 47, 50, 60, 81, 115}
_STATUS: Final = {
    **dict.fromkeys(_BAD_REQUEST, 400),
    **dict.fromkeys(_NOT_FOUND, 404),
    **{READONLY: 403, 497: 403, 516: 401, 48: 501, 159: 408, 160: 408, 202: 503, 223: 413, 307: 413},
}


class Refused(Exception):
    """The query was not done. `str()` is the body of the answer."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message}. ({name})")
        self.code = code

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, 500)


def told(error: Exception) -> Refused:
    """What the engine said, without the layers around it."""
    text = str(error)
    start = text.find("Code: ")
    text = text[start:] if start >= 0 else f"Code: 1001. DB::Exception: {text}. (STD_EXCEPTION)"
    found = _FOUND.match(text)
    refused = Refused(int(found[1]) if found else 1001, "", "")
    refused.args = (text.strip(),)
    return refused
