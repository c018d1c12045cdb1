"""From the known spans and log records of a trace to one row for each session that has part in it: what happened in it, counted once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sojourn.schema import FACETS, FLAGS, KINDS
from sojourn.sessions.cells import Cells, all_spans, is_record
from sojourn.sessions.figures import are_numbers, of_traces
from sojourn.sessions.groups import Groups, arrange, find, greatest, least
from sojourn.sessions.identity import Identity, identify, top_most
from sojourn.sessions.order import changes, where
from sojourn.sessions.packed import TRACE, TRACE_FACET, U64, Index, Mask, Rows, concat, take
from sojourn.sessions.usage import EMBEDDING, LLM, RERANK, Calls, find_calls

TOOL_KIND = KINDS.index("tool")
KEPT_FLAGS = sum(FLAGS[name] for name in ("bad_time", "clock_skew", "truncated_id", "truncated", "limited"))
TOKENS = ("input_tokens", "output_tokens", "cache_read", "cache_write", "reasoning")


class World(Protocol):
    """What a fold has to ask of what lies outside of the traces."""

    measures: Mapping[int, int]
    """By the hash of the name of a measure how it comes about."""

    def ids(self, sessions: U64) -> U64:
        """Hashes of session ids alone for hashes of sessions."""

    def name_missing(self, main: U64, groups: Groups, facts: Rows, top: Index, facets: Rows, told_by: Index) -> None:
        """Fill in, in place, the sessions of the traces that have none; `top` are their top-most spans."""

    def involves_records(self, main: U64, facts: Rows) -> bool:
        """Whether anything but the spans of these traces has to be looked at."""

    def with_records(self, tree: Tree) -> Shared:
        """The same for traces to which log records and marks belong."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Traces as they are arranged, before anything is counted."""

    groups: Groups
    facts: Rows
    up: Index
    main: U64
    """The session of each trace's spans, 0 for none."""
    facets: Rows
    told_by: Index


@dataclass(frozen=True, slots=True)
class Shared:
    """Traces cut into parts."""

    cells: Cells
    calls: Calls
    """By the rows of the cells."""
    muted_tools: Mask
    """Tool spans that are not counted, because records tell them."""
    notes: Rows
    """TRACE_FACET rows about the cells, and the cell of each."""
    noted: Index


@dataclass(frozen=True, slots=True)
class Folded:
    """The answer for a set of traces, in the order of the group numbers given."""

    groups: Groups
    facts: Rows
    """The rows that count: one per span and record, sorted by trace."""
    facets: Rows
    """The facets of those rows (SPAN_FACET)."""
    told_by: Index
    """The row that told each."""
    main: U64
    """The session of each trace's spans, 0 for none."""
    cells: Cells
    traces: Rows
    """One TRACE row per cell; trace_hi and trace_lo are left to the caller."""
    trace_facets: Rows
    """TRACE_FACET rows, sorted by cell."""
    facet_counts: npt.NDArray[np.int64]
    """How many of them each cell has."""
    input: U64
    """Hash of each cell's input preview, 0 for none."""
    output: U64


def fold(facts: Rows, facets: Rows, world: World, bits: int = 40) -> Folded:
    """Fold FACT rows of any number of traces (`trace` is the group number), duplicates and all, with their SPAN_FACET rows."""
    record = is_record(facts)
    groups, kept, up, cut = arrange(facts, bits, record if record.any() else None)
    span = ~is_record(kept)
    identity, top = identify(groups, kept, span, world.ids), top_most(groups, kept, span, up)
    main = np.where(identity.winner >= 0, kept["session"][np.maximum(identity.winner, 0)], np.uint64(0))
    facets, told_by = _facets_of_kept(groups, kept, facets)
    world.name_missing(main, groups, kept, top, facets, told_by)
    if world.involves_records(main, kept):
        shared = world.with_records(Tree(groups, kept, up, main, facets, told_by))
    else:
        nothing = np.empty(0, np.intp)
        shared = Shared(all_spans(groups, kept, main), find_calls(groups, kept, up), ~span, np.empty(0, TRACE_FACET), nothing)
    return _folded(Tree(groups, kept, up, main, facets, told_by), shared, identity, top, cut, world.measures)


def _folded(tree: Tree, shared: Shared, identity: Identity, top: Index, cut: Index, measures: Mapping[int, int]) -> Folded:
    cells, calls = shared.cells, shared.calls
    if not cells.groups.count:
        return _nothing(tree, cells)
    own, top = cells.own(tree.main), cells.at(top)
    facets, told_by = _of_cells(tree, cells)
    traces = _sum_up(shared, top)
    _texts(cells, calls, facets, told_by, traces)
    cut = cells.place.take(cut)
    for rows, flag in ((cut[cut >= 0], "cycle"), (calls.told_twice, "told_twice"), (calls.limited, "limited")):
        traces["flags"][cells.groups.member.take(rows)] |= np.uint32(FLAGS[flag])
    other_cell = own.take(identity.other_group)
    other, other_cell = identity.other.compress(other_cell >= 0), other_cell.compress(other_cell >= 0)
    traces["flags"][other_cell] |= np.uint32(FLAGS["conflicting_ids"])
    trace_facets, counts = _trace_facets(shared, other_cell, other, facets, told_by, measures)
    given, made = _previews(cells, calls, top, traces)
    return Folded(tree.groups, tree.facts, tree.facets, tree.told_by, tree.main, cells, traces, trace_facets, counts, given, made)


def _of_cells(tree: Tree, cells: Cells) -> tuple[Rows, Index]:
    """The facets that count in some cell: all of spans, and the scores that records tell."""
    told_by = cells.place.take(tree.told_by)
    rows = np.maximum(told_by, 0)
    mine = (told_by >= 0) & cells.span.take(rows)
    if mine.all():
        return tree.facets, told_by
    mine |= (told_by >= 0) & are_numbers(tree.facets["what"]) & cells.live.take(rows)
    return take(tree.facets, np.flatnonzero(mine)), told_by.compress(mine)


def _nothing(tree: Tree, cells: Cells) -> Folded:
    """What is said of traces of which no session has a part."""
    rows, none, no_text = np.empty(0, TRACE), np.empty(0, np.int64), np.empty(0, np.uint64)
    facets = np.empty(0, TRACE_FACET)
    return Folded(tree.groups, tree.facts, tree.facets, tree.told_by, tree.main, cells, rows, facets, none, no_text, no_text)


def _sum_up(shared: Shared, top: Index) -> Rows:
    """Counts, sums, times, status and flags."""
    cells = shared.cells
    facts, first = cells.facts, cells.groups.first
    out = np.zeros(cells.groups.count, TRACE)
    out["session"] = cells.session
    flags, some = facts["flags"], np.maximum(top, 0)
    error = (flags & FLAGS["error"]) != 0
    tool = (facts["kind"] == TOOL_KIND) & cells.live & ~shared.muted_tools
    out["tool_calls"] = np.add.reduceat(tool, first, dtype=np.uint32)
    out["status"] = error.take(some)
    out["turn"] = (flags[some] & FLAGS["input"]) != 0
    out["name"] = facts["name"][some]
    if cells.span.all():
        _of_spans(cells, error, out)
    else:
        _with_records(cells, error, top, out)
    _sum_calls(cells.groups, facts, shared.calls, out)
    return out


def _of_spans(cells: Cells, error: Mask, out: Rows) -> None:
    """Where all rows are spans."""
    facts, first = cells.facts, cells.groups.first
    out["start"] = np.minimum.reduceat(facts["start"], first)
    out["end"] = np.maximum.reduceat(facts["end"], first)
    out["arrival"] = np.maximum.reduceat(facts["arrival"], first)
    out["spans"] = cells.groups.sizes
    out["errors"] = np.add.reduceat(error, first, dtype=np.uint32)
    out["flags"] = np.bitwise_or.reduceat(facts["flags"] & np.uint32(KEPT_FLAGS), first)


def _with_records(cells: Cells, error: Mask, top: Index, out: Rows) -> None:
    """Where not all rows are spans: records are no part of a trace's interval, and marks are nothing but marks."""
    facts, first, member = cells.facts, cells.groups.first, cells.groups.member
    spans = np.add.reduceat(cells.span, first, dtype=np.uint32)
    alive = np.logical_or.reduceat(cells.live, first)
    present = cells.live | ~alive.take(member)
    counts = np.where((spans > 0).take(member), cells.span, present)
    extreme = np.iinfo(np.int64)
    out["start"] = np.minimum.reduceat(np.where(counts, facts["start"], extreme.max), first)
    out["end"] = np.maximum.reduceat(np.where(counts, facts["end"], extreme.min), first)
    out["arrival"] = np.maximum.reduceat(np.where(present, facts["arrival"], extreme.min), first)
    out["spans"] = spans
    out["errors"] = np.add.reduceat(error & cells.span, first, dtype=np.uint32)
    record = cells.live & ~cells.span
    out["log_records"] = np.add.reduceat(record, first, dtype=np.uint32)
    out["log_errors"] = np.add.reduceat(record & error, first, dtype=np.uint32)
    kept = np.where(cells.live, facts["flags"] & np.uint32(KEPT_FLAGS), np.uint32(0))
    out["flags"] = np.bitwise_or.reduceat(kept, first)
    out["flags"][~alive] |= np.uint32(FLAGS["only_marks"])
    for name in ("status", "turn", "name"):
        out[name][top < 0] = 0


def _sum_calls(groups: Groups, facts: Rows, calls: Calls, out: Rows) -> None:
    member, used = groups.member.take(calls.counted), calls.used
    first = where(changes(member))
    for name in TOKENS:
        out[name] = _sums(member, first, used[name].astype(np.int64), groups.count)
    priced = used["cost"] >= 0
    out["cost"] = -1
    out["cost"][member.compress(priced)] = 0
    out["cost"] += _sums(member, first, np.where(priced, used["cost"], 0), groups.count)
    np.bitwise_or.at(out["cost_sources"], member.compress(priced), used["cost_source"].compress(priced))
    spent = (used["input_tokens"] | used["output_tokens"]) != 0
    unpriced = member.compress(~priced & spent)
    out["flags"][unpriced] |= np.uint32(FLAGS["unpriced"])
    kinds = np.concatenate([used["kind"], facts["kind"][calls.refused]])
    every = np.concatenate([member, groups.member.take(calls.refused)])
    out["llm_calls"] = np.bincount(every.compress(kinds == LLM), minlength=groups.count)
    out["embedding_calls"] = np.bincount(every.compress((kinds == EMBEDDING) | (kinds == RERANK)), minlength=groups.count)


def _sums(member: Index, first: Index, values: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Exact sums of integers per group; `member` is sorted, `first` tells where another one begins."""
    out = np.zeros(count, np.int64)
    if len(member):
        out[member.take(first)] = np.add.reduceat(values, first)
    return out


def _texts(cells: Cells, calls: Calls, facets: Rows, told_by: Index, out: Rows) -> None:
    """User, names: the latest by (start, span), each with where it was told."""
    groups, facts = cells.groups, cells.facts
    latest = greatest(groups, (facts["user"] != 0) & cells.live, facts["start"], facts["span"])
    some = latest >= 0
    for name, column in (("user", "user"), ("user_at", "start"), ("user_span", "span")):
        out[name] = np.where(some, facts[column][np.maximum(latest, 0)], 0)
    named = np.flatnonzero(facets["what"] == FACETS["session_name"])
    if len(named):
        rows, values = _one_facet(groups, facts, facets, told_by, named, latest=True)
        member = groups.member.take(rows)
        out["session_name"][member] = values
        out["session_name_at"][member], out["session_name_span"][member] = facts["start"][rows], facts["span"][rows]
    prompts = np.flatnonzero(facets["what"] == FACETS["prompt_name"])
    if len(prompts):
        rows, values = _one_facet(groups, facts, facets, told_by, prompts, latest=False)
        out["prompt_name"][groups.member.take(rows)] = values


def _one_facet(groups: Groups, facts: Rows, facets: Rows, told_by: Index, which: Index, latest: bool) -> tuple[Index, U64]:
    """Of one kind of facet, the latest or the earliest of each trace: the rows that told it, and the values."""
    value = np.zeros(len(facts), np.uint64)
    value[told_by.take(which)] = facets["value"][which]
    if latest:
        rows = greatest(groups, value != 0, facts["start"], facts["span"])
    else:
        rows = least(groups, value != 0, np.zeros(len(facts), np.uint8), facts["start"], facts["span"])
    rows = rows.compress(rows >= 0)
    return rows, value.take(rows)


def _previews(cells: Cells, calls: Calls, top: Index, out: Rows) -> tuple[U64, U64]:
    """Input and output of each trace: those of its top-most span, else of its first and its last call; and into `out` the last call."""
    groups, facts = cells.groups, cells.facts
    some = np.maximum(top, 0)
    given, made = facts["input"][some], facts["output"][some]
    if len(calls.counted):
        mask: Mask = np.zeros(len(facts), bool)
        mask[calls.counted] = True
        last = greatest(groups, mask, facts["start"], facts["span"])
        there, at = last >= 0, np.maximum(last, 0)
        for name, column in (("last_call_at", "start"), ("last_call_span", "span"), ("last_call_output", "output")):
            out[name] = np.where(there, facts[column][at], 0)
        if facts["input"].any() or facts["output"].any():
            first = least(groups, mask, np.zeros(len(facts), np.uint8), facts["start"], facts["span"])
            given = np.where((given == 0) & (first >= 0), facts["input"][np.maximum(first, 0)], given)
            made = np.where((made == 0) & there, facts["output"][at], made)
    if not cells.span.all():
        given, made = np.where(out["spans"] > 0, given, 0), np.where(out["spans"] > 0, made, 0)
    return given.astype(np.uint64, copy=False), made.astype(np.uint64, copy=False)


def _facets_of_kept(groups: Groups, facts: Rows, facets: Rows) -> tuple[Rows, Index]:
    """The facets whose copy of the span counts, once each, and the rows that told them."""
    if not len(facets):
        return facets, np.empty(0, np.intp)
    rows = find(groups, facts["span"], facets["trace"], facets["span"])
    alive = (rows >= 0) & (facts["digest"][np.maximum(rows, 0)] == facets["digest"])
    facets, rows = facets[alive], rows.compress(alive)
    by = np.lexsort((facets["value"], facets["key"], facets["what"], rows))
    facets, rows = facets[by], rows.take(by)
    again = (facets[1:] == facets[:-1]) & (rows[1:] == rows[:-1])
    once = np.append(True, ~again)[: len(rows)]
    return facets[once], rows.compress(once)


def _trace_facets(
    shared: Shared, other_cell: Index, other: U64, facets: Rows, told_by: Index, measures: Mapping[int, int]
) -> tuple[Rows, npt.NDArray[np.int64]]:
    """Services, models, providers, tools, tags, other ids, metadata, scores, measures and notes of each cell."""
    cells, calls = shared.cells, shared.calls
    groups, facts = cells.groups, cells.facts
    parts: list[Rows] = [shared.notes]
    members: list[Index] = [shared.noted]

    def add(what: str, member: Index, value: U64) -> None:
        member, value = _distinct(member, value)
        rows = np.zeros(len(member), TRACE_FACET)
        rows["what"], rows["value"] = FACETS[what], value
        parts.append(rows)
        members.append(member)

    add("service", groups.member, facts["service"] if cells.live.all() else np.where(cells.live, facts["service"], np.uint64(0)))
    called = groups.member.take(calls.counted)
    add("model", called, calls.used["model"])
    add("provider", called, calls.used["provider"])
    tool = np.flatnonzero((facts["kind"] == TOOL_KIND) & cells.live)
    add("tool", groups.member.take(tool), facts["tool"][tool])
    add("other_id", other_cell, other)
    if len(facets):
        tag = facets["what"] == FACETS["tag"]
        add("tag", groups.member.take(told_by.compress(tag)), facets["value"].compress(tag))
        told = [_metadata(groups, facts, facets, told_by)]
        some = np.flatnonzero(are_numbers(facets["what"]))
        if len(some):
            told.append(of_traces(take(facets, some), groups.member.take(told_by.take(some)), measures))
        parts += [rows for rows, _ in told]
        members += [member for _, member in told]
    member = np.concatenate(members)
    by = np.argsort(member, kind="stable")
    return take(concat(*parts), by), np.bincount(member, minlength=groups.count)


def _distinct(member: Index, value: U64) -> tuple[Index, U64]:
    """The distinct (member, value) pairs without value 0; `member` is sorted. Most traces say one thing again and again: cheap."""
    value = np.ascontiguousarray(value)
    new = changes(member, value) & (value != 0)
    member, value = member.compress(new), value.compress(new)
    by = np.lexsort((value, member))
    member, value = member.take(by), value.take(by)
    new = changes(member, value)
    return member.compress(new), value.compress(new)


def _metadata(groups: Groups, facts: Rows, facets: Rows, told_by: Index) -> tuple[Rows, Index]:
    """Per trace and key the latest value by (start, span)."""
    which = np.flatnonzero(facets["what"] == FACETS["metadata"])
    rows = told_by.take(which)
    key, member = facets["key"][which], groups.member.take(rows)
    at, span = facts["start"][rows], facts["span"][rows]
    by = np.lexsort((facets["value"][which], span, at, key, member))
    which, key, member, at, span = (each.take(by) for each in (which, key, member, at, span))
    last = np.append((member[1:] != member[:-1]) | (key[1:] != key[:-1]), True)[: len(which)]
    out = np.zeros(int(last.sum()), TRACE_FACET)
    out["what"], out["key"], out["value"] = FACETS["metadata"], key.compress(last), facets["value"][which.compress(last)]
    out["at"], out["span"] = at.compress(last), span.compress(last)
    return out, member.compress(last)
