"""Rules in the oracle's words → the same as components, and as `--set` of a whole collector."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from sojourn.component import Processor
from sojourn.processors.aggregate import Aggregate
from sojourn.processors.lifecycle import Lifecycle
from sojourn.processors.session import Session
from tests.oracle import Rules
from tests.oracle.cutting import MINUTE, Override

SECOND = 10**9
HOUR = 60 * MINUTE
TIMES = ("idle_timeout", "active_window", "finalize_delay", "max_duration", "allowed_lateness")
PLAIN = Rules()
"""As it is built in."""
MEASURES = {"pages": ("sum", "app.pages"), "retries": ("max", "app.retry"), "room": ("min", "app.room")}
CONDITIONS = {
    "failing": "errors >= 2 or status == 'error'",
    "dear": "cost > 0.2 and not llm_calls == 0",
    "wordy": "output_tokens / spans > 10",
    "long": "wall > 10m or 'shop' in services",
}
ALERTS = {
    "failing": lambda row: row["Errors"] >= 2 or row["Status"] == "error",
    "dear": lambda row: (row["CostPico"] or 0) > 2 * 10**11 and row["LlmCalls"] != 0,
    "wordy": lambda row: row["Spans"] > 0 and row["OutputTokens"] > 10 * row["Spans"],
    "long": lambda row: row["WallNs"] > 10 * MINUTE or "shop" in row["Services"],
}
"""`CONDITIONS` in Python."""

USUAL = Rules(measures=MEASURES, alerts=ALERTS, allowed_lateness=10 * MINUTE)
"""What the laws are tried with where they say nothing else."""


def tree(rules: Rules) -> dict[str, dict[str, Any]]:
    """What stands below `processors`."""
    session: dict[str, Any] = {"missing_id": rules.missing_id}
    if rules.missing_id == "gap":
        session["gap_attributes"] = list(rules.gap_attributes)
    measures = {name: {how: attribute} for name, (how, attribute) in rules.measures.items()}
    names = [name for name in (*TIMES, "max_traces", "on_limit", "max_tokens", "max_cost") if getattr(rules, name) != getattr(PLAIN, name)]
    overrides = [_override(each) for each in rules.overrides]
    alerts = [{"name": name, "condition": CONDITIONS[name]} for name in rules.alerts]
    lifecycle = _parameters({name: getattr(rules, name) for name in names}) | {"rules": overrides, "alerts": alerts}
    return {"session": session, "aggregate": {"measures": measures}, "lifecycle": lifecycle}


def _override(each: Override) -> dict[str, Any]:
    who = {"project": each.project, "service": each.service}
    return {name: value for name, value in who.items() if value is not None} | _parameters(each.changes)


def _parameters(told: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in told.items():
        out[name] = f"{value // SECOND}s" if name in TIMES else f"{value / 10**12:.12f}" if name == "max_cost" else value
    return out


def processors(rules: Rules) -> list[Processor]:
    told = tree(rules)
    kinds: tuple[tuple[str, type[Processor]], ...] = (("session", Session), ("aggregate", Aggregate), ("lifecycle", Lifecycle))
    return [kind.model_validate(told[name]) for name, kind in kinds]


def settings(rules: Rules) -> tuple[str, ...]:
    return tuple(
        f"processors.{name}.{key}={json.dumps(value)}" for name, told in tree(rules).items() for key, value in told.items() if value
    )


CHANGES: tuple[dict[str, Any], ...] = (
    {"idle_timeout": 2 * SECOND},
    {"idle_timeout": 3 * HOUR, "max_duration": 2 * HOUR},
    {"max_traces": 1},
    {"max_traces": 1, "on_limit": "flag", "max_tokens": 30},
    {"max_duration": 3 * SECOND, "max_cost": 10**11},
    {"active_window": 0, "finalize_delay": 0, "allowed_lateness": 0},
    {},
)
GAPS = (("user", "service"), ("app.team", "user"), ("app.team",))


def random_rules(seed: int, projects: Iterable[str]) -> Rules:
    """Everything that a configuration says of sessions; all else follows from the seed."""
    random = Random(seed)
    some = random.sample(list(projects), 5)
    overrides = [Override(project, None, random.choice(CHANGES)) for project in some[:3]]
    overrides += [Override(project, "desk", random.choice(CHANGES)) for project in some[2:]]
    overrides += [Override(None, random.choice(("shop", "desk")), random.choice(CHANGES))]
    random.shuffle(overrides)
    return Rules(
        **random.choice(CHANGES),
        missing_id=random.choice(("none", "none", "trace", "gap")),
        gap_attributes=random.choice(GAPS),
        measures=random.choice(({}, MEASURES, MEASURES)),
        overrides=tuple(overrides[: random.randint(0, 6)]),
        alerts=random.choice(({}, ALERTS, ALERTS)),
    )
