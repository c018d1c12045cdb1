"""Codex CLI 0.169 in its own bytes: `codex exec`, then `codex exec resume`, against a model whose answers and their usage were a script.

The folder codex/ holds the bodies that it posted to /v1/logs. The script's lines, in order:

    exec_command `ls`          1200 tokens in, 0 of them cached; 40 out, 10 of them reasoning
    an answer                  1300, 1024; 25, 0
    after `resume`: status 500, which Codex asks again at once
    view_image, which fails    1500, 1280; 60, 32
    an answer                  1700, 1408; 30, 0

What the built records of `agents.py` do not have: records have no time of their own, only an observed one; each response is told completed
twice, once without its tokens; two records of its workings name no conversation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sojourn import _native
from sojourn.testing import at, run
from tests.documents import ROOT
from tests.oracle import read_logs, sessions_of, world
from tests.recordings import tape

BODIES = [path.read_bytes() for path in sorted((Path(__file__).parent / "codex").glob("*.logs.pb"))]
NOW = at("2026-11-22T22:00")
WANT: dict[str, Any] = {
    "SessionId": "01a20540-5277-7a52-963c-91f4dc6e407e",
    "Traces": 0,
    "Turns": 2,
    "Spans": 0,
    "LlmCalls": 4,
    "ToolCalls": 2,
    "InputTokens": 1200 + 1300 + 1500 + 1700,
    "OutputTokens": 40 + 25 + 60 + 30,
    "CacheReadTokens": 1024 + 1280 + 1408,
    "CacheWriteTokens": 0,
    "ReasoningTokens": 10 + 32,
    "LogRecords": 36,
    "LogErrors": 0,
    "Models": ["gpt-5-codex"],
    "Providers": ["openai"],
    "Services": ["codex_exec"],
    "Tools": ["exec_command", "view_image"],
    "UserId": "",
    "Segments": 1,
    "FirstInput": "What is in this folder?",
}


def test_the_oracle_tells_the_script() -> None:
    parsed = [tape.parsed(tape.Request(body, tape.PROTOBUF, "logs")) for body in BODIES]
    told = world([], [record for each in parsed for record in read_logs(each, NOW, _native.digest)])
    (row,), _ = sessions_of(told.rows, NOW, marks=told.marks)
    assert {column: row[column] for column in WANT} == WANT


def test_a_whole_collector_tells_the_script() -> None:
    with run(ROOT / "config" / "codex.yaml", now=NOW) as collector:
        for body in BODIES[::-1] * 2:
            collector.send(body, signal="logs")
        (row,) = collector.sessions()
    assert {column: row[column] for column in WANT} == WANT
