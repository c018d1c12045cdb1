"""What log records tell by the names of their events: data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Record(NamedTuple):
    """What log records of one event tell."""

    kind: str = "span"
    """llm or tool: the record tells a call. One of a model needs usage; without it, it tells none."""
    flag: str = ""
    """A bit of `schema.FLAGS`: prompt, session_start, session_end or error."""
    only: Mapping[str, tuple[str, ...]] = {}
    """Attribute → values: if there are any, one must be there."""
    beside: tuple[str, ...] = ()
    """Parts that the figures leave out: `cached` of the input, `thoughts` of the output."""


_COMPLETED = ("response.completed",)

RECORDS: dict[str, Record] = {
    "gemini_cli.api_response": Record("llm", beside=("thoughts",)),
    "claude_code.api_request": Record("llm", beside=("cached",)),
    "codex.sse_event": Record("llm", only={"event.kind": _COMPLETED, "kind": _COMPLETED}),
    "gemini_cli.tool_call": Record("tool"),
    "claude_code.tool_result": Record("tool"),
    "codex.tool_result": Record("tool"),
    **{f"{agent}.user_prompt": Record(flag="prompt") for agent in ("claude_code", "codex", "gemini_cli")},
    **{f"{agent}.api_error": Record(flag="error") for agent in ("claude_code", "gemini_cli")},  # they carry no other sign of it
    "session.start": Record(flag="session_start"),
    "session.end": Record(flag="session_end"),
}
"""By event name: the attribute `event.name`, else the record's EventName."""

EVENT_PREFIXES = {"com.anthropic.claude_code": "claude_code."}
"""Scopes that begin so leave the prefix out of the names of their events."""
GENERIC_CALLS = "gen_ai."
"""Events whose names begin so tell a call of a model, unless their operation is another one. Gemini CLI has them beside its own."""
