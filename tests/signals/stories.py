"""Situations in which log records and metrics tell what spans tell too, or alone: what is sent, and what the sessions must be.

A story has steps: after each, all sessions that it names look as it says. Columns that are not named are not looked at. `None` says that
there is no such session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sojourn.testing import Span, at, span
from tests.signals.agents import (
    CLAUDE_CODE_TOTALS,
    CODEX_TOTALS,
    ClaudeCode,
    claude_code_session,
    codex_conversation,
)
from tests.signals.telling import Log, Point, Told, log

Rows = Mapping[str, Mapping[str, Any] | None]
DETAILS = "gen_ai.client.inference.operation.details"


@dataclass(frozen=True)
class Step:
    told: Sequence[Told]
    sessions: Rows
    """By session id."""
    segments: Mapping[str, Sequence[Mapping[str, Any]]] | None = None


STORIES: dict[str, list[Step]] = {}
NOW = "12:00"
"""When all of it arrives."""


def usage(tokens: tuple[int, int], **more: Any) -> dict[str, Any]:
    counts = {"gen_ai.usage.input_tokens": tokens[0], "gen_ai.usage.output_tokens": tokens[1]}
    return {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", **counts, **more}


def said(which: str, text: str) -> dict[str, Any]:
    return {f"{which}.value": text}


def asked(trace: str, time: str, session: str | None, **more: Any) -> Span:
    """The request of a user: the root of a trace."""
    return span("ask", trace=trace, id="root", start=at(time), lasts="20s", session=session, **more)


# --- command-line agents

STORIES["claude code tells a session in logs and metrics"] = [Step(claude_code_session(), {"cc-1": CLAUDE_CODE_TOTALS})]
STORIES["codex tells a conversation in logs"] = [Step(codex_conversation(), {"0199-codex": CODEX_TOTALS})]

_agent = ClaudeCode("cc-2")
STORIES["metrics of an agent alone make no session"] = [Step([*_agent.tokens_counted("09:00", input=50, output=5)], {"cc-2": None})]

_agent = ClaudeCode("cc-3")
STORIES["metric and log from one agent count once, whichever comes first"] = [
    Step([*_agent.tokens_counted("09:00:30", input=50, output=5), _agent.cost_counted("09:00:30", 0.25)], {"cc-3": None}),
    Step(
        [_agent.api_request("09:00:10", tokens=(50, 5), cost="0.25")],
        {"cc-3": {"LlmCalls": 1, "InputTokens": 50, "OutputTokens": 5, "CostPico": 250_000_000_000, "LogRecords": 1}},
    ),
]

_root = span(
    "claude_code.interaction", trace="cc-4", start=at("09:00"), lasts="30s", service="claude-code", attributes={"session.id": "cc-4"}
)
_requests = [
    span(
        "claude_code.llm_request", trace="cc-4", id=f"request {n}", parent=_root, start=at(f"09:00:{10 * n:02}"), lasts="5s",
        service="claude-code", attributes={"span.type": "llm_request", "model": "claude-4", "input_tokens": 10 * n, "output_tokens": 3},
    )
    for n in (1, 2)
]  # fmt: skip
_agent = ClaudeCode("cc-4", names=_root)
STORIES["an agent with traces: its records name the interaction, and count instead of its spans"] = [
    Step([_root, *_requests], {"cc-4": {"Traces": 1, "LlmCalls": 2, "InputTokens": 30, "OutputTokens": 6, "Turns": 1, "LogRecords": 0}}),
    Step(
        [
            _agent.prompt("09:00:01", "Hi"),
            _agent.api_request("09:00:14", tokens=(10, 3), cache=(100, 0), cost="0.5"),
            _agent.api_request("09:00:24", tokens=(20, 3), cost="0.25"),
        ],
        {
            "cc-4": {
                "Traces": 1, "LlmCalls": 2, "InputTokens": 130, "OutputTokens": 6, "CacheReadTokens": 100, "CostPico": 750_000_000_000,
                "Turns": 1, "TurnP50Ns": 29 * 10**9, "FirstInput": "Hi", "LogRecords": 3, "Start": at("09:00"), "End": at("09:00:30"),
            }
        },
    ),
]  # fmt: skip

_call = span(
    "llm_call", trace="gem-1", start=at("09:00:10"), lasts="2s", service="gemini-cli",
    attributes={
        "gen_ai.conversation.id": "gem-1", "gen_ai.operation.name": "llm_call",
        "gen_ai.usage.input_tokens": 800, "gen_ai.usage.output_tokens": 4,
    },
)  # fmt: skip
_counts = {
    "input_token_count": 800,
    "output_token_count": 4,
    "thoughts_token_count": 27,
    "total_token_count": 831,
    "cached_content_token_count": 0,
}
STORIES["calls told without a trace id count instead of the spans of their service, and of no other"] = [
    Step([_call], {"gem-1": {"LlmCalls": 1, "InputTokens": 800, "OutputTokens": 4, "ReasoningTokens": 0}}),
    Step(
        [
            log("gemini_cli.api_response", "09:00:12", "gem-1", service="gemini-cli", attributes={"model": "gemini-2.5-flash", **_counts}),
            log(DETAILS, "09:00:12", "gem-1", service="gemini-cli", attributes=usage((800, 4))),  # the same once more
            span("chat", trace="gem-1b", start=at("09:01"), session="gem-1", service="other", tokens=(10, 1)),
        ],
        {"gem-1": {"LlmCalls": 2, "InputTokens": 810, "OutputTokens": 32, "ReasoningTokens": 27, "Traces": 2, "LogRecords": 2}},
    ),
]

STORIES["generic events without a trace id are calls as well"] = [
    Step(
        [
            span("chat", trace="gen-1", start=at("09:00"), session="gen-1", tokens=(10, 1)),
            log(DETAILS, "09:00:01", "gen-1", attributes=usage((10, 1))),
            log(DETAILS, "09:00:05", "gen-1", attributes=usage((20, 2))),
        ],
        {"gen-1": {"LlmCalls": 2, "InputTokens": 30, "OutputTokens": 3}},
    )
]

_tool = span(
    "execute_tool ls",
    trace="tool-1",
    start=at("09:00:10"),
    service="gemini-cli",
    attributes={"session.id": "tool-1", "gen_ai.tool.name": "ls"},
)
STORIES["tools told in records count once, and their names stay"] = [
    Step([_tool], {"tool-1": {"ToolCalls": 1, "Tools": ["ls"]}}),
    Step(
        [log("gemini_cli.tool_call", "09:00:11", service="gemini-cli", names=_tool, attributes={"function_name": "list_directory"})],
        {"tool-1": {"ToolCalls": 1, "Tools": ["list_directory", "ls"], "LogRecords": 1}},
    ),
]

# --- one call told by a span and a record

_root = asked("call-1", "09:00", "call-1")
_chat = span("chat", trace="call-1", id="chat", parent=_root, start=at("09:00:05"), tokens=(100, 20))
_copy = log(DETAILS, "09:00:06", names=_chat, attributes=usage((100, 20), **{"gen_ai.usage.reasoning.output_tokens": 7, "user.id": "u-1"}))
STORIES["a span and a record tell one call: what only the record knows is taken"] = [
    Step([_root, _chat], {"call-1": {"LlmCalls": 1, "InputTokens": 100, "OutputTokens": 20, "ReasoningTokens": 0, "Flags": []}}),
    Step(
        [_copy],
        {
            "call-1": {
                "LlmCalls": 1, "InputTokens": 100, "OutputTokens": 20, "ReasoningTokens": 7, "UserId": "u-1", "Flags": ["told_twice"],
                "LogRecords": 1,
            }
        },
    ),
]  # fmt: skip

_root = asked("call-2", "09:00", "call-2")
_chat = span("chat", trace="call-2", id="chat", parent=_root, start=at("09:00:05"), tokens=(100, 20))
STORIES["a record names a span that comes later: a call of its own until then"] = [
    Step(
        [log(DETAILS, "09:00:06", "call-2", names=_chat, attributes=usage((100, 20)))],
        {
            "call-2": {
                "LlmCalls": 1, "InputTokens": 100, "Traces": 0, "Spans": 0, "Turns": 0, "LogRecords": 1, "Name": "",
                "Start": at("09:00:06"), "End": at("09:00:06"),
            }
        },
    ),
    Step([_root], {"call-2": {"LlmCalls": 1, "InputTokens": 100, "Traces": 1, "Spans": 1, "Name": "ask", "Start": at("09:00")}}),
    Step([_chat], {"call-2": {"LlmCalls": 1, "InputTokens": 100, "OutputTokens": 20, "Traces": 1, "Spans": 2}}),
]  # fmt: skip

_root = asked("call-3", "09:00", "call-3")
_answered = {"gen_ai.response.id": "resp-1"}
_chat = span("chat", trace="call-3", id="chat", parent=_root, start=at("09:00:05"), tokens=(100, 20), attributes=_answered)
STORIES["a record with the response id tells the same call, whatever span it names"] = [
    Step(
        [_root, log(DETAILS, "09:00:06", names=_root, attributes=usage((100, 20), **_answered))],
        {"call-3": {"LlmCalls": 1, "InputTokens": 100}},
    ),
    Step([_chat], {"call-3": {"LlmCalls": 1, "InputTokens": 100, "OutputTokens": 20, "Flags": ["told_twice"]}}),
]

_silent = span("chat", trace="call-4", start=at("09:00:05"), session="call-4", attributes={"gen_ai.operation.name": "chat"})
STORIES["a span that says nothing of usage has the figures of the record that names it"] = [
    Step([_silent], {"call-4": {"LlmCalls": 1, "InputTokens": 0}}),
    Step([log(DETAILS, "09:00:06", names=_silent, attributes=usage((100, 20)))], {"call-4": {"LlmCalls": 1, "InputTokens": 100}}),
]

# --- binding

_root, _late = (
    asked("late-1", "09:00", None),
    span("work", trace="late-1", id="work", parent="root", start=at("09:00:03"), session="late-1"),
)
_records = [
    log("", "09:00:04", names=_root, severity=17),
    log("", "09:00:05", names=_root, resource={"session.id": "late-1-resource"}),
    log("", "09:00:06", "late-1-own", names=_root),
    log("", "09:00:07"),
]
STORIES["records go by their own id, else with their trace, also late, and by their resource last"] = [
    Step(
        [_root, *_records],
        {"late-1": None, "late-1-resource": {"LogRecords": 1, "Traces": 0}, "late-1-own": {"LogRecords": 1, "Traces": 0}},
    ),
    Step(
        [_late],
        {"late-1": {"LogRecords": 2, "LogErrors": 1, "Traces": 1}, "late-1-resource": None, "late-1-own": {"LogRecords": 1, "Traces": 0}},
    ),
]

STORIES["log records alone make a session"] = [
    Step(
        [
            log("", "09:00:10", "only-1", body="started"),
            log("", "09:00:50", "only-1", severity=17, body="failed"),
            log("", "09:01:10", "only-1", attributes={"error.type": "Timeout", "user.id": "u-2"}),
            log("claude_code.api_error", "09:01:20", "only-1"),
            log("", "09:01:30", "only-1", service="desk"),
            log("", "09:01:50", "only-1", service="desk", attributes={"success": "false"}),
        ],
        {
            "only-1": {
                "Traces": 0, "Turns": 0, "Spans": 0, "Errors": 0, "LogRecords": 6, "LogErrors": 3, "UserId": "u-2", "Name": "",
                "Services": ["desk", "shop"], "Start": at("09:00:10"), "End": at("09:01:50"), "Status": "ok",
                "ActiveNs": (40 + 10 + 20) * 10**9, "Segments": 1,
            }
        },
    )
]  # fmt: skip

STORIES["a prompt begins a turn that lasts to the last end before the next"] = [
    Step(
        [
            log("gemini_cli.user_prompt", "09:00:00", "turns-1", attributes={"prompt": "one"}),
            span("call", trace="turns-1a", start=at("09:00:01"), lasts="9s", session="turns-1", error="no", attributes=said("input", "x")),
            span("call", trace="turns-1b", start=at("09:00:12"), lasts="4s", session="turns-1", attributes=said("output", "done")),
            log("gemini_cli.user_prompt", "09:01:00", "turns-1", attributes={"prompt": "two"}),
            span("chat", trace="turns-1c", start=at("09:01:05"), session="turns-1", tokens=(5, 5), attributes=said("output", "bye")),
        ],
        {
            "turns-1": {
                "Turns": 2, "Traces": 3, "TurnP50Ns": 6 * 10**9, "TurnP95Ns": 16 * 10**9, "Status": "error",
                "FirstInput": "one", "LastOutput": "bye",
            }
        },
    )
]  # fmt: skip

# --- marks

STORIES["an explicit end by a record, then a trace"] = [
    Step(
        [asked("end-1a", "09:00", "end-1"), log("session.end", "09:05", "end-1")],
        {"end-1": {"State": "ended", "EndReason": "explicit", "Segments": 1, "LogRecords": 0, "End": at("09:00:20")}},
    ),
    Step(
        [asked("end-1b", "11:58", "end-1"), asked("end-1c", "09:04:59", "end-1")],
        {"end-1": {"State": "active", "EndReason": "", "Segments": 2, "Traces": 3, "Flags": ["activity_after_end"]}},
        {"end-1": [{"EndReason": "explicit", "Traces": 2, "Flags": []}, {"EndReason": "", "Traces": 1, "Flags": ["activity_after_end"]}]},
    ),
]

STORIES["a session that goes on as another is ended by it"] = [
    Step(
        [
            asked("next-1a", "11:50", "next-1"),
            asked("next-1b", "11:52", "next-2"),
            log("session.start", "11:51:30", "next-2", attributes={"session.previous_id": "next-1"}),
        ],
        {
            "next-1": {"State": "ended", "EndReason": "continued", "Segments": 1},
            "next-2": {"EndReason": "", "Segments": 1, "LogRecords": 0, "Start": at("11:52")},
        },
    )
]

STORIES["marks on spans and in span events"] = [
    Step(
        [
            asked("mark-1", "11:50", "mark-1", attributes={"session.end": True}),
            asked("mark-2", "11:50", "mark-2", events=[("session.end", at("11:50:10"), {})]),
            asked("mark-3", "11:50", "mark-3"),
            asked("mark-4", "11:51", "mark-4", events=[("session.start", at("11:51"), {"session.previous_id": "mark-3"})]),
            asked("mark-5", "11:50", "mark-5", attributes={"session.end": "false"}),
        ],
        {
            "mark-1": {"State": "ended", "EndReason": "explicit"},
            "mark-2": {"State": "ended", "EndReason": "explicit"},
            "mark-3": {"State": "ended", "EndReason": "continued"},
            "mark-4": {"EndReason": ""},
            "mark-5": {"EndReason": ""},
        },
    )
]

STORIES["marks that change nothing"] = [
    Step(
        [
            log("session.start", "11:50", "idle-1"),  # a mark alone is no session
            asked("idle-2", "11:55", "idle-2"),
            log("session.end", "11:54", "idle-2"),  # nothing had begun
            log("session.end", "11:56", "idle-2", scope="sojourn"),  # our own end, come back
            asked("idle-3", "09:00", "idle-3"),
            log("session.end", "09:40", "idle-3"),  # silence had ended it ten minutes before
            asked("idle-3b", "09:50", "idle-3"),
            asked("idle-4", "11:55", "idle-4"),
            log("session.start", "11:56", "idle-4", attributes={"session.previous_id": "idle-4"}),  # it continues itself
        ],
        {
            "idle-1": None,
            "idle-2": {"EndReason": "", "Segments": 1, "LogRecords": 0, "Flags": []},
            "idle-3": {"Segments": 2, "Flags": []},
            "idle-4": {"EndReason": "", "Segments": 1},
        },
        {"idle-3": [{"EndReason": "idle_timeout"}, {"EndReason": ""}]},
    )
]

__all__ = ["NOW", "STORIES", "Log", "Point", "Rows", "Step"]
