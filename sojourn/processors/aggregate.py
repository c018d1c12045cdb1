"""`aggregate`: one row per trace, folded afresh from all its known spans whenever one of them comes.

Nothing is added up over time, so order, repetition, late ids and corrections need no code of their own. Spans of recently touched traces
stay on a shelf; those of others are read back from the database when they are touched again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sojourn.component import Batch, Host, Process, Processor
from sojourn.config.types import Size

if TYPE_CHECKING:
    from sojourn.sessions.prices import Prices
Attribute = Annotated[str, Field(min_length=1)]


class Measure(BaseModel):
    """A figure of your own: the sum, the least or the greatest of an integer attribute over the spans of a trace, or of a session."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sum: Attribute | None = None
    """Attribute that is added up, such as `app.pages`."""
    min: Attribute | None = None
    """Attribute of which the least value counts."""
    max: Attribute | None = None
    """Attribute of which the greatest value counts, such as `app.retry`."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Measure:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("give one of sum, min and max, such as {sum: app.pages}")
        return self

    @property
    def how(self) -> str:
        return next(iter(self.model_dump(exclude_none=True)))

    @property
    def attribute(self) -> str:
        return str(getattr(self, self.how))


def _prices(path: Path | None) -> Prices:
    """The prices of a file, before those of the bundled table. ValueError says what is wrong with it."""
    from sojourn.sessions.prices import Prices

    try:
        return Prices(None if path is None else _read(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _with_prices(path: Path) -> Path:
    """Tells what is wrong with a file before the collector starts."""
    _prices(path)
    return path


def _read(path: Path) -> Any:
    import yaml

    try:
        tree = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        _refuse_twice(tree)
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("is no text in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"{f'line {mark.line + 1}: ' if mark else ''}not YAML: {getattr(error, 'problem', None) or error}") from None


def _refuse_twice(node: Any) -> None:
    """A price that stands there twice is one too many: which one counts nobody would guess."""
    if getattr(node, "id", "") != "mapping":
        return
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value).lower()
        if name in seen:
            raise ValueError(f"line {key.start_mark.line + 1}: {key.value} is there twice: keep one of them")
        seen.add(name)
        _refuse_twice(value)


class Aggregate(Processor):
    """Prices model calls and sums every trace up: counts, tokens, cost, errors, times, texts."""

    prices: Annotated[Path, AfterValidator(_with_prices)] | None = None
    """YAML file with your own prices in US dollars per million tokens, looked at before the bundled table:
    {openai: {gpt-4o: {input: 1.25, output: 10, cache_read: 0.5}}}. `*` stands in names of models for anything, as provider for all."""
    measures: dict[Annotated[str, Field(min_length=1, max_length=256)], Measure] = Field({}, max_length=64)
    """Your own figures by name, shown in the column Measures of traces and sessions: {pages: {sum: app.pages}, retries: {max: app.retry}}.
    An attribute counts where its value is an integer, or a text that is one."""
    memory: Size = 32 * 1024 * 1024
    """How much the spans of recently touched traces may take; what is forgotten is read back from the database when it is needed again."""

    @contextmanager
    def open(self, host: Host) -> Iterator[Process]:
        from sojourn.processors.folding import Fold

        prices, measures = _prices(self.prices), {name: measure.how for name, measure in self.measures.items()}
        fold = Fold(host, prices, self.memory, measures)
        if host.telling is not None:
            host.telling.folding = fold
        yield _Aggregate(fold)

    def lift(self) -> dict[str, Any]:
        """What it wants of the plan after which the native core lifts attributes into columns."""
        return {"measures": {name: measure.attribute for name, measure in self.measures.items()}}


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

    def meters(self) -> dict[str, float]:
        """Spans whose session id lost against that of their trace."""
        return {"sojourn_conflicting_ids_total": float(self._fold.conflicts)}


def _rows(traces: Any) -> tuple[Batch, ...]:
    return () if traces is None else (Batch("session_trace_rows", traces),)
