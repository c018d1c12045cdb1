"""Which rules hold for a session? Those for everybody, or those of the first override that its project and its services fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.schema import FACETS
from sojourn.sessions.gather import Gathered
from sojourn.sessions.lifecycle import Rules
from sojourn.sessions.packed import U64, Index, Mask, flat, hashes, owners

_SERVICE = FACETS["service"]


@dataclass(frozen=True, slots=True)
class Override:
    """Other rules for sessions of a project, for those in which a service has part, or for those of both."""

    project: str | None
    service: str | None
    rules: Rules


class Book:
    """All rules. What holds for a session follows from its key and its trace rows alone, so it does not matter what came first."""

    def __init__(self, base: Rules, overrides: Sequence[Override], texts: Any) -> None:
        self.base = base
        self._all = [base, *(each.rules for each in overrides)]
        self._projects = [each.project for each in overrides]
        self._services: list[int | None] = []
        for each in overrides:
            self._services.append(None if each.service is None else int(hashes(texts, pa.array([each.service]))[0]))

    @property
    def longest_silence(self) -> int:
        """After how long every session has ended that was not heard of, ns."""
        return max(int(np.max(rules.silence)) for rules in self._all)

    def of(self, names: pa.RecordBatch, gathered: Gathered) -> Rules:
        """The rules of each session that was gathered; plain ones if no override fits any."""
        if len(self._all) == 1:
            return self.base
        said = gathered.facets["what"] == _SERVICE
        session = gathered.session.take(gathered.facet_row.compress(said))
        return self._chosen(names.column("Project"), gathered.facets["value"].compress(said), session)

    def of_stored(self, table: pa.Table, texts: Any) -> Rules:
        """The rules of sessions by their stored rows: columns Project and Services."""
        if len(self._all) == 1 or not len(table):
            return self.base
        services = table.column("Services").combine_chunks()
        return self._chosen(table.column("Project"), hashes(texts, flat(services).cast(pa.string())), owners(services))

    def _chosen(self, projects: pa.Array, services: U64, session: Index) -> Rules:
        project = np.array(projects.to_pylist(), object)
        which = np.zeros(len(project), np.intp)
        for number in range(len(self._projects), 0, -1):
            which[self._fits(number - 1, project, services, session)] = number
        return Rules.each(self._all, which) if which.any() else self.base

    def _fits(self, override: int, project: npt.NDArray[Any], services: U64, session: Index) -> Mask:
        wanted, service = self._projects[override], self._services[override]
        fits = np.ones(len(project), bool) if wanted is None else project == wanted
        if service is not None:
            present = np.zeros(len(project), bool)
            present[session.compress(services == np.uint64(service))] = True
            fits = fits & present
        return fits
