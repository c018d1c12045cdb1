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


LOGS: dict[str, dict[str, dict[str, int | str]]] = {
    "gemini-cli": {
        "e3051184-6b14-40b3-8229-a78a99ed88df": {"LogRecords": 30, "LogErrors": 1, "FirstInput": "What is in this folder?"},
        "1998944e-24b5-4d58-999b-9f133eb5435d": {"LogRecords": 10, "LogErrors": 0, "FirstInput": "Say something short."},
    },
    "google-adk": {
        "adk-session-a": {"LogRecords": 5, "LogErrors": 0},
        "e3b6c1a0-5a5a-4c4c-8d8d-101112131415": {"LogRecords": 2, "LogErrors": 0},
    },
    "otel-genai-openai": {
        "conv-genai-01": {"LogRecords": 4, "LogErrors": 0},
        "0c0c1d1d-2e2e-4f4f-8a8a-9b9b0c0c1d1d": {"LogRecords": 3, "LogErrors": 1},
    },
    "otel-openai-v2": {"bag-1c9e": {"LogRecords": 13, "LogErrors": 0}, "root-only-88": {"LogRecords": 6, "LogErrors": 0}},
}
"""What is said of log records: counted by hand in the recorded bytes."""


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
