"""Which bars stand in which lane of a session's timeline."""

from __future__ import annotations

from typing import Any

from sojourn.web import wording
from sojourn.web.pages import lanes

SESSION = {"start": wording.stamp(0), "end": wording.stamp(100 * 10**9)}


def trace(identity: str, start: int, end: int, name: str = "POST /chat") -> dict[str, Any]:
    about = {"status": "ok", "errors": 0, "total_tokens": 5, "cost": None}
    return {"trace_id": identity, "name": name, "start": wording.stamp(start * 10**9), "end": wording.stamp(end * 10**9)} | about


def agent(identity: str, name: str, start: int, end: int) -> dict[str, Any]:
    times = {"start": wording.stamp(start * 10**9), "end": wording.stamp(end * 10**9)}
    return {"trace_id": identity, "span_id": f"{identity}{name}{start}", "name": name, "error": False} | times


def drawn(traces: list[dict[str, Any]], agents: list[dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """(trace, kind) of the bars in each lane."""
    picture = lanes.drawn(SESSION, traces, agents, [], [], {})
    found: dict[str, list[tuple[str, str]]] = {}
    tops = picture["lanes"] or [{"name": "", "top": 0, "high": 10**6}]
    for bar in picture["bars"]:
        lane = next(lane for lane in tops if lane["top"] <= bar["top"] < lane["top"] + lane["high"])
        found.setdefault(lane["name"], []).append((bar["id"], bar["kind"]))
    return found


def test_a_lane_for_each_agent() -> None:
    """A trace stands in the lane of the agent that leads it, sub-agents in lanes of their own, whatever leads no trace by its name."""
    traces = [trace("a", 0, 20), trace("b", 30, 50), trace("c", 60, 61, "cron")]
    agents = [agent("a", "desk", 0, 20), agent("a", "billing", 5, 15), agent("b", "desk", 30, 50), agent("b", "billing", 35, 40)]
    assert drawn(traces, agents) == {
        "desk": [("a", "good"), ("b", "good")],
        "billing": [("a", "part"), ("b", "part")],
        "cron": [("c", "good")],
    }


def test_an_agent_that_helps_a_little_leads_nothing() -> None:
    assert drawn([trace("a", 0, 20)], [agent("a", "summary", 18, 20)]) == {"POST /chat": [("a", "good")], "summary": [("a", "part")]}


def test_lanes_without_agents() -> None:
    """Routes have lanes as long as they are few; names that are all different tell nothing."""
    assert set(drawn([trace("a", 0, 1, "one"), trace("b", 2, 3, "two")], [])) == {"one", "two"}
    assert set(drawn([trace(str(n), n, n + 1, f"name {n}") for n in range(20)], [])) == {""}
    assert set(drawn([trace("a", 0, 1), trace("b", 2, 3)], [])) == {""}


def test_very_many_agents_share_a_lane() -> None:
    found = drawn([trace("a", 0, 100)], [agent("a", f"agent {n}", n, n + 1) for n in range(30)])
    assert len(found) == 9
    assert len(found["23 others"]) == 23
