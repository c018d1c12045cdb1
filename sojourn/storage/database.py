"""One ClickHouse, embedded in this process or a server, spoken to by clickhouse-connect with one client per thread."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from sojourn.errors import Unavailable
from sojourn.storage import embedded
from sojourn.storage.address import Address
from sojourn.storage.embedded import Inserter
from sojourn.storage.failures import MISSING, code_of, told

if TYPE_CHECKING:
    import pyarrow as pa
    from clickhouse_connect.driver.client import Client

_log = logging.getLogger(__name__)
_warned: set[str] = set()
"""Databases whose answers were found unreadable: told once per process."""

_READ: Final = "max_execution_time = {seconds}, output_format_arrow_compression_method = 'none', output_format_arrow_string_as_string = 1"


class Database:
    """Opens nothing until it is asked something. Safe to share between threads; close() ends it for all of them."""

    def __init__(self, address: Address, *, timeout: float = 60.0) -> None:
        """`timeout` in seconds bounds every request to a server, and every statement that reads."""
        self.address = address
        self.timeout = timeout
        self.when_missing: Callable[[], None] | None = None
        """Makes the tables, when a question finds that there are none: a server that came up late."""
        self._local = threading.local()
        self._lock = threading.Lock()
        self._clients: list[Client] = []
        self._inserters: list[Inserter] = []
        self._closed = False

    @property
    def name(self) -> str:
        """Of the database inside the server."""
        return self.address.database

    @property
    def path(self) -> Path | None:
        """The directory of the embedded database; None for a server."""
        return self.address.path

    @property
    def embedded(self) -> bool:
        return self.address.embedded

    def client(self) -> Client:
        """This thread's own. Raises Unavailable (a server that does not answer) or SojournError (a directory that cannot be had)."""
        if self._closed:
            raise Unavailable(f"{self.address}: is closed")
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._connect()
            with self._lock:
                self._clients.append(client)
            self._local.client = client
        return client

    def _connect(self) -> Client:
        path = self.address.path
        client = self._connect_to_server() if path is None else embedded.connect(path)
        client.database = self.name
        return client

    def _connect_to_server(self) -> Client:
        from clickhouse_connect import get_client
        from clickhouse_connect.driver.exceptions import ClickHouseError

        for name in ("urllib3.connectionpool", "clickhouse_connect"):
            logging.getLogger(name).setLevel(logging.ERROR)  # whatever fails is raised too, and told once
        options = {"connect_timeout": 5, **self.address.options}
        secure = options.pop("secure", False)
        try:
            return get_client(
                interface="https" if secure else "http",
                host=self.address.host,
                port=self.address.port,
                username=self.address.username or "default",
                password=self.address.password,
                send_receive_timeout=max(1, round(self.timeout)),
                autogenerate_session_id=False,
                form_encode_query_params=True,
                query_retries=0,
                tz_source="server",
                client_name="sojourn",
                **options,
            )
        except (ClickHouseError, OSError, ValueError) as error:
            raise told(error, str(self.address)) from error

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None, *, anywhere: bool = False) -> None:
        """Run a statement that answers nothing; `anywhere` where the database may not exist yet. Raises Unavailable or Rejected."""
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            self.client().command(sql, parameters=dict(parameters or {}), use_database=not anywhere)
        except ClickHouseError as error:
            raise told(error, str(self.address)) from error

    def insert(self, table: str, columns: Sequence[str], block: bytes, *, compressed: bool, settings: Mapping[str, Any]) -> None:
        """Insert a block of format Native. Raises clickhouse-connect's errors: the caller knows what a retry means."""
        name = f"`{self.name}`.`{table}`"
        if self.address.path is not None and not compressed:
            self._inserter(self.address.path).insert(name, columns, block, settings)
            return
        compression = "lz4" if compressed else None
        self.client().raw_insert(name, list(columns), block, settings=dict(settings), fmt="Native", compression=compression)

    def _inserter(self, path: Path) -> Inserter:
        """This thread's own."""
        self.client()  # opens the engine
        inserter: Inserter | None = getattr(self._local, "inserter", None)
        if inserter is None:
            with self._lock:  # once closed it opens no engine again, which would be one without our configuration
                if self._closed:
                    raise Unavailable(f"{self.address}: is closed")
                inserter = self._local.inserter = Inserter(path)
                self._inserters.append(inserter)
        return inserter

    def knows(self, setting: str) -> bool:
        """Whether the server has a setting of that name."""
        return setting in self.client().server_settings

    def query_arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table | None:
        """The answer of a SELECT with `{name:Type}` parameters; None if nothing readable came back, which is warned of once.

        Raises Unavailable or Rejected.
        """
        import pyarrow as pa

        answer = self._read(sql, "ArrowStream", parameters, _READ)
        try:
            return pa.ipc.open_stream(answer).read_all()
        except pa.ArrowInvalid:
            if answer:
                self._warn_of_garbage(sql)
            return None

    def native(self, sql: str) -> bytes:
        """The answer of a SELECT as blocks of format Native, as insert() takes them. Raises Unavailable or Rejected."""
        return self._read(sql, "Native", None, "max_execution_time = {seconds}")

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The answer of a SELECT as dictionaries, 64-bit numbers whole, decimals as text. Raises Unavailable or Rejected."""
        settings = "max_execution_time = {seconds}, output_format_json_quote_64bit_integers = 0, output_format_json_quote_decimals = 1"
        answer = self._read(sql, "JSONEachRow", parameters, settings)
        try:
            rows = [json.loads(line) for line in answer.splitlines() if line]
        except ValueError:
            rows = [None]
        if all(isinstance(row, dict) for row in rows):
            return rows
        self._warn_of_garbage(sql)
        return []

    def _read(self, sql: str, form: str, parameters: Mapping[str, Any] | None, settings: str) -> bytes:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        bounded = f"{sql}\nSETTINGS {settings.replace('{seconds}', str(max(1, round(self.timeout))))}\nFORMAT {form}"
        try:
            return bytes(self.client().raw_query(bounded, parameters=dict(parameters or {})))
        except ClickHouseError as error:
            if code_of(error) not in MISSING or (make := self.when_missing) is None:
                raise told(error, str(self.address)) from error
        self.when_missing = None
        try:
            make()
            return self._read(sql, form, parameters, settings)
        finally:
            self.when_missing = make

    def _warn_of_garbage(self, sql: str) -> None:
        if str(self.address) not in _warned:
            _warned.add(str(self.address))
            statement = " ".join(sql.split())[:80]
            advice = "what is stored there is taken as empty, so totals of sessions that were forgotten restart"
            _log.warning("%s: answers queries with what is not an answer (%s …): %s", self.address, statement, advice)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            clients, self._clients = self._clients, []
            inserters, self._inserters = self._inserters, []
        for inserter in inserters:
            inserter.close()
        for client in clients:
            self._release(client)

    def _release(self, client: Client) -> None:
        if self.address.path is not None:
            embedded.release(self.address.path, client)
        else:
            client.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
