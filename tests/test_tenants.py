"""Tenants: nobody adds to, replaces or reads what is another one's, whatever ids they choose."""

from __future__ import annotations

import pytest

from sojourn.testing import Collector, Span, run, span
from tests.signals.telling import Point, Told, log, requests


def call(name: str, tokens: int) -> Span:
    """A call below the root."""
    return span(name, trace="same", id=name, parent="root", tokens=(tokens, 1))


def root(session: str | None = None) -> Span:
    return span("root", trace="same", id="root", session=session)


def tell(collector: Collector, tenant: str, *told: Told) -> None:
    for signal, body in requests(told):
        collector.send(body, signal=signal, tenant=tenant)


def totals(collector: Collector) -> list[tuple[str, str, int, int, int]]:
    rows = collector.query("SELECT Tenant, SessionId, Traces, Spans, InputTokens FROM sessions ORDER BY Tenant, SessionId")
    return [tuple(row.values()) for row in rows]  # type: ignore[misc]


@pytest.mark.parametrize("together", [True, False], ids=["one group", "a group each"])
def test_two_tenants_with_the_same_ids(together: bool) -> None:
    """Same trace, same span ids, same session id and project: three sessions, each with what its own sender told; after a restart too."""
    with run() as collector:
        for tenant, tokens in (("", 1), ("a", 10), ("b", 100)):
            tell(collector, tenant, root("s"), call("call", tokens))
            if not together:
                collector.settle()
        assert totals(collector) == [("", "s", 1, 2, 1), ("a", "s", 1, 2, 10), ("b", "s", 1, 2, 100)]
        assert collector.query("SELECT Tenant, count() AS n FROM spans WHERE SessionId = 's' GROUP BY Tenant ORDER BY Tenant") == [
            {"Tenant": tenant, "n": 2} for tenant in ("", "a", "b")
        ]
    with run(settings=_again(collector)) as collector:
        tell(collector, "a", call("late", 1000))
        assert totals(collector) == [("", "s", 1, 2, 1), ("a", "s", 1, 3, 1010), ("b", "s", 1, 2, 100)]


def _again(collector: Collector) -> list[str]:
    """The settings by which another collector goes on in the same database."""
    database = collector.service.database()
    assert database is not None
    return [f"exporters.clickhouse.database={database.name}"]


def test_a_late_id_binds_only_the_tenants_own_trace() -> None:
    """A root that names a session names it for the spans of its own tenant."""
    with run() as collector:
        for tenant in ("", "a", "b"):
            tell(collector, tenant, call("call", 5))
        tell(collector, "b", root("s"))
        assert totals(collector) == [("b", "s", 1, 2, 5)]


def test_log_records_bind_within_their_tenant() -> None:
    """A record that names another tenant's trace, or a session of the same id, is its own tenant's."""
    with run() as collector:
        tell(collector, "a", root("s"))
        for tenant in ("a", "b", "b"):
            tell(collector, tenant, log("note", "12:01", names=root()), log("note", "12:02", session="s"))
        rows = collector.query("SELECT Tenant, SessionId, Traces, LogRecords FROM sessions ORDER BY Tenant")
        assert [tuple(row.values()) for row in rows] == [("a", "s", 1, 2), ("b", "s", 0, 1)]
        kept = collector.query("SELECT Tenant, uniqExact(Digest) AS n FROM otel_logs GROUP BY Tenant ORDER BY Tenant")
        assert [row["n"] for row in kept] == [2, 2]
        assert collector.query("SELECT uniqExact(Digest) AS n FROM otel_logs") == [{"n": 4}]  # one record of two tenants is two records


def test_metric_points_belong_to_their_tenant() -> None:
    """Equal points of two tenants are two."""
    with run() as collector:
        for tenant in ("a", "b"):
            tell(collector, tenant, Point("tokens", 1_700_000_000_000_000_000, 1.0, {"session.id": "s"}))
        rows = collector.query("SELECT Tenant, Digest FROM otel_metrics_sum ORDER BY Tenant")
        assert [row["Tenant"] for row in rows] == ["a", "b"]
        assert len({row["Digest"] for row in rows}) == 2
