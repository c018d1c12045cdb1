"""From the known spans of a trace to one row: what happened in it, counted once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sojourn.schema import FACETS, FLAGS, KINDS
from sojourn.sessions.groups import Groups, arrange, find, greatest, least
from sojourn.sessions.identity import Identity, identify, top_most
from sojourn.sessions.packed import TRACE, TRACE_FACET, U64, Index, Mask, Rows, concat, take
from sojourn.sessions.usage import EMBEDDING, LLM, RERANK, Calls, find_calls

TOOL_KIND = KINDS.index("tool")
KEPT_FLAGS = sum(FLAGS[name] for name in ("bad_time", "clock_skew", "truncated_id", "truncated", "limited"))
TOKENS = ("input_tokens", "output_tokens", "cache_read", "cache_write", "reasoning")


@dataclass(frozen=True, slots=True)
class Folded:
    """The answer for a set of traces, in the order of the group numbers given."""

    groups: Groups
    facts: Rows
    """The rows that count: one per span, sorted by trace."""
    facets: Rows
    """The facets of those rows (SPAN_FACET)."""
    identity: Identity
    top: Index
    traces: Rows
    """One TRACE row per trace; `session` is 0 where no span names one, trace_hi and trace_lo are left to the caller."""
    trace_facets: Rows
    """TRACE_FACET rows, sorted by trace."""
    facet_counts: npt.NDArray[np.int64]
    """How many of them each trace has."""
    input: U64
    """Hash of each trace's input preview, 0 for none."""
    output: U64


def fold(facts: Rows, facets: Rows, id_of: Callable[[U64], U64], bits: int = 40) -> Folded:
    """Fold FACT rows of any number of traces (`trace` is the group number), duplicates and all, with their SPAN_FACET rows.

    `id_of` gives hashes of session ids alone for hashes of sessions.
    """
    groups, kept, up, cut = arrange(facts, bits)
    calls = find_calls(groups, kept, up)
    identity, top = identify(groups, kept, id_of), top_most(groups, kept, up)
    facets, told_by = _facets_of_kept(groups, kept, facets)
    traces = _sum_up(groups, kept, calls, identity, top)
    _texts(groups, kept, calls, top, facets, told_by, traces)
    for rows, flag in ((cut, "cycle"), (calls.told_twice, "told_twice"), (calls.limited, "limited")):
        traces["flags"][groups.member.take(rows)] |= np.uint32(FLAGS[flag])
    traces["flags"][identity.other_group] |= np.uint32(FLAGS["conflicting_ids"])
    trace_facets, counts = _trace_facets(groups, kept, calls, identity, facets, told_by)
    given, made = _previews(groups, kept, calls, top)
    return Folded(groups, kept, facets, identity, top, traces, trace_facets, counts, given, made)


def _sum_up(groups: Groups, facts: Rows, calls: Calls, identity: Identity, top: Index) -> Rows:
    """Counts, sums, times, status and flags."""
    out = np.zeros(groups.count, TRACE)
    first = groups.first
    out["session"] = np.where(identity.winner >= 0, facts["session"].take(np.maximum(identity.winner, 0)), 0)
    out["start"] = np.minimum.reduceat(facts["start"], first)
    out["end"] = np.maximum.reduceat(facts["end"], first)
    out["arrival"] = np.maximum.reduceat(facts["arrival"], first)
    out["spans"] = groups.sizes
    flags = facts["flags"]
    out["errors"] = np.add.reduceat((flags & FLAGS["error"]) != 0, first, dtype=np.uint32)
    out["flags"] = np.bitwise_or.reduceat(flags & np.uint32(KEPT_FLAGS), first)
    out["tool_calls"] = np.add.reduceat(facts["kind"] == TOOL_KIND, first, dtype=np.uint32)
    out["status"] = (flags.take(top) & FLAGS["error"]) != 0
    out["turn"] = (flags.take(top) & FLAGS["input"]) != 0
    out["name"] = facts["name"].take(top)
    _sum_calls(groups, facts, calls, out)
    return out


def _sum_calls(groups: Groups, facts: Rows, calls: Calls, out: Rows) -> None:
    member, used = groups.member.take(calls.counted), calls.used
    for name in TOKENS:
        out[name] = _sums(member, used[name].astype(np.int64), groups.count)
    priced = used["cost"] >= 0
    out["cost"] = -1
    out["cost"][member.compress(priced)] = 0
    out["cost"] += _sums(member, np.where(priced, used["cost"], 0), groups.count)
    np.bitwise_or.at(out["cost_sources"], member.compress(priced), used["cost_source"].compress(priced))
    spent = (used["input_tokens"] | used["output_tokens"]) != 0
    unpriced = member.compress(~priced & spent)
    out["flags"][unpriced] |= np.uint32(FLAGS["unpriced"])
    kinds = np.concatenate([used["kind"], facts["kind"].take(calls.refused)])
    every = np.concatenate([member, groups.member.take(calls.refused)])
    out["llm_calls"] = np.bincount(every.compress(kinds == LLM), minlength=groups.count)
    out["embedding_calls"] = np.bincount(every.compress((kinds == EMBEDDING) | (kinds == RERANK)), minlength=groups.count)


def _sums(member: Index, values: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Exact sums of integers per group; `member` is sorted."""
    out = np.zeros(count, np.int64)
    if len(member):
        first = np.flatnonzero(np.append(True, member[1:] != member[:-1]))
        out[member.take(first)] = np.add.reduceat(values, first)
    return out


def _texts(groups: Groups, facts: Rows, calls: Calls, top: Index, facets: Rows, told_by: Index, out: Rows) -> None:
    """User, names: the latest by (start, span), each with where it was told."""
    latest = greatest(groups, facts["user"] != 0, facts["start"], facts["span"])
    some = latest >= 0
    for name, column in (("user", "user"), ("user_at", "start"), ("user_span", "span")):
        out[name] = np.where(some, facts[column].take(np.maximum(latest, 0)), 0)
    named = np.flatnonzero(facets["what"] == FACETS["session_name"])
    if len(named):
        rows, values = _one_facet(groups, facts, facets, told_by, named, latest=True)
        member = groups.member.take(rows)
        out["session_name"][member] = values
        out["session_name_at"][member], out["session_name_span"][member] = facts["start"].take(rows), facts["span"].take(rows)
    prompts = np.flatnonzero(facets["what"] == FACETS["prompt_name"])
    if len(prompts):
        rows, values = _one_facet(groups, facts, facets, told_by, prompts, latest=False)
        out["prompt_name"][groups.member.take(rows)] = values


def _one_facet(groups: Groups, facts: Rows, facets: Rows, told_by: Index, which: Index, latest: bool) -> tuple[Index, U64]:
    """Of one kind of facet, the latest or the earliest of each trace: the rows that told it, and the values."""
    value = np.zeros(len(facts), np.uint64)
    value[told_by.take(which)] = facets["value"].take(which)
    if latest:
        rows = greatest(groups, value != 0, facts["start"], facts["span"])
    else:
        rows = least(groups, value != 0, np.zeros(len(facts), np.uint8), facts["start"], facts["span"])
    rows = rows.compress(rows >= 0)
    return rows, value.take(rows)


def _previews(groups: Groups, facts: Rows, calls: Calls, top: Index) -> tuple[U64, U64]:
    """Input and output of each trace: those of its top-most span, else of its first and its last call."""
    given, made = facts["input"].take(top), facts["output"].take(top)
    if not (facts["input"].any() or facts["output"].any()):
        return given, made
    mask: Mask = np.zeros(len(facts), bool)
    mask[calls.counted] = True
    first = least(groups, mask, np.zeros(len(facts), np.uint8), facts["start"], facts["span"])
    last = greatest(groups, mask, facts["start"], facts["span"])
    given = np.where((given == 0) & (first >= 0), facts["input"].take(np.maximum(first, 0)), given)
    made = np.where((made == 0) & (last >= 0), facts["output"].take(np.maximum(last, 0)), made)
    return given, made


def _facets_of_kept(groups: Groups, facts: Rows, facets: Rows) -> tuple[Rows, Index]:
    """The facets whose copy of the span counts, once each, and the rows that told them."""
    if not len(facets):
        return facets, np.empty(0, np.intp)
    rows = find(groups, facts["span"], facets["trace"], facets["span"])
    alive = (rows >= 0) & (facts["digest"].take(np.maximum(rows, 0)) == facets["digest"])
    facets, rows = facets[alive], rows.compress(alive)
    by = np.lexsort((facets["value"], facets["key"], facets["what"], rows))
    facets, rows = facets[by], rows.take(by)
    again = (facets[1:] == facets[:-1]) & (rows[1:] == rows[:-1])
    once = np.append(True, ~again)[: len(rows)]
    return facets[once], rows.compress(once)


def _trace_facets(
    groups: Groups, facts: Rows, calls: Calls, identity: Identity, facets: Rows, told_by: Index
) -> tuple[Rows, npt.NDArray[np.int64]]:
    """Services, models, providers, tools, tags, other ids and metadata of each trace."""
    parts: list[Rows] = []
    members: list[Index] = []

    def add(what: str, member: Index, value: U64) -> None:
        member, value = _distinct(member, value)
        rows = np.zeros(len(member), TRACE_FACET)
        rows["what"], rows["value"] = FACETS[what], value
        parts.append(rows)
        members.append(member)

    add("service", groups.member, facts["service"])
    called = groups.member.take(calls.counted)
    add("model", called, calls.used["model"])
    add("provider", called, calls.used["provider"])
    tool = np.flatnonzero(facts["kind"] == TOOL_KIND)
    add("tool", groups.member.take(tool), facts["tool"].take(tool))
    add("other_id", identity.other_group, identity.other)
    if len(facets):
        tag = facets["what"] == FACETS["tag"]
        add("tag", groups.member.take(told_by.compress(tag)), facets["value"].compress(tag))
        metadata = _metadata(groups, facts, facets, told_by)
        parts.append(metadata[0])
        members.append(metadata[1])
    member = np.concatenate(members)
    by = np.argsort(member, kind="stable")
    return take(concat(*parts), by), np.bincount(member, minlength=groups.count)


def _distinct(member: Index, value: U64) -> tuple[Index, U64]:
    """The distinct (member, value) pairs without value 0; `member` is sorted. Most traces say one thing again and again: cheap."""
    some = value != 0
    member, value = member.compress(some), value.compress(some)
    new = np.append(True, (member[1:] != member[:-1]) | (value[1:] != value[:-1]))[: len(member)]
    member, value = member.compress(new), value.compress(new)
    by = np.lexsort((value, member))
    member, value = member.take(by), value.take(by)
    new = np.append(True, (member[1:] != member[:-1]) | (value[1:] != value[:-1]))[: len(member)]
    return member.compress(new), value.compress(new)


def _metadata(groups: Groups, facts: Rows, facets: Rows, told_by: Index) -> tuple[Rows, Index]:
    """Per trace and key the latest value by (start, span)."""
    which = np.flatnonzero(facets["what"] == FACETS["metadata"])
    rows = told_by.take(which)
    key, member = facets["key"].take(which), groups.member.take(rows)
    at, span = facts["start"].take(rows), facts["span"].take(rows)
    by = np.lexsort((facets["value"].take(which), span, at, key, member))
    which, key, member, at, span = (each.take(by) for each in (which, key, member, at, span))
    last = np.append((member[1:] != member[:-1]) | (key[1:] != key[:-1]), True)[: len(which)]
    out = np.zeros(int(last.sum()), TRACE_FACET)
    out["what"], out["key"], out["value"] = FACETS["metadata"], key.compress(last), facets["value"].take(which.compress(last))
    out["at"], out["span"] = at.compress(last), span.compress(last)
    return out, member.compress(last)
