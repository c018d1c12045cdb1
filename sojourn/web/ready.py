"""Statements to begin with: questions that people have of their sessions, in SQL."""

from __future__ import annotations

from typing import Final

READY: Final[tuple[tuple[str, str], ...]] = (
    (
        "What each user cost this week",
        """SELECT UserId, count() AS Sessions, sum(Cost) AS Cost, sum(TotalTokens) AS Tokens
FROM sessions
WHERE Start > now() - INTERVAL 7 DAY
GROUP BY UserId
ORDER BY Cost DESC NULLS LAST
LIMIT 20""",
    ),
    (
        "The dearest sessions, and why",
        """SELECT SessionId, Name, Cost, LlmCalls, TotalTokens, Models
FROM sessions
WHERE Start > now() - INTERVAL 7 DAY
ORDER BY Cost DESC NULLS LAST
LIMIT 20""",
    ),
    (
        "Calls, tokens, cost and duration of each model",
        """SELECT Model, count() AS Calls, sum(InputTokens) AS Input, sum(OutputTokens) AS Output, sum(Cost) AS Cost,
    round(quantileExact(0.5)(Duration) / 1e9, 2) AS MedianSeconds, round(quantileExact(0.95)(Duration) / 1e9, 2) AS P95Seconds
FROM spans
WHERE Timestamp > now() - INTERVAL 1 DAY AND Kind = 'llm'
GROUP BY Model
ORDER BY Calls DESC""",
    ),
    (
        "Tools that fail",
        """SELECT Tool, count() AS Calls, countIf(StatusCode = 'Error') AS Failed, round(Failed / Calls * 100, 1) AS PerCent
FROM spans
WHERE Timestamp > now() - INTERVAL 1 DAY AND Kind = 'tool'
GROUP BY Tool
ORDER BY Failed DESC""",
    ),
    (
        "Where a session hung: its longest silences between turns",
        """SELECT SessionId, TraceId, Name, Start,
    dateDiff('second', lagInFrame(End, 1, Start) OVER before, Start) AS SilentSeconds
FROM session_traces
WHERE Start > now() - INTERVAL 1 DAY
WINDOW before AS (PARTITION BY Project, SessionId ORDER BY Start ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
ORDER BY SilentSeconds DESC
LIMIT 20""",
    ),
    (
        "Sessions that ended with an error, by service",
        """SELECT arrayJoin(Services) AS Service, count() AS Sessions, countIf(Status = 'error') AS WithErrors
FROM sessions
WHERE Start > now() - INTERVAL 7 DAY
GROUP BY Service
ORDER BY WithErrors DESC""",
    ),
    (
        "How much of the input came from a cache",
        """SELECT toStartOfHour(Start) AS Hour, sum(InputTokens) AS Input, sum(CacheReadTokens) AS Cached,
    round(Cached / Input * 100, 1) AS PerCent
FROM session_traces
WHERE Start > now() - INTERVAL 1 DAY
GROUP BY Hour
HAVING Input > 0
ORDER BY Hour""",
    ),
    (
        "What happened to sessions in the last hour",
        """SELECT Time, SessionId, Event, Reason
FROM session_events
WHERE Time > now() - INTERVAL 1 HOUR
ORDER BY Time DESC
LIMIT 100""",
    ),
    (
        "Metric points of all sessions, each once",
        """SELECT MetricName, count() AS Points, sum(Value) AS Total
FROM otel_metrics_sum FINAL
WHERE TimeUnix > now() - INTERVAL 1 DAY AND AggregationTemporality = 1
GROUP BY MetricName
ORDER BY Points DESC""",
    ),
)
"""What a statement answers, and the statement; the views stand in the database that a client is in from the beginning."""
