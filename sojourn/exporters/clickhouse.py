"""Store everything in ClickHouse: embedded in this process (chDB) or a server."""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from sojourn import schema
from sojourn.component import FORGET, REPRICE, Batch, Component, Export, Exporter, Host, Raw
from sojourn.config.types import Duration, Secret, Url
from sojourn.errors import ConfigError, Rejected, Unavailable
from sojourn.storage.inserting import PARTITIONS, settings

if TYPE_CHECKING:
    import pyarrow as pa

    from sojourn.storage.database import Database
    from sojourn.storage.history import History

log = logging.getLogger(__name__)

_DAY: Final = 86_400_000_000_000


class RetryOnFailure(Component):
    """What happens when the database cannot be reached or is overloaded. Names and meaning are the Collector's."""

    enabled: bool = True
    """Try again. If not, data that could not be stored at once is refused for good."""
    initial_interval: Duration = 1.0
    """The first pause, for example 1s."""
    max_interval: Duration = 30.0
    """The longest pause."""
    multiplier: Annotated[float, Field(ge=1.0, le=100.0)] = 1.5
    """How much longer each pause is than the one before."""
    max_elapsed_time: Duration = 0.0
    """After this time data is given up, for example 1h. 0 means never: senders are told to wait."""


class Clickhouse(Exporter):
    """Spans, log records, metric points, traces, segments, sessions and events as tables and views in ClickHouse."""

    endpoint: Url = Url("chdb://")
    """`chdb://` (embedded, in the data directory), `chdb:///path`, or a server: `clickhouse://user:password@host:8123/database?secure=true`."""
    username: str = ""
    """User of a server, if the endpoint names none."""
    password: Secret = Secret("")
    """Password of that user."""
    database: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")] = "otel"
    """Database for the tables, if the endpoint names none. It is created."""
    compress: Literal["auto", "lz4", "none"] = "auto"
    """Compression on the way to a server: `auto` is lz4 to a server and none to the embedded database."""
    create_schema: bool = True
    """Create database, tables and views at start. Where that is somebody else's task, `sojourn schema` prints the statements."""
    timeout: Duration = 60.0
    """How long one insert or one question may take, for example 60s."""
    retry_on_failure: RetryOnFailure = RetryOnFailure()
    """What happens when the database cannot be reached."""
    retention: Duration = 30 * 86_400.0
    """How long whole sessions are kept, from the later of their end and last arrival, and traces without session from their last arrival.
    0 keeps everything."""
    settings: Mapping[str, bool | int | float | str] = {}
    """Further ClickHouse settings for every insert, for example `insert_quorum: 2`."""

    def stores_in(self, host: Host) -> Database:
        from sojourn.storage.address import parse
        from sojourn.storage.database import Database

        address = parse(
            self.endpoint.reveal(),
            database=self.database,
            username=self.username,
            password=self.password.reveal(),
            data_dir=host.data_dir,
        )
        return Database(address, timeout=self.timeout)

    def open(self, host: Host) -> AbstractContextManager[Export]:
        return self._open(host)

    @contextlib.contextmanager
    def _open(self, host: Host) -> Iterator[Inserting]:
        with self.stores_in(host) as database:
            inserting = Inserting(self, database, host.collector)
            try:
                inserting.prepare()
            except Unavailable as error:
                log.warning("%s: data is taken and kept until it can be stored", error)
            yield inserting

    def open_history(self, host: Host) -> AbstractContextManager[History | None]:
        return self._open_history(host)

    @contextlib.contextmanager
    def _open_history(self, host: Host) -> Iterator[History]:
        from sojourn.storage.history import History

        with self.stores_in(host) as database:
            # Processors ask before the first insert: if the database came up late, it has no tables yet.
            database.when_missing = lambda: Inserting(self, database, host.collector).prepare(again=True)
            yield History(database, round(self.retention * 1e9))


@dataclass(slots=True)
class _Attempt:
    """A batch on its way, with what has to be the same at every attempt."""

    batch: Batch
    token: str
    since: float
    failures: int = 0
    looked: bool = False
    """Rows were not there that should be; an insert that is still under way had time to show them."""


@dataclass(slots=True)
class Inserting:
    """A running exporter. export() may be called from several threads; a batch that failed is given again as the same object."""

    description: Clickhouse
    database: Database
    collector: str
    _run: str = field(default_factory=lambda: secrets.token_hex(8))
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _attempts: dict[int, _Attempt] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ready: bool = False

    def prepare(self, again: bool = False) -> None:
        """The tables are there, whatever was before. Raises ConfigError, SojournError, Unavailable or Rejected."""
        from sojourn.storage import migrate

        with self._lock:
            if self._ready and not again:
                return
            if self.description.create_schema:
                for name in migrate.apply(self.database, again=again):
                    log.info("%s: applied %s", self.database.address, name)
            else:
                migrate.refuse_foreign(self.database)
            self._ready = True

    def export(self, batch: Batch | Raw) -> None:
        if isinstance(batch, Raw):
            raise Rejected("requests as they came cannot be stored in ClickHouse: put a processor before this exporter")
        with self._lock:
            attempt = self._attempts.setdefault(id(batch), self._first(batch))
        try:
            self._insert(attempt)
        except Unavailable as error:
            self._wait_or_give_up(attempt, error)
        except BaseException:
            self._forget(attempt)
            raise
        self._forget(attempt)

    def _first(self, batch: Batch) -> _Attempt:
        token = batch.token or f"{self.collector}/{self._run}-{next(self._numbers)}-{batch.table}"
        return _Attempt(batch, token, time.monotonic())

    def _forget(self, attempt: _Attempt) -> None:
        with self._lock:
            self._attempts.pop(id(attempt.batch), None)

    def _wait_or_give_up(self, attempt: _Attempt, error: Unavailable) -> None:
        """Raise the error again, with the pause that is due, or Rejected if this batch has been tried for long enough."""
        rules = self.description.retry_on_failure
        pause = min(rules.initial_interval * rules.multiplier ** min(attempt.failures, 100), rules.max_interval)
        attempt.failures += 1
        elapsed = time.monotonic() - attempt.since
        if not rules.enabled or (rules.max_elapsed_time and elapsed + pause > rules.max_elapsed_time):
            self._forget(attempt)
            raise Rejected(f"given up after {elapsed:.0f} s: {error}", of_rows=False) from error
        raise Unavailable(str(error), max(error.retry_after, pause * random.uniform(0.75, 1.25))) from error

    def _insert(self, attempt: _Attempt) -> None:
        try:
            self.prepare(again=attempt.failures > 0 and not self._ready)
        except ConfigError as error:  # the database came up late, with somebody else's tables in it
            raise Unavailable(str(error), 10.0) from error
        if attempt.batch.table == FORGET:
            from sojourn.storage.forgetting import forget

            forget(self.database, attempt.batch.records)
            return
        if attempt.batch.table == REPRICE:
            from sojourn.storage.repricing import reprice

            reprice(self.database, attempt.batch.records)
            return
        table = _TABLES.get(attempt.batch.table)
        if table is None:
            raise Rejected(f"{attempt.batch.table}: there is no such table")
        records = _with_collector(attempt.batch.records, table, self.collector)
        for number, part in enumerate(_by_days(records, table)):
            self._insert_part(table, part, f"{attempt.token}-{number}")
            if table in schema.RECEIVED and (attempt.failures or attempt.batch.again):
                self._look(attempt, table, part, f"{attempt.token}-{number}")

    def _look(self, attempt: _Attempt, table: schema.Table, records: pa.RecordBatch, token: str) -> None:
        """What was inserted again may have been taken for a repeated insert of rows that are not there: see storage/verifying.py."""
        from sojourn.storage.verifying import missing

        for number in range(_LOOKS):
            lost = missing(self.database, table, records)
            if not len(lost):
                return
            said = f"{self.database.address}: {table.name}: {len(lost)} rows were taken for stored ones and are not there"
            if not attempt.looked:
                attempt.looked = True
                raise Unavailable(f"{said}: looking again")
            log.warning("%s: inserted anew: the database was killed between writing down that it has them and having them", said)
            records = records.take(lost)
            self._insert_part(table, records, f"{token}.{number}")
        raise Unavailable(f"{self.database.address}: {table.name}: rows vanish as they are inserted")

    def _insert_part(self, table: schema.Table, records: pa.RecordBatch, token: str) -> None:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        from sojourn import _native
        from sojourn.storage.failures import MISSING, code_of, told

        compressed = self._compressed()
        columns = [(column.name, column.type) for column in table.columns]
        try:
            block = _native.encode_native(records, columns, compressed)
        except ValueError as error:
            raise Rejected(f"{table.name}: {error}") from error
        try:
            self.database.insert(
                table.name, [name for name, _ in columns], block, compressed=compressed, settings=self._settings(table, token)
            )
        except ClickHouseError as error:
            if code_of(error) in MISSING:
                self._ready = False
            raise told(error, f"{self.database.address}: {table.name}") from error

    def _compressed(self) -> bool:
        if self.description.compress == "auto":
            return not self.database.embedded
        return self.description.compress == "lz4" and not self.database.embedded

    def _settings(self, table: schema.Table, token: str) -> dict[str, object]:
        own = {name: int(value) if isinstance(value, bool) else value for name, value in self.description.settings.items()}
        return settings(self.database, table, token) | own


_LOOKS: Final = 4
_TABLES: Final = {table.name: table for table in schema.TABLES}


def _with_collector(records: pa.RecordBatch, table: schema.Table, collector: str) -> pa.RecordBatch:
    """The rows with the name of who stores them, if the table wants it and they have none."""
    import pyarrow as pa

    names = {column.name for column in table.columns}
    if "Collector" not in names or "Collector" in records.schema.names:
        return records
    indices = pa.repeat(pa.scalar(0, pa.uint8()), records.num_rows)
    return records.append_column("Collector", pa.DictionaryArray.from_arrays(indices, pa.array([collector])))


def _by_days(records: pa.RecordBatch, table: schema.Table) -> Iterator[pa.RecordBatch]:
    """The rows in as few batches as the number of partitions in one insert allows: nearly always one."""
    import numpy as np
    import pyarrow as pa

    if not table.days or not records.num_rows or table.days not in records.schema.names:
        yield records
        return
    days = records.column(table.days).cast(pa.int64()).to_numpy(zero_copy_only=False) // _DAY
    if days.max() - days.min() < PARTITIONS:
        yield records
        return
    number = np.unique(days, return_inverse=True)[1]
    for first in range(0, int(number.max()) + 1, PARTITIONS):
        yield records.take(pa.array(np.flatnonzero((number >= first) & (number < first + PARTITIONS))))
