"""What a preview says to people: many senders write messages as JSON, of which a preview holds the beginning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NamedTuple

from sojourn.web.messages.shapes import Message, said

_TRIES: Final = 8
_ENDS: Final = {"[": "]", "{": "}"}


class Saying(NamedTuple):
    role: str
    """Who says it; `thinking` for a thought."""
    text: str


def saying(preview: str, role: str) -> Saying:
    """Of messages in JSON, whole or cut, what `role` said last; where that is not among them (long instructions stand before it), what
    anybody else did. Any other text as it is.
    """
    if not preview.startswith(("[{", '{"')):
        return Saying(role, preview)
    told = (one for one in _tellings(_messages(preview, role)[::-1], role) if one.text.strip("…"))
    return next(told, Saying(role, preview))


def _tellings(messages: list[Message], role: str) -> Iterator[Saying]:
    """What a preview may be told by, the best first."""
    yield from (Saying(role, _spoken(one)) for one in messages if one["role"] == role)
    yield from (Saying(one["role"], _spoken(one)) for one in messages if one["role"] != role)
    for part in (part for one in messages for part in one["parts"]):
        if part["type"] in ("thinking", "tool_result"):
            yield Saying("thinking" if part["type"] == "thinking" else "tool", part["text"])


def _messages(preview: str, role: str) -> list[Message]:
    whole = _whole(preview)
    return [] if whole is None else said(whole, role)


def _spoken(message: Message) -> str:
    parts = message["parts"]
    texts = [part["text"] for part in parts if part["type"] == "text"] or [
        f"{part['name']}({part['text']})" for part in parts if part["type"] == "tool_call"
    ]
    return "\n".join(texts)


def _whole(text: str) -> str | None:
    """The text if it is JSON, else what of it is, with an end of its own: at most a few tries, from the longest on."""
    for end in [*reversed(list(_ends(text)))][:_TRIES]:
        try:
            json.loads(end, strict=False)
        except (ValueError, RecursionError):
            continue
        return end
    return None


def _ends(text: str) -> Iterator[str]:
    """The text up to each place where something may end, with what is open there closed."""
    open_, quoted, escaped = "", False, False
    for place, sign in enumerate(text):
        if escaped or (quoted and sign not in '"\\'):
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == '"':
            quoted = not quoted
        elif sign in _ENDS:
            open_ = _ENDS[sign] + open_
        elif open_[:1] == sign:
            open_ = open_[1:]
        elif sign == ",":
            yield text[:place] + open_
    if quoted:
        cut = text[:-1] if escaped else text
        at = cut.rfind("\\u")
        yield (cut[:at] if at > len(cut) - 6 else cut) + "…" + '"' + open_
    else:
        yield text + open_
