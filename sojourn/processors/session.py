"""`session`: what each span and log record says about its session, settled: whose it is, what kind it is, what it used.

It holds no state. Which session a *trace* is in follows from all its spans, and is decided where traces are folded (`aggregate`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sojourn.component import Batch, Host, Process, Processor

if TYPE_CHECKING:
    from sojourn.sessions.missing import Missing


class Project(BaseModel):
    """Where a span's project comes from: an attribute of its resource, or one constant."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    attribute: str | None = None
    """Resource attribute whose value is the project, such as `service.namespace`."""
    value: str | None = None
    """One project for everything, such as `shop`."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Project:
        if (self.attribute is None) == (self.value is None):
            raise ValueError("give either attribute or value, such as {attribute: service.namespace}")
        return self


class Session(Processor):
    """Names the session of every span from its attributes, and settles kind, tokens and provider."""

    id_attributes: tuple[str, ...] | None = None
    """Attribute keys that name the session, first valid value first; by default those of all frameworks that Sojourn knows."""
    id_max_length: int = Field(256, ge=32, le=4096)
    """Longest session id in characters; longer ones keep their first 200 and a digest."""
    project: Project = Project(attribute="service.namespace")
    """What separates sessions with the same id, such as two applications that send to one collector."""
    missing_id: Literal["none", "trace", "gap"] = "none"
    """Traces that name no session: in none, each a session of its own, or grouped by `gap_attributes` and silence."""
    gap_attributes: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1, max_length=16)] = ("user", "service")
    """What makes the session id with `missing_id: gap`: values of the top-most span of the trace, else of its resource, joined by `|`.
    `user` and `service`, or keys of attributes, such as `[user, deployment.environment.name]`."""

    def lift(self) -> dict[str, Any]:
        """What it wants of the plan after which the native core lifts attributes into columns."""
        return {
            "id_attributes": self.id_attributes,
            "project": self.project.model_dump(exclude_none=True),
            "id_max_length": self.id_max_length,
            "gap_attributes": self.gap_attributes if self.missing_id == "gap" else (),
        }

    def missing(self) -> Missing:
        """What becomes of traces that name no session."""
        from sojourn.sessions.missing import Missing

        return Missing(self.missing_id, self.gap_attributes, self.id_max_length)

    @contextmanager
    def open(self, host: Host) -> Iterator[Process]:
        if host.telling is not None:
            host.telling.missing = self.missing()
        yield _Settle(host)


class _Settle:
    def __init__(self, host: Host) -> None:
        import pyarrow as pa

        from sojourn.sessions.log_events import RECORDS
        from sojourn.sessions.packed import hashes
        from sojourn.sessions.settle import ADDITIVE_SCOPES, Providers

        assert host.texts is not None
        self._telling = host.telling
        self._providers = Providers(host.texts)
        self._texts = host.texts
        self._scopes = hashes(host.texts, pa.array(ADDITIVE_SCOPES))
        self._beside = {
            part: hashes(host.texts, pa.array([event for event, record in RECORDS.items() if part in record.beside]))
            for part in ("cached", "thoughts")
        }
        self._agent_step = int(hashes(host.texts, pa.array(["agent_step"]))[0])

    def process(self, batch: Batch) -> Iterable[Batch]:
        if batch.table == "otel_traces":
            return (Batch(batch.table, self._spans(batch.records)),)
        if batch.table == "otel_logs":
            return (Batch(batch.table, self._records(batch.records)),)
        return (Batch(batch.table, self._living(batch.records)),) if self._telling is not None and len(batch.records) else (batch,)

    def _living(self, points: Any) -> Any:
        """Without the metric points of sessions that were deleted after them: they are not stored again."""
        assert self._telling is not None
        folding, graves = self._telling.folding, self._telling.graves
        if folding is not None:
            folding.wake()  # what was deleted in an earlier life
        if not graves:
            return points
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        from sojourn.sessions.names import NAME
        from sojourn.sessions.packed import hashes

        ids = pc.binary_join_element_wise(*(points.column(name).cast(pa.string()) for name in NAME), "\0")
        since = np.where(pc.equal(points.column("SessionId").cast(pa.string()), ""), 0, graves.since(hashes(self._texts, ids)))
        times = (np.asarray(points.column(name).cast(pa.int64())) for name in ("TimeUnix", "Arrival"))
        late = np.logical_or(*(time < since for time in times))
        return points.filter(pa.array(~late)) if late.any() else points

    def _spans(self, records: Any) -> Any:
        import numpy as np
        import pyarrow as pa

        from sojourn.schema import KINDS
        from sojourn.sessions import settle
        from sojourn.sessions.packed import FACT, copy, view

        facts = copy(view(records.column("_fact"), FACT))
        if not len(facts):
            return records
        settle.kinds(facts, self._agent_step)
        total = np.asarray(records.column("_total_tokens"))
        changed = settle.tokens(facts, total, np.isin(facts["scope"], self._scopes))
        kinds = {"Kind": pa.DictionaryArray.from_arrays(facts["kind"].astype("i4"), pa.array(KINDS))}
        return self._settled(records, facts, (bool(changed.any()), *self._costs_and_providers(facts)), kinds)

    def _records(self, records: Any) -> Any:
        """Only records that tell a call have something to settle, and their kind is told by the names of their events alone."""
        import numpy as np

        from sojourn.sessions import settle
        from sojourn.sessions.packed import FACT, copy, put, take, view

        told = view(records.column("_fact"), FACT)
        calls = np.flatnonzero(told["kind"] != settle.SPAN)
        if not len(calls):
            return records
        facts, some = copy(told), take(told, calls)
        total = np.asarray(records.column("_total_tokens")).take(calls)
        cached, thoughts = (np.isin(some["name"], self._beside[part]) for part in ("cached", "thoughts"))
        changed = settle.tokens(some, total, cached, thoughts)
        costs, providers = self._costs_and_providers(some)
        put(facts, calls, some)
        return self._settled(records, facts, (bool(changed.any()), costs, providers), {})

    def _costs_and_providers(self, facts: Any) -> tuple[bool, bool]:
        """Settle both; whether any changed."""
        from sojourn.sessions import settle

        costs = bool(settle.cost(facts).any())
        told = facts["provider"].copy()
        facts["provider"] = self._providers.settle(told, facts["model"])
        return costs, bool((facts["provider"] != told).any())

    def _settled(self, records: Any, facts: Any, changed: tuple[bool, bool, bool], new: dict[str, Any]) -> Any:
        """The columns that say the same as the settled facts, where tokens, costs or providers changed."""
        from sojourn.sessions.columns import replace, settled_costs, settled_providers, settled_tokens
        from sojourn.sessions.packed import column

        tokens, costs, providers = changed
        new = {"_fact": column(facts), **new}
        if tokens:
            new |= settled_tokens(facts)
        if costs:
            new |= settled_costs(facts)
        if providers:
            new["Provider"] = settled_providers(facts, self._texts)
        return replace(records, new)

    def settle(self) -> Iterable[Batch]:
        return ()

    def tick(self, now: int) -> Iterable[Batch]:
        return ()

    def committed(self) -> None:
        return None

    def discard(self) -> None:
        return None
