"""The page of one trace: its spans as a tree with bars, and all that one of them says."""

from __future__ import annotations

from typing import Any, Final

from sojourn.web import wording
from sojourn.web.answers import Answer
from sojourn.web.pages.frame import bars, render, trace_address
from sojourn.web.pages.messages import shown
from sojourn.web.reading import Row

PART: Final = 500
"""So many spans stand on a page; a script fetches the following ones when they come into view."""
_DEEPEST: Final = 24
_TICKS: Final = 4


def trace(answer: Answer, given: dict[str, str]) -> str:
    """`answer` is what `answers.waterfall` gives, `given` the parameters that were asked with."""
    row, first = answer["trace"], int(given.get("from", "0"))
    ordered = tree(answer["spans"])
    part = bars(ordered[first : first + PART], row["start"], row["wall_ns"])
    behind = first + PART
    identity = row["trace_id"]
    return render(
        "trace.html",
        row=row,
        spans=part,
        whole=len(ordered),
        first=first,
        before=trace_address(identity, **{"from": str(max(first - PART, 0))}) if first else None,
        following=trace_address(identity, **{"from": str(behind)}) if behind < len(ordered) else None,
        rest=len(ordered) - behind,
        ticks=[
            (f"{part * 100 / _TICKS:.0f}", wording.duration(row["wall_ns"] * part // _TICKS) if part else "0") for part in range(_TICKS)
        ],
        span=answer["span"],
        said=shown(answer["said"]) if answer["said"] else None,
        chosen=given.get("span", ""),
        kinds=_kinds(answer["spans"]),
        truncated=answer["truncated"],
        twin=trace_address(identity, ".json"),
    )


def _kinds(spans: list[Row]) -> list[tuple[str, int]]:
    """What a trace is made of: kinds and how many spans there are of each, those that tell more first."""
    found: dict[str, int] = {}
    for span in spans:
        found[span["kind"]] = found.get(span["kind"], 0) + 1
    return sorted(found.items(), key=lambda one: (one[0] == "span", -one[1]))


def tree(spans: list[Row]) -> list[Row]:
    """Spans in the order of a tree, each with its `depth` and `children`; what hangs on nothing known stands at the top, loops are cut."""
    known = {span["span_id"] for span in spans}
    children: dict[str, list[Row]] = {}
    for span in spans:
        parent = span["parent_span_id"]
        children.setdefault(parent if parent in known and parent != span["span_id"] else "", []).append(span)
    ordered: list[Row] = []
    seen: set[str] = set()
    for start in (children.get("", []), spans):  # the second round finds what only a loop holds
        stack: list[tuple[Row, int]] = [(span, 0) for span in reversed(start)]
        while stack:
            span, depth = stack.pop()
            if span["span_id"] in seen:
                continue
            seen.add(span["span_id"])
            below = children.get(span["span_id"], [])
            more: dict[str, Any] = {"depth": min(depth, _DEEPEST), "children": len(below)}
            ordered.append(span | more)
            stack.extend((child, depth + 1) for child in reversed(below))
    return ordered
