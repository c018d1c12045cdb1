"""`aggregate`: one row per trace, folded afresh from all its known spans whenever one of them comes.

Nothing is added up over time, so order, repetition, late ids and corrections need no code of their own. Spans of recently touched traces
stay on a shelf; those of others are read back from the database when they are touched again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sojourn.component import Batch, Host, Process, Processor
from sojourn.config.types import Size
from sojourn.errors import ConfigError


class Aggregate(Processor):
    """Prices model calls and sums every trace up: counts, tokens, cost, errors, times, texts."""

    prices: Path | None = None
    """YAML file with your own prices in US dollars per million tokens, looked at before the bundled table:
    {provider: {model: {input: 1.25, output: 10}}}."""
    memory: Size = 32 * 1024 * 1024
    """How much the spans of recently touched traces may take; what is forgotten is read back from the database when it is needed again."""

    @contextmanager
    def open(self, host: Host) -> Iterator[Process]:
        from sojourn.processors.folding import Fold
        from sojourn.sessions.prices import Prices

        try:
            prices = Prices(_read(self.prices))
        except ValueError as error:
            raise ConfigError(f"{self.prices}: {error}") from error
        fold = Fold(host, prices, self.memory)
        if host.telling is not None:
            host.telling.folding = fold
        yield _Aggregate(fold)


def _read(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"prices: {path} cannot be read: {error}") from error


class _Aggregate:
    def __init__(self, fold: Any) -> None:
        self._fold = fold

    def process(self, batch: Batch) -> Iterable[Batch]:
        if not len(batch.records):
            return (batch,)
        match batch.table:
            case "otel_traces":
                return (Batch(batch.table, self._fold.take(batch.records)),)
            case "otel_logs":
                return (Batch(batch.table, self._fold.take_records(batch.records)),)
        return (batch,)

    def settle(self) -> Iterable[Batch]:
        return (*_rows(self._fold.settle()), *self._fold.orders())

    def tick(self, now: int) -> Iterable[Batch]:
        return (*_rows(self._fold.due()), *self._fold.orders())

    def committed(self) -> None:
        self._fold.committed()

    def discard(self) -> None:
        self._fold.discard()


def _rows(traces: Any) -> tuple[Batch, ...]:
    return () if traces is None else (Batch("session_trace_rows", traces),)
