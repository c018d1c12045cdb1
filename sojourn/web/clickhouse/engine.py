"""Run one query on a connection of its own, which is read-only and limited, and is gone afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sojourn.web.clickhouse import native
from sojourn.web.clickhouse.permission import Permission, Statement, readable
from sojourn.web.clickhouse.refusal import Refused, told
from sojourn.web.clickhouse.request import Query

if TYPE_CHECKING:
    from sojourn.storage.database import Database

_STREAMED: Final = frozenset({"Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "RowBinary", "JSONEachRow"})
"""Formats without head and foot: the engine's blocks, one after the other, are the whole."""
_MOST_AT_ONCE: Final = 256 * 1024 * 1024  # bytes of an answer that cannot be streamed
_NATIVE = re.compile(r"(?is)\bFORMAT\s+Native\b")


@dataclass(slots=True)
class Result:
    """An answer on its way. close() must be called, by whatever thread, once nobody reads any more."""

    format: str
    timezone: str
    _blocks: Iterator[bytes]
    close: Callable[[], None]
    summary: dict[str, str] = field(default_factory=dict)
    """Empty for an answer that is streamed: it is not known before the end."""

    def chunks(self) -> Iterator[bytes]:
        """Raises Refused where the query fails, which may be in the middle."""
        try:
            yield from self._blocks
        except Exception as error:
            raise told(error) from error


def _quoted(text: object) -> str:
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


class Engine:
    """Safe to share between threads: every query has its own connection."""

    def __init__(self, database: Database, limits: dict[str, int]) -> None:
        self._database = database
        self._limits = limits
        self._permission: Permission | None = None
        self._timezone = "UTC"

    def run(self, query: Query) -> Result:
        """The answer; its chunks must be read to the end or closed. Raises Refused."""
        import chdb

        self._database.client()  # opens the engine with the collector's settings, if nobody has yet: only the first one's count
        connection: Any = chdb.connect(str(self._database.address.path))  # type: ignore[no-untyped-call]
        try:
            statement = self._prepare(connection, query)
            result = self._answer(connection, query, statement)
        except Refused:
            connection.close()
            raise
        except Exception as error:
            connection.close()
            raise told(error) from error
        return result

    def _prepare(self, connection: Any, query: Query) -> Statement:
        if self._permission is None:
            self._timezone = connection.query("SELECT timezone()", "TabSeparatedRaw").bytes().decode().strip()
            self._permission = Permission.of(connection)
        name = self._database.name if query.database in ("", "default", "__default__") else query.database
        if not readable(name, self._database.name):
            raise Refused(81, "UNKNOWN_DATABASE", f"Database {name[:100]} does not exist, or is not read here")
        connection.query(f"USE `{name}`")
        limits = {name: min(query.limits.get(name) or most, most) for name, most in self._limits.items()}
        asked = {name: value for name, value in query.limits.items() if name not in limits}
        settings = {**query.settings, **asked, **limits, "readonly": 1}
        connection.query("SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))
        return self._permission.check(connection, query.sql, query.parameters, self._database.name, name)

    def _answer(self, connection: Any, query: Query, statement: Statement) -> Result:
        form = statement.format or query.format
        if form == "Native" and native.is_greeting(query.sql, query.protocol):
            version = connection.query("SELECT version()", "TabSeparatedRaw").bytes().decode().strip()
            return self._result(form, connection.close, [native.greeting(version, self._timezone)])
        if statement.select and form in _STREAMED:
            stream = connection.send_query(query.sql, form, params=query.parameters)
            first = next(stream, None)
            if first is None:
                return self._result(form, connection.close, [_header(connection, query) if form == "Native" else b""])
            return self._result(form, lambda: _leave(stream, connection), _stream(first, stream))
        answer = connection.query(query.sql, form, params=query.parameters)
        if len(answer) > _MOST_AT_ONCE:
            raise Refused(
                396, "TOO_MANY_ROWS_OR_BYTES", f"The answer is longer than {_MOST_AT_ONCE} bytes: use a format that streams: Native"
            )
        result = self._result(form, connection.close, [answer.bytes()])
        result.summary = _summary(answer)
        return result

    def _result(self, form: str, close: Callable[[], None], blocks: Iterable[bytes]) -> Result:
        return Result(form, self._timezone, iter(blocks), close)


def _leave(stream: Any, connection: Any) -> None:
    stream.close()
    connection.close()


def _stream(first: Any, rest: Iterator[Any]) -> Iterator[bytes]:
    yield first.bytes()
    for chunk in rest:
        yield chunk.bytes()


def _summary(answer: Any) -> dict[str, str]:
    return {
        "read_rows": str(answer.storage_rows_read()),
        "read_bytes": str(answer.storage_bytes_read()),
        "result_rows": str(answer.rows_read()),
        "result_bytes": str(answer.bytes_read()),
        "elapsed_ns": str(int(answer.elapsed() * 1e9)),
    }


def _header(connection: Any, query: Query) -> bytes:
    """An answer of no rows in Native still tells its columns; the engine leaves them out."""
    text = connection.query("SELECT formatQueryOrNull({q:String})", "TabSeparatedRaw", params={"q": _escaped(query.sql)}).bytes().decode()
    matches = list(_NATIVE.finditer(text))
    body = text[: matches[-1].start()] if matches else text
    described = connection.query(f"DESCRIBE TABLE ({body})", "JSONCompactEachRow", params=query.parameters).bytes()
    return native.header(described)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
