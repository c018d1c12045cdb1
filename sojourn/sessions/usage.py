"""Which spans and log records are calls, and what each call used: usage counts once, however often it is told.

All functions take the kept rows of many traces (sorted by trace) and `up`, each row's parent by position (-1 for none).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sojourn import _native
from sojourn.schema import FLAGS, KINDS
from sojourn.sessions.groups import Groups, short_keys
from sojourn.sessions.packed import Index, Mask, Rows, concat, take

LLM, EMBEDDING, RERANK = (KINDS.index(kind) for kind in ("llm", "embedding", "rerank"))
NONE, MANY = -1, -2
REPORTED = 1
"""otel_traces.CostSource of a cost that the producer told."""
WALK = 32
"""Steps up a tree one by one before all rows are looked at together."""
FIGURES = ("input_tokens", "output_tokens", "cache_read", "cache_write", "reasoning", "cost", "cost_source")
PAIRS_LIMIT = 2000
"""Calls of one trace with equal tokens that are compared with each other; beyond that the trace is flagged `limited`."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of all traces, by row."""

    counted: Index
    """Rows whose tokens and cost enter the totals."""
    refused: Index
    """Model spans that count as calls but used nothing."""
    used: Rows
    """The counted rows' facts, completed by what only other tellings of the same call know."""
    told_twice: Index
    """Rows that tell a call which another row tells too."""
    limited: Index
    """Rows of traces where not every pair was compared."""


@dataclass(frozen=True, slots=True)
class Records:
    """The log records among the rows."""

    every: Mask
    told: Mask
    """Those that tell a call."""
    names: Index
    """For each row of a record the span that it names, -1 for none."""
    muted: Mask
    """Model spans whose usage is not counted, since their service tells its calls in records."""


def is_model(facts: Rows) -> Mask:
    kind = facts["kind"]
    return np.asarray((kind == LLM) | (kind == EMBEDDING) | (kind == RERANK))


def find_calls(groups: Groups, facts: Rows, up: Index, records: Records | None = None) -> Calls:
    """What is counted. `facts` are changed where a record tells what its span does not."""
    usage = (facts["flags"] & FLAGS["usage"]) != 0
    model = is_model(facts)
    if records is not None:
        model &= ~records.every
        usage |= _complete_spans(groups, facts, model & ~usage, records)
        usage &= ~records.every
    telling = model & usage
    tip = only_below(up, telling)
    leaf = telling & (tip == NONE)
    edges, limited = _same_call(groups, facts, model, telling, tip, records)
    together = _joined(edges)
    calls = leaf if records is None else leaf | records.told
    tellings = [[row for row in rows if leaf[row]] or _only_records(rows, records) for rows in together]
    counted, used, twice = _merge(facts, calls, records, [pair for pair in zip(together, tellings, strict=True) if pair[1]])
    if records is not None:
        counted, used = _without(counted, used, [row for rows, mine in zip(together, tellings, strict=True) if not mine for row in rows])
    refused = _refused(facts, model, usage, counted, twice, up, [rows for rows, mine in zip(together, tellings, strict=True) if not mine])
    extra = _top_usage(groups, usage, telling if records is None else telling | records.told | records.muted, up)
    if len(extra):
        counted = np.concatenate([counted, extra])
        by = np.argsort(counted, kind="stable")
        used = take(concat(used, take(facts, extra)), by)
        counted = counted[by]
    return Calls(counted, refused, used, twice, limited)


def _complete_spans(groups: Groups, facts: Rows, silent: Mask, records: Records) -> Mask:
    """Model spans that say nothing of usage have all figures of the first record that tells them, as if they had said so themselves."""
    done = np.zeros(len(facts), bool)
    if not silent.any():
        return done
    told, named = np.flatnonzero(records.told), np.zeros(len(facts), bool)
    named[records.names.take(told)[records.names.take(told) >= 0]] = True
    spans = np.flatnonzero(silent & (named | (facts["response"] != 0))) if len(told) else told
    if not len(spans):
        return done
    tellers: dict[tuple[str, int, int], int] = {}
    for row in told[np.lexsort((facts["span"][told], facts["start"][told]))].tolist():
        group = int(groups.member[row])
        tellers.setdefault(("response", group, int(facts["response"][row])), row)
        tellers.setdefault(("span", group, int(records.names[row])), row)
    for row in spans.tolist():
        group, response = int(groups.member[row]), int(facts["response"][row])
        found = [tellers.get(("span", group, row)), tellers.get(("response", group, response)) if response else None]
        first = min((each for each in found if each is not None), key=lambda at: _age(facts, at), default=None)
        if first is not None:
            for name in FIGURES:
                facts[name][row] = facts[name][first]
            done[row] = True
    return done


def _age(facts: Rows, row: int) -> tuple[int, int]:
    return int(facts["start"][row]), int(facts["span"][row])


def _only_records(rows: list[int], records: Records | None) -> list[int]:
    """These rows if they are all log records: then they tell a call that no span tells."""
    return rows if records is not None and records.every[rows].all() else []


def _without(counted: Index, used: Rows, rows: list[int]) -> tuple[Index, Rows]:
    """Records that tell a span which is no leaf count nothing."""
    keep = np.flatnonzero(~np.isin(counted, rows)) if rows else np.arange(len(counted))
    return (counted, used) if len(keep) == len(counted) else (counted.take(keep), take(used, keep))


def only_below(up: Index, marked: Mask) -> Index:
    """For each row: the one leaf among the `marked` rows below it, MANY if there are several, NONE if there is none.

    A leaf is a marked row without marked rows below.
    """
    return np.frombuffer(_native.only_below(up, marked.view(np.uint8)), np.int64)


def ancestors(up: Index, rows: Index) -> Mask:
    """Every row that lies above one of `rows`. Touches each row once; `up` has no cycles."""
    above = np.zeros(len(up), bool)
    at = up.take(rows)
    while True:
        at = at.compress(at >= 0)
        at = at.compress(~above.take(at))
        if not len(at):
            return above
        above[at] = True
        if len(at) > 64:
            at = np.unique(at)
        at = up.take(at)


def _same_call(
    groups: Groups, facts: Rows, model: Mask, telling: Mask, tip: Index, records: Records | None
) -> tuple[list[tuple[int, int]], Index]:
    """Pairs of rows that tell the same call, and rows of traces where not all pairs were compared."""
    edges: list[tuple[int, int]] = []
    rows = np.flatnonzero(model)
    if records is not None:
        rows = np.flatnonzero(model | records.told)
        naming = np.flatnonzero(records.told & (records.names >= 0))
        named = records.names.take(naming)
        edges += zip(naming.compress(model.take(named)).tolist(), named.compress(model.take(named)).tolist(), strict=True)
    for run in _runs(rows, groups.number.take(rows), facts["response"][rows]):
        edges += [(run[0], other) for other in run[1:]]
    edges += _over_one_leaf(facts, np.flatnonzero(model & (tip >= 0)), tip)
    rows = np.flatnonzero(telling)
    spent = rows.compress((facts["input_tokens"][rows] | facts["output_tokens"][rows]) != 0)
    pair = facts["input_tokens"][spent].astype(np.uint64) << np.uint64(32) | facts["output_tokens"][spent]
    limited: list[int] = []
    for run in _runs(spent, groups.number.take(spent), pair):
        if len(run) > PAIRS_LIMIT:
            limited.append(run[0])
        edges += _two_instrumentations(facts, run[:PAIRS_LIMIT])
    return edges, np.array(limited, np.intp)


def _runs(rows: Index, number: np.ndarray, value: np.ndarray) -> Iterator[list[int]]:
    """The rows of one trace that share a value other than 0, where there are at least two."""
    some = value != 0
    rows, number, value = rows.compress(some), number.compress(some), value.compress(some)
    alike = short_keys(number, value)
    alike.sort()
    if not (alike[1:] == alike[:-1]).any():  # nearly always; ten times faster than to sort by both
        return
    by = np.lexsort((value, number))
    rows, number, value = rows.take(by), number.take(by), value.take(by)
    alike = (number[1:] == number[:-1]) & (value[1:] == value[:-1])
    if not alike.any():
        return
    cuts = np.flatnonzero(~alike) + 1
    sizes = np.diff(np.concatenate([[0], cuts, [len(rows)]]))
    start = np.concatenate([[0], cuts])
    for which in np.flatnonzero(sizes > 1):
        yield rows[start[which] : start[which] + sizes[which]].tolist()


def _over_one_leaf(facts: Rows, outer: Index, tip: Index) -> list[tuple[int, int]]:
    """Model spans above exactly one leaf that tell the leaf's tokens, unless both have response ids that differ."""
    inner = tip.take(outer)
    same = facts["input_tokens"][outer] == facts["input_tokens"][inner]
    same &= facts["output_tokens"][outer] == facts["output_tokens"][inner]
    mine, its = facts["response"][outer], facts["response"][inner]
    same &= (mine == 0) | (its == 0) | (mine == its)
    return list(zip(outer.compress(same).tolist(), inner.compress(same).tolist(), strict=True))


def _two_instrumentations(facts: Rows, run: list[int]) -> list[tuple[int, int]]:
    """Of rows with equal tokens: pairs of different scopes of which one's interval contains the other's."""
    scope = facts["scope"][run]
    if (scope == scope[0]).all():
        return []
    start, end, response = facts["start"][run], facts["end"][run], facts["response"][run]
    inside = (start[:, None] <= start) & (end[:, None] >= end) & (scope[:, None] != scope)
    inside &= (response[:, None] == 0) | (response == 0) | (response[:, None] == response)
    return [(run[a], run[b]) for a, b in zip(*(side.tolist() for side in np.nonzero(inside)), strict=True)]


def _merge(facts: Rows, calls: Mask, records: Records | None, together: list[tuple[list[int], list[int]]]) -> tuple[Index, Rows, Index]:
    """One counted row per call: of those that tell it (the second list) the least (start, span), spans before records; what only its other
    tellings know is taken from them."""
    keep = calls.copy()
    changes: list[tuple[int, list[int]]] = []
    for rows, tellings in together:
        late = set(rows) - set(tellings)
        by_age = sorted((row in late, bool(records and records.every[row]), *_age(facts, row), row) for row in rows)
        winner, *rest = [row for *_, row in by_age]
        keep[[row for row in rest if calls[row]]] = False
        changes.append((winner, rest))
    counted = np.flatnonzero(keep)
    used = take(facts, counted)
    place = {row: at for at, row in enumerate(counted.tolist())} if changes else {}
    for winner, rest in changes:
        _complete(used, place[winner], facts[rest])
    return counted, used, np.array(sorted(row for rows, _ in together for row in rows), np.intp)


def _complete(used: Rows, at: int, others: Rows) -> None:
    """What only another telling knows, the leaf-most and earliest first; a reported cost goes before a computed one."""
    reported = others["cost"][others["cost_source"] == REPORTED]
    if used["cost_source"][at] != REPORTED and len(reported):
        used["cost"][at], used["cost_source"][at] = reported[0], REPORTED
    for name in ("cache_read", "cache_write", "reasoning", "user"):
        knowing = np.flatnonzero(others[name])
        if used[name][at] or not len(knowing):
            continue
        other = others[knowing[0]]
        used[name][at] = other[name]
        alike = other["input_tokens"] == used["input_tokens"][at] and other["output_tokens"] == used["output_tokens"][at]
        if name.startswith("cache") and used["cost_source"][at] != REPORTED and other["cost"] >= 0 and alike:
            used["cost"][at], used["cost_source"][at] = other["cost"], other["cost_source"]  # priced with the cached tokens


def _joined(edges: list[tuple[int, int]]) -> list[list[int]]:
    """The connected groups of rows."""
    head: dict[int, int] = {}

    def find(row: int) -> int:
        while head.setdefault(row, row) != row:
            head[row] = head[head[row]]
            row = head[row]
        return row

    for a, b in edges:
        head[find(a)] = find(b)
    together: dict[int, list[int]] = {}
    for row in head:
        together.setdefault(find(row), []).append(row)
    return list(together.values())


def _top_usage(groups: Groups, usage: Mask, telling: Mask, up: Index) -> Index:
    """In traces where no model span tells usage: the spans with usage that have none above them with usage."""
    if telling.all():
        return np.empty(0, np.intp)
    has = np.zeros(groups.count, bool)
    has[groups.member.compress(telling)] = True
    rows = np.flatnonzero(usage & ~has.take(groups.member))
    return rows.compress(~_below(up, rows, usage))


def _refused(facts: Rows, model: Mask, usage: Mask, counted: Index, told: Index, up: Index, together: list[list[int]]) -> Index:
    """Model spans without usage, no model span below and no counted call above; told under one response id they are one."""
    silent = model & ~usage
    silent[told] = False
    rows = np.flatnonzero(silent)
    if not len(rows):
        return rows
    rows = rows.compress(~ancestors(up, np.flatnonzero(model)).take(rows))
    call = np.zeros(len(up), bool)
    call[counted] = True
    rows = rows.compress(~_below(up, rows, call))
    if together:
        alone = set(rows.tolist())
        for group in together:
            same = sorted((int(facts["start"][row]), int(facts["span"][row]), row) for row in group if row in alone)
            alone -= {row for *_, row in same[1:]}
        rows = np.array(sorted(alone), np.intp)
    return rows


def _below(up: Index, rows: Index, marked: Mask) -> Mask:
    """Which of `rows` have a marked row above them."""
    out = np.zeros(len(rows), bool)
    at, who = up.take(rows), np.arange(len(rows))
    for _ in range(WALK):
        going = at >= 0
        at, who = at.compress(going), who.compress(going)
        if not len(at):
            return out
        hit = marked.take(at)
        out[who.compress(hit)] = True
        at, who = up.take(at.compress(~hit)), who.compress(~hit)
    return np.asarray(out | _below_all(up, marked).take(rows))


def _below_all(up: Index, marked: Mask) -> Mask:
    """Which rows have a marked row above them, by pointer doubling: the logarithm of the depth in rounds over all rows."""
    known = up >= 0
    below = known & marked.take(up)
    jump = up
    while known.any():
        below |= known & below.take(jump)
        jump = np.where(known, jump.take(jump), NONE)
        known = jump >= 0
    return np.asarray(below)
