"""Read the database for people: statements from `storage/queries/*.sql`, values bound by the database, rows as JSON has them."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Mapping, Set
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from sojourn.errors import Unavailable
from sojourn.web.parameters import snake_case

if TYPE_CHECKING:
    from sojourn.storage.database import Database

Row = dict[str, Any]

_CONDITION = re.compile(r"-- if (\w+)\s*$")
_INCLUDED = re.compile(r"^ *-- include (\w+)$", re.MULTILINE)
# Conditions on the key are applied before other columns are read, with FINAL too (only those on the key: others need the newest version).
_ANSWER: Final = (
    "SETTINGS date_time_output_format = 'iso', output_format_json_quote_64bit_integers = 0, output_format_json_quote_decimals = 1, "
    "output_format_json_named_tuples_as_objects = 1, output_format_json_validate_utf8 = 1, max_execution_time = {seconds:UInt32}, "
    "max_memory_usage = 1000000000, optimize_move_to_prewhere_if_final = 1\nFORMAT JSONEachRow"
)
_NOT_YET: Final = {60, 81}  # UNKNOWN_TABLE, UNKNOWN_DATABASE: nothing was ever stored
_TOO_SLOW: Final = {159, 160, 241}  # TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT_EXCEEDED


@functools.cache
def _statement(name: str) -> str:
    text = resources.files("sojourn.storage").joinpath("queries", f"{name}.sql").read_text("utf-8")
    return _INCLUDED.sub(lambda found: _statement(found[1]), text)


def _chosen(statement: str, given: Set[str]) -> str:
    """The lines that stand: all without a condition, and those whose condition is given."""
    kept = []
    for line in statement.splitlines():
        condition = _CONDITION.search(line)
        if condition is None or condition[1] in given:
            kept.append(_CONDITION.sub("", line))
    return "\n".join(kept)


class Reading:
    """Answers questions by name, on the calling thread's own connection. Safe to share between threads."""

    def __init__(self, database: Database, seconds: float, tenant: str = "") -> None:
        self.tenant = tenant
        """Whose rows are asked for; '' without authentication."""
        self._database = database
        self._seconds = max(1, round(seconds))

    def rows(self, query: str, given: Set[str] = frozenset(), /, **bound: object) -> list[Row]:
        """Rows of `queries/{query}.sql` with columns in snake_case: times as RFC 3339, money as text, integers whole.

        Raises Unavailable if the database cannot answer now.
        """
        sql = _chosen(_statement(query), given) + "\n" + _ANSWER.replace("{seconds:UInt32}", str(self._seconds))
        answer = self._ask(sql, bound)
        try:
            return [_row(line) for line in answer.splitlines() if line]
        except (ValueError, AttributeError) as error:
            raise Unavailable("database: answers with what is no answer: is it a ClickHouse?", 5.0) from error

    def _ask(self, sql: str, bound: Mapping[str, object]) -> str:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            return bytes(self._database.client().raw_query(sql, parameters=dict(bound))).decode("utf-8", "replace")
        except ClickHouseError as error:
            raise _told(error) from error


def stop_reading(database: Database) -> None:
    """Break off what still reads the embedded database, so that stopping waits for nobody. A server's queries are left alone."""
    if database.embedded:
        with contextlib.suppress(Exception):
            database.client().command("KILL QUERY WHERE query_kind = 'Select' ASYNC")


def _told(error: Exception) -> Unavailable:
    code = getattr(error, "code", None)
    if code in _NOT_YET:
        return Unavailable("database: the tables are not there yet: wait until the exporter has started", 1.0)
    if code in _TOO_SLOW:
        return Unavailable("database: the answer takes too long: narrow the question, for example with since=24h", 5.0)
    return Unavailable(f"database: cannot be read now: {str(error)[:500]}", 5.0)


@functools.lru_cache(maxsize=1000)
def _json_name(column: str) -> str:
    return snake_case(column)


def _row(line: str) -> Row:
    return {_json_name(column): value for column, value in json.loads(line).items()}
