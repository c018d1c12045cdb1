"""Within one trace: who stands above whom, which calls were made, and how often they were told (3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tests.oracle.reading import Fact


class Tree:
    """The spans of a trace by id, with parent links cut where they form a cycle."""

    def __init__(self, spans: Iterable[Fact]) -> None:
        self.by_id = {span.span_id: span for span in spans}
        self.parent = {span.span_id: span.parent_id for span in self.by_id.values() if span.parent_id in self.by_id}
        self.cycle = self._cut()

    def _cut(self) -> bool:
        """3.2: parent links that form a cycle are cut at the least span id."""
        found = False
        for span_id in sorted(self.by_id):
            seen = []
            at: str | None = span_id
            while at is not None and at not in seen:
                seen.append(at)
                at = self.parent.get(at)
            if at is not None:
                del self.parent[min(seen[seen.index(at) :])]
                found = True
        return found

    def above(self, span: Fact) -> list[Fact]:
        ancestors = []
        at = self.parent.get(span.span_id)
        while at is not None:
            ancestors.append(self.by_id[at])
            at = self.parent.get(at)
        return ancestors

    def topmost(self) -> Fact:
        """1: a true root first, else a span whose parent is unknown; then the earliest, then the least id."""
        tops = [span for span in self.by_id.values() if span.span_id not in self.parent]
        return min(tops, key=lambda span: (span.parent_id != "", span.start, span.span_id))


@dataclass
class Calls:
    """What a trace's totals are summed over."""

    used: list[Fact]
    """Calls; or, where no model span has usage, the top-most spans that have some."""
    llm: int
    embedding: int
    counted: list[Fact]
    """The calls among `used`."""
    told_twice: bool


def calls_of(tree: Tree) -> Calls:
    spans = list(tree.by_id.values())
    ancestors = {span.span_id: [above.span_id for above in tree.above(span)] for span in spans}
    models = [span for span in spans if span.is_model]
    with_usage = [span for span in models if span.has_usage]
    below: dict[str, list[Fact]] = {span.span_id: [] for span in spans}
    for span in models:
        for above in ancestors[span.span_id]:
            below[above].append(span)
    # Leaf model spans have no model span below them that itself carries usage.
    leaves = [span for span in with_usage if not any(other.has_usage for other in below[span.span_id])]
    groups = _groups(models, leaves, below)
    counted, told_twice, members = [], False, set()
    for group in groups:
        told_by_leaves = [span for span in group if span in leaves]
        if told_by_leaves:
            counted.append(_one(told_by_leaves, group))
            told_twice = told_twice or len(group) > 1
            members |= {span.span_id for span in group}
    refused = _refused(groups, members, ancestors, below, {span.span_id for span in counted})
    used = counted
    if not with_usage:
        fallback = [span for span in spans if span.has_usage]
        used = [span for span in fallback if not any(tree.by_id[above].has_usage for above in ancestors[span.span_id])]
    told = counted + refused
    llm = sum(span.kind == "llm" for span in told)
    return Calls(used=used, llm=llm, embedding=len(told) - llm, counted=counted, told_twice=told_twice)


def _groups(models: list[Fact], leaves: list[Fact], below: dict[str, list[Fact]]) -> list[list[Fact]]:
    """Model spans that tell one call, joined pair by pair."""
    group_of = {span.span_id: [span] for span in models}

    def join(one: Fact, other: Fact) -> None:
        mine, others = group_of[one.span_id], group_of[other.span_id]
        if mine is not others:
            mine.extend(others)
            for span in others:
                group_of[span.span_id] = mine

    leaf_ids = {span.span_id for span in leaves}
    for one in models:
        leaves_below = [span for span in below[one.span_id] if span.span_id in leaf_ids]
        if len(leaves_below) == 1 and _same_figures(one, leaves_below[0]) and not _other_response(one, leaves_below[0]):
            join(one, leaves_below[0])
        for other in models:
            if one is other:
                continue
            if one.response and one.response == other.response:
                join(one, other)
            overlap = one.start <= other.start and other.end <= one.end
            figures = _same_figures(one, other) and bool(one.input or one.output)
            if one.scope != other.scope and figures and overlap and not _other_response(one, other):
                join(one, other)
    distinct: list[list[Fact]] = []
    for group in group_of.values():
        if not any(group is known for known in distinct):
            distinct.append(group)
    return distinct


def _same_figures(one: Fact, other: Fact) -> bool:
    return (one.input, one.output) == (other.input, other.output)


def _other_response(one: Fact, other: Fact) -> bool:
    return bool(one.response and other.response and one.response != other.response)


def _one(leaves: list[Fact], group: list[Fact]) -> Fact:
    """The span that counts for its group, with what only another copy knows; a cost reported anywhere goes before a computed one."""
    by_age = sorted(leaves, key=lambda span: (span.start, span.span_id))
    rest = sorted((span for span in group if span not in leaves), key=lambda span: (span.start, span.span_id))
    call = replace(by_age[0])
    copies = by_age[1:] + rest
    reported = [copy.price for copy in copies if copy.price and copy.price[1] == "reported"]
    own_is_reported = call.price is not None and call.price[1] == "reported"
    if reported and not own_is_reported:
        call.price, own_is_reported = reported[0], True
    for name in ("cache_read", "cache_write", "reasoning"):
        knowing = [copy for copy in copies if getattr(copy, name)]
        if getattr(call, name) or not knowing:
            continue
        setattr(call, name, getattr(knowing[0], name))
        # The copy that knows of cached tokens was priced with them.
        if name != "reasoning" and not own_is_reported and knowing[0].price and _same_figures(call, knowing[0]):
            call.price = knowing[0].price
    return call


def _refused(
    groups: list[list[Fact]], members: set[str], ancestors: dict[str, list[str]], below: dict[str, list[Fact]], calls: set[str]
) -> list[Fact]:
    """Model spans without usage that have no model span below and no counted call above; told under one response id they are one."""
    refused = []
    for group in groups:
        alone = [
            span
            for span in group
            if span.span_id not in members
            and not span.has_usage
            and not below[span.span_id]
            and not any(above in calls for above in ancestors[span.span_id])
        ]
        if alone:
            refused.append(min(alone, key=lambda span: (span.start, span.span_id)))
    return refused
