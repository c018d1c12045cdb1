"""Within one trace: who stands above whom, which calls were made, and how often they were told (3.2).

Decided here, where the specification is silent about log records:

- A record stands for a call of its own unless it names a model span of its trace, or has its response id or that of another record of the
  trace. Naming any other span (the request above the call, an agent) joins nothing.
- A model span without usage that a record tells has all figures of that record (the first by time and digest), priced as the record was;
  then everything goes on as if the span had said so itself. So it can be a leaf, and is not refused.
- A group that has spans counts by its leaves only, as without records: what a record says about a span that is no leaf is ignored.
- The top-most figures are used only in a trace in which no record tells a call and no model span has usage, counted or not: the summary of
  an agent that calls a command-line agent stays out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tests.oracle.facts import Fact
from tests.oracle.records import Record


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
    """What totals are summed over: of a whole trace, or of what one session has of it."""

    used: list[Fact]
    """Calls; or, where no model span has usage and no record tells a call, the top-most spans that have some."""
    told: list[Fact]
    """The calls among `used`, and the refused ones."""
    twice: list[Fact]
    """The calls that were told more than once."""

    @property
    def embedding(self) -> int:
        return sum(call.kind != "llm" for call in self.told)

    @property
    def llm(self) -> int:
        return len(self.told) - self.embedding

    def of(self, belongs: Callable[[Fact], bool]) -> Calls:
        return Calls(*([call for call in calls if belongs(call)] for calls in (self.used, self.told, self.twice)))


def calls_of(tree: Tree, records: Iterable[Record] = (), silent: Iterable[str] = ()) -> Calls:
    """Calls of a trace or a log trace, from its spans and from records that tell calls; spans of `silent` services tell none."""
    records = list(records)
    spans = [_silenced(span) if span.service in silent else span for span in tree.by_id.values()]
    spans = [_with_figures(span, records) if span.is_model and not span.has_usage else span for span in spans]
    by_id = {span.span_id: span for span in spans}
    ancestors = {span.span_id: [above.span_id for above in tree.above(span)] for span in spans}
    models = [span for span in spans if span.is_model]
    below: dict[str, list[Fact]] = {span.span_id: [] for span in spans}
    for span in models:
        for above in ancestors[span.span_id]:
            below[above].append(span)
    # Leaf model spans have no model span below them that itself carries usage.
    leaves = [span for span in models if span.has_usage and not any(other.has_usage for other in below[span.span_id])]
    groups = _groups(models, leaves, below, records)
    counted, twice, members = [], [], set()
    for group in groups:
        told_by_leaves = [span for span in group if span in leaves]
        tellings = told_by_leaves or ([] if any(not isinstance(copy, Record) for copy in group) else group)
        if tellings:
            counted.append(_one(tellings, group))
            twice += counted[-1:] if len(group) > 1 else []
            members |= {span.span_id for span in group}
    refused = _refused(groups, members, ancestors, below, {span.span_id for span in counted})
    used = counted
    if not records and not any(span.is_model and span.has_usage for span in tree.by_id.values()):
        fallback = [span for span in spans if span.has_usage]
        used = [span for span in fallback if not any(by_id[above].has_usage for above in ancestors[span.span_id])]
    return Calls(used, counted + refused, twice)


def _silenced(span: Fact) -> Fact:
    """A span whose usage is not counted, because its service tells its calls in log records."""
    kind = "span" if span.is_model else span.kind
    return replace(span, kind=kind, input=0, output=0, cache_read=0, cache_write=0, reasoning=0, cost=None, price=None)


def _with_figures(span: Fact, records: list[Record]) -> Fact:
    """A model span that says nothing of usage has the figures of the first record that tells it, as if it had said them itself."""
    telling = sorted((record for record in records if _tells(record, span)), key=by_age)
    if not telling:
        return span
    names = ("input", "output", "cache_read", "cache_write", "reasoning", "cost", "price")
    figures = {name: getattr(telling[0], name) for name in names}
    return replace(span, **figures)


def _tells(record: Record, other: Fact) -> bool:
    """3.2: a log record that names the span or the response id."""
    names_it = not isinstance(other, Record) and bool(record.names) and record.names == other.span_id
    return names_it or bool(record.response and record.response == other.response)


def by_age(call: Fact) -> tuple[bool, int, str]:
    """Spans before records, then by (start, id)."""
    return (isinstance(call, Record), call.start, call.span_id)


def _groups(models: list[Fact], leaves: list[Fact], below: dict[str, list[Fact]], records: list[Record]) -> list[list[Fact]]:
    """Model spans and records that tell one call, joined pair by pair."""
    group_of: dict[int, list[Fact]] = {id(copy): [copy] for copy in [*models, *records]}

    def join(one: Fact, other: Fact) -> None:
        mine, others = group_of[id(one)], group_of[id(other)]
        if mine is not others:
            mine.extend(others)
            for copy in others:
                group_of[id(copy)] = mine

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
    for record in records:
        for copy in [*models, *records]:
            if record is not copy and _tells(record, copy):
                join(record, copy)
    distinct: list[list[Fact]] = []
    for group in group_of.values():
        if not any(group is known for known in distinct):
            distinct.append(group)
    return distinct


def _same_figures(one: Fact, other: Fact) -> bool:
    return (one.input, one.output) == (other.input, other.output)


def _other_response(one: Fact, other: Fact) -> bool:
    return bool(one.response and other.response and one.response != other.response)


def _one(tellings: list[Fact], group: list[Fact]) -> Fact:
    """The copy that counts for its group, with what only another copy knows; a cost reported anywhere goes before a computed one."""
    first, *others = sorted(tellings, key=by_age)
    copies = others + sorted((copy for copy in group if copy not in tellings), key=by_age)
    call = replace(first)
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
            if not isinstance(span, Record)
            and span.span_id not in members
            and not span.has_usage
            and not below[span.span_id]
            and not any(above in calls for above in ancestors[span.span_id])
        ]
        if alone:
            refused.append(min(alone, key=lambda span: (span.start, span.span_id)))
    return refused
