"""Claude Code and Codex as their telemetry is documented, in words that are built; Codex' own bytes are in `test_codex.py`.

Claude Code writes `event.name` without its prefix, and most numbers and booleans as strings; its input leaves the cache out. Codex writes
its token counts as strings; cached and reasoning tokens are parts of input and output.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sojourn.testing import Value, at
from tests.signals.telling import Log, Point, Told

MODEL = "claude-sonnet-4-5-20250929"


class ClaudeCode:
    """One session in a terminal."""

    def __init__(self, session: str, **more: Any) -> None:
        self.standing: dict[str, Value] = {
            "session.id": session,
            "user.id": "5f1dd3a0c0ffee",  # of the device
            "user.account_uuid": "acc-7",
            "user.email": "dev@example.org",
            "organization.id": "org-1",
            "terminal.type": "vscode",
            "app.version": "2.1.283",
        }
        self.more = more
        self._sequence = 0

    def prompt(self, time: str, text: str) -> Log:
        return self._event("user_prompt", time, {"prompt": text, "prompt_length": str(len(text))})

    def api_request(self, time: str, tokens: tuple[int, int], cache: tuple[int, int] = (0, 0), cost: float | str = "0.01") -> Log:
        """`tokens` are input without cache, and output; `cache` is read and written."""
        counts = {"input_tokens": tokens[0], "output_tokens": tokens[1], "cache_read_tokens": cache[0], "cache_creation_tokens": cache[1]}
        told = {"model": MODEL, "duration_ms": "1830", "cost_usd": cost}
        return self._event("api_request", time, told | {name: str(count) for name, count in counts.items()})

    def api_error(self, time: str) -> Log:
        said: dict[str, Value] = {"model": MODEL, "error": "Overloaded", "status_code": "529", "attempt": "1", "duration_ms": "90"}
        return self._event("api_error", time, said)

    def tool_result(self, time: str, tool: str, success: bool = True) -> Log:
        return self._event("tool_result", time, {"tool_name": tool, "success": str(success).lower(), "duration_ms": "42"})

    def tokens_counted(self, time: str, **counts: int) -> Iterator[Point]:
        """The same tokens once more, as points of claude_code.token.usage by type."""
        for type_, count in counts.items():
            yield self._point("claude_code.token.usage", time, count, {"type": type_})

    def cost_counted(self, time: str, dollars: float) -> Point:
        return self._point("claude_code.cost.usage", time, dollars, {})

    def _event(self, name: str, time: str, said: dict[str, Value]) -> Log:
        self._sequence += 1
        attributes = self.standing | {"event.name": name, "event.timestamp": time, "event.sequence": self._sequence} | said
        scope = "com.anthropic.claude_code.events"
        return Log("", at(time), attributes, service="claude-code", scope=scope, body=f"claude_code.{name}", **self.more)

    def _point(self, metric: str, time: str, value: float, said: dict[str, Value]) -> Point:
        attributes = self.standing | {"model": MODEL} | said
        return Point(metric, at(time), value, attributes, service="claude-code", scope="com.anthropic.claude_code")


class Codex:
    """One conversation."""

    def __init__(self, conversation: str) -> None:
        self.standing: dict[str, Value] = {
            "conversation.id": conversation,
            "user.account_id": "codex-user",
            "user.email": "dev@example.org",
            "auth_mode": "ApiKey",
            "app.version": "0.154.0",
            "model": "gpt-5-codex",
            "slug": "gpt-5-codex",
        }

    def starts(self, time: str) -> Log:
        return self._event("codex.conversation_starts", time, {"provider_name": "OpenAI", "reasoning_effort": "medium"})

    def prompt(self, time: str, text: str) -> Log:
        return self._event("codex.user_prompt", time, {"prompt": text, "prompt_length": str(len(text))})

    def api_request(self, time: str, status: int = 200) -> Log:
        return self._event("codex.api_request", time, {"http.response.status_code": str(status), "attempt": "1", "duration_ms": "310"})

    def created(self, time: str) -> Log:
        return self._event("codex.sse_event", time, {"event.kind": "response.created", "duration_ms": "12"})

    def completed(self, time: str, tokens: tuple[int, int], cached: int = 0, reasoning: int = 0) -> Log:
        counts = {"input_token_count": tokens[0], "output_token_count": tokens[1], "tool_token_count": sum(tokens)}
        parts: dict[str, Value] = {"cached_token_count": cached, "reasoning_token_count": reasoning}
        told: dict[str, Value] = {name: str(count) for name, count in counts.items()}
        return self._event("codex.sse_event", time, {"event.kind": "response.completed"} | told | parts)

    def tool_result(self, time: str, tool: str, success: bool = True) -> Log:
        said: dict[str, Value] = {"tool_name": tool, "call_id": f"call-{time}", "success": str(success).lower(), "output": "ok"}
        return self._event("codex.tool_result", time, said)

    def _event(self, name: str, time: str, said: dict[str, Value]) -> Log:
        return Log(name, at(time), self.standing | {"event.timestamp": time} | said, service="codex_cli_rs", scope="codex_otel.log_only")


def claude_code_session() -> list[Told]:
    """Two prompts: four calls, a retry, three tools of which one fails; the metrics tell the tokens and the cost once more."""
    agent = ClaudeCode("cc-1")
    return [
        agent.prompt("09:00:00", "Fix the failing test"),
        agent.api_request("09:00:04", tokens=(12, 150), cache=(0, 4000), cost="0.0176"),
        agent.tool_result("09:00:06", "Read"),
        agent.api_error("09:00:07"),
        agent.api_request("09:00:12", tokens=(8, 90), cache=(4000, 500), cost=0.0046),
        agent.tool_result("09:00:20", "Bash", success=False),
        agent.api_request("09:00:25", tokens=(5, 60), cache=(4500, 0), cost="0.0023"),
        agent.prompt("09:04:00", "Now commit it"),
        agent.tool_result("09:04:09", "Bash"),
        agent.api_request("09:04:15", tokens=(20, 100), cache=(4500, 100), cost="0.0033"),
        *agent.tokens_counted("09:05:00", input=45, output=400, cacheRead=13000, cacheCreation=4600),
        agent.cost_counted("09:05:00", 0.0278),
    ]


CLAUDE_CODE_TOTALS: dict[str, Any] = {
    "Traces": 0,
    "Turns": 2,
    "Spans": 0,
    "LlmCalls": 4,
    "ToolCalls": 3,
    "InputTokens": 12 + 4000 + 8 + 4500 + 5 + 4500 + 20 + 4600,  # with what was read from and written to the cache
    "OutputTokens": 150 + 90 + 60 + 100,
    "CacheReadTokens": 4000 + 4500 + 4500,
    "CacheWriteTokens": 4000 + 500 + 100,
    "ReasoningTokens": 0,
    "CostPico": 27_800_000_000,  # 0.0176 + 0.0046 + 0.0023 + 0.0033 dollars
    "CostSource": "reported",
    "LogRecords": 10,
    "LogErrors": 1,
    "Errors": 0,
    "Models": [MODEL],
    "Providers": ["anthropic"],
    "Tools": ["Bash", "Read"],
    "Services": ["claude-code"],
    "UserId": "acc-7",
    "Name": "",
    "Status": "ok",
    "FirstInput": "Fix the failing test",
    "Start": at("09:00:00"),
    "End": at("09:04:15"),
    "ActiveNs": 40 * 10**9,  # 25 s in the first minute, 15 s in the fifth
    "TurnP50Ns": 15 * 10**9,
    "TurnP95Ns": 25 * 10**9,
}


def codex_conversation() -> list[Told]:
    """Two prompts: three calls and two tools."""
    agent = Codex("0199-codex")
    return [
        agent.starts("10:00:00"),
        agent.prompt("10:00:10", "Explain this module"),
        agent.api_request("10:00:11"),
        agent.created("10:00:12"),
        agent.completed("10:00:20", tokens=(1200, 80), cached=1000, reasoning=64),
        agent.tool_result("10:00:25", "shell"),
        agent.api_request("10:00:26"),
        agent.completed("10:00:40", tokens=(1500, 200), cached=1200, reasoning=0),
        agent.prompt("10:02:00", "[REDACTED]"),
        agent.api_request("10:02:01", status=500),
        agent.tool_result("10:02:03", "apply_patch", success=False),
        agent.completed("10:02:30", tokens=(2000, 20)),
    ]


CODEX_TOTALS: dict[str, Any] = {
    "Traces": 0,
    "Turns": 2,
    "LlmCalls": 3,
    "ToolCalls": 2,
    "InputTokens": 1200 + 1500 + 2000,
    "OutputTokens": 80 + 200 + 20,
    "CacheReadTokens": 2200,
    "CacheWriteTokens": 0,
    "ReasoningTokens": 64,
    "LogRecords": 12,
    "LogErrors": 0,
    "Models": ["gpt-5-codex"],
    "Providers": ["openai"],
    "Tools": ["apply_patch", "shell"],
    "UserId": "codex-user",
    "FirstInput": "Explain this module",
    "LastOutput": "",
    "Start": at("10:00:00"),
    "End": at("10:02:30"),
    "TurnP50Ns": 30 * 10**9,
    "TurnP95Ns": 30 * 10**9,
}
