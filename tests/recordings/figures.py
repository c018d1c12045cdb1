"""What a recording's sessions must look like, and which of its figures no trace tells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.recordings import tape

COLUMNS = {
    "traces": "Traces",
    "turns": "Turns",
    "spans": "Spans",
    "errors": "Errors",
    "llm_calls": "LlmCalls",
    "embedding_calls": "EmbeddingCalls",
    "tool_calls": "ToolCalls",
    "input_tokens": "InputTokens",
    "output_tokens": "OutputTokens",
    "cache_read_tokens": "CacheReadTokens",
    "cache_write_tokens": "CacheWriteTokens",
    "reasoning_tokens": "ReasoningTokens",
    "models": "Models",
    "tags": "Tags",
    "name": "Name",
    "user_id": "UserId",
}

ONLY_IN_LOGS = {
    "gemini-cli": {
        "output_tokens": "thoughts are told in gemini_cli.api_response only",
        "reasoning_tokens": "gemini_cli.api_response only",
        "cache_read_tokens": "gemini_cli.api_response only",
        "turns": "there is no span for a prompt: gemini_cli.user_prompt tells them",
    },
    "google-adk": {"user_id": "user.id is on log records only"},
}
"""Figures that traces alone cannot give, with the reason."""


def wanted(recording: str, all_signals: bool = False) -> dict[str, dict[str, Any]]:
    """Per session id: column → the value that traces alone, or all signals together, must give."""
    without = {} if all_signals else ONLY_IN_LOGS.get(recording, {})
    return {session: dict(_wanted(figures, without)) for session, figures in tape.expected(recording)["sessions"].items()}


def _wanted(figures: Mapping[str, Any], without: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for figure, column in COLUMNS.items():
        value = figures.get("attainable", {}).get(figure, {}).get("value", figures[figure])
        if figure in without or (figure == "name" and value is None):
            continue
        yield column, sorted(value) if isinstance(value, list) else "" if value is None else value
    for key, value in figures["metadata"].items():
        yield f"Metadata[{key}]", value if isinstance(value, str) else json.dumps(value)


def found(row: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    """The same columns of a session row."""
    return {column: row["Metadata"].get(column[9:-1]) if column.startswith("Metadata[") else row[column] for column in columns}
