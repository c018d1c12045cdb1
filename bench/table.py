"""The results of a run as a Markdown table, and each promise with what was measured."""

from __future__ import annotations

from statistics import median

from scenarios import SCENARIOS, Scenario

HEADINGS = (
    "scenario",
    "collector",
    "n",
    "CPU-s/M min / median",
    "spans/s",
    "share of a core",
    "MiB idle / loaded / peak",
    "ack p50 / p99 ms",
    "accepted = delivered",
)
UNITS = {
    "cpu": "CPU-s per million spans",
    "peak": "MiB at most",
    "share": "% of a core",
    "flow": "spans/s through",
    "idle": "MiB idle",
    "start_cpu": "CPU-s until it listens",
    "over_sync": "ms of the p99 answer beyond three p99 syncs of the disk",
    "extra": "% more CPU than on one core",
}


def brief(row: dict) -> str:
    """One repetition in one line."""
    text = f"listening after {row['start']} s ({row['start_cpu']} CPU), idle {row['idle']:.0f} MiB"
    if "cpu" in row:
        missing = row["accepted"] - row["delivered"]
        text += f", {row['cpu']:.2f} CPU-s/M, {row['rate'] / 1000:.0f}k spans/s, {row['loaded']:.0f} / {row['peak']:.0f} MiB"
        text += f", ack {row['p50']:.0f} / {row['p99']:.0f} ms"
        text += f", {missing} MISSING" if missing else ""
        text += f", {row['refused'] + row['lost']} refused {row['answers']}" if row["refused"] + row["lost"] else ""
    return text


def render(rows: list[dict]) -> str:
    """All repetitions: one table row per scenario and collector, then the promises."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        groups.setdefault((row["scenario"], row["subject"]), []).append(row)
    lines = [
        f"| {' | '.join(HEADINGS)} |",
        "|" + " --- |" * len(HEADINGS),
    ]
    lines += [_line(scenario, subject, group) for (scenario, subject), group in groups.items()]
    return "\n".join([*lines, "", *_promises(groups)])


def _line(scenario: str, subject: str, group: list[dict]) -> str:
    def mid(key: str) -> float:
        return median(row[key] for row in group)

    cells = [scenario, subject, str(len(group))]
    if "cpu" not in group[0]:
        share, idle = f"{mid('idle_share'):.1f} %", f"{mid('idle'):.0f}"
        return f"| {' | '.join([*cells, '', '', share, idle, '', ''])} |"
    accepted, delivered = (sum(row[key] for row in group) for key in ("accepted", "delivered"))
    refused = sum(row["refused"] + row["lost"] for row in group)
    cells += [
        f"{min(row['cpu'] for row in group):.2f} / {mid('cpu'):.2f}",
        f"{mid('rate'):.0f}",
        f"{mid('share'):.0f} %",
        f"{mid('idle'):.0f} / {mid('loaded'):.0f} / {max(row['peak'] for row in group):.0f}",
        f"{mid('p50'):.0f} / {mid('p99'):.0f}",
        f"{accepted} {'=' if accepted == delivered else '≠'} {delivered}" + (f", {refused} refused" if refused else ""),
    ]
    return f"| {' | '.join(cells)} |"


def _promises(groups: dict[tuple[str, str], list[dict]]) -> list[str]:
    lines = ["| promise | bound | measured (median) | |", "| --- | --- | --- | --- |"]
    for scenario in SCENARIOS:
        for metric, (sense, bound) in scenario.promises.items():
            measured = _measured(groups, scenario, metric)
            if measured is not None:
                kept = measured <= bound if sense == "≤" else measured >= bound
                verdict = "kept" if kept else "**broken**"
                lines.append(f"| {scenario.question}: {UNITS[metric]} | {sense} {bound:g} | {measured:g} | {verdict} |")
    return lines


def _measured(groups: dict[tuple[str, str], list[dict]], scenario: Scenario, metric: str) -> float | None:
    group = groups.get((scenario.name, "sojourn"))
    if not group:
        return None
    if metric == "extra":
        alone = groups.get(("sessions", "sojourn"))
        if not alone:
            return None
        return round((median(row["cpu"] for row in group) / median(row["cpu"] for row in alone) - 1) * 100, 1)
    return round(median(row[metric] for row in group), 2)
