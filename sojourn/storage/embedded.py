"""The embedded engine (chDB): one data directory per process, opened with our own configuration and a place for its temporary files."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from sojourn.errors import SojournError
from sojourn.storage import room

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

OURS: Final = ".sojourn"
"""Beside the engine's own files: configuration and temporary files."""

_GRANTS: Final = (
    "SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE DICTIONARY, CREATE TEMPORARY TABLE, DROP, "
    "TRUNCATE, OPTIMIZE, KILL QUERY, SYSTEM, dictGet, INTROSPECTION"
)
_KEPT: Final = 8 << 20
"""Bytes of memory that an inserter keeps for its next block."""
_FULL: Final = room.KEPT // 8
"""With less room behind an insert others took it meanwhile: perhaps before the rows were written."""
# Without a configuration of its own the engine would read ./config.xml. Its caches may grow to gigabytes; data that was merged away
# stays for eight minutes, as on a server, so that a power failure does not take both the old parts and the new one.
# What it spends on a row is decided by `merge_tree` and `compression` (docs/decisions/0014): parts are merged by twenty and not by five;
# statistics of all columns helped none of our queries and cost a tenth of an insert; every column that is being written has a buffer
# of `max_compress_block_size`; small parts, which are soon merged away, are compressed with lz4 and not with zstd.
# An insert is on the disk before it is answered (docs/decisions/0025), since the write-ahead log lets go of it then. Some room on the disk
# is left alone (docs/decisions/0028).
_CONFIG: Final = """<clickhouse>
    <users_config>{users}</users_config>
    <mark_cache_size>33554432</mark_cache_size>
    <index_mark_cache_size>16777216</index_mark_cache_size>
    <primary_index_cache_size>33554432</primary_index_cache_size>
    <uncompressed_cache_size>0</uncompressed_cache_size>
    <index_uncompressed_cache_size>0</index_uncompressed_cache_size>
    <query_condition_cache_size>8388608</query_condition_cache_size>
    <compiled_expression_cache_size>16777216</compiled_expression_cache_size>
    <parquet_metadata_cache_size>1048576</parquet_metadata_cache_size>
    <iceberg_metadata_files_cache_size>1048576</iceberg_metadata_files_cache_size>
    <vector_similarity_index_cache_size>1048576</vector_similarity_index_cache_size>
    <text_index_tokens_cache_size>16777216</text_index_tokens_cache_size>
    <text_index_header_cache_size>16777216</text_index_header_cache_size>
    <text_index_postings_cache_size>16777216</text_index_postings_cache_size>
    <background_pool_size>2</background_pool_size>
    <background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>
    <background_schedule_pool_size>4</background_schedule_pool_size>
    <background_common_pool_size>2</background_common_pool_size>
    <storage_configuration><disks><default><keep_free_space_bytes>{free}</keep_free_space_bytes></default></disks></storage_configuration>
    <merge_tree>
        <old_parts_lifetime>480</old_parts_lifetime>
        <fsync_after_insert>{synced:d}</fsync_after_insert>
        <fsync_part_directory>{synced:d}</fsync_part_directory>
        <merge_selector_base>20</merge_selector_base>
        <auto_statistics_types></auto_statistics_types>
        <max_compress_block_size>131072</max_compress_block_size>
    </merge_tree>
    <compression>
        <case>
            <min_part_size>134217728</min_part_size>
            <min_part_size_ratio>0</min_part_size_ratio>
            <method>zstd</method>
            <level>1</level>
        </case>
    </compression>
</clickhouse>
"""
_USERS: Final = """<clickhouse>
    <profiles><default/></profiles>
    <quotas><default/></quotas>
    <users>
        <default>
            <password/>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants>
                <query>GRANT {grants} ON *.*</query>
            </grants>
        </default>
    </users>
</clickhouse>
"""

synced = True
"""Whether inserts wait until they are on the disk. Not for databases that are thrown away: tests have thousands of small inserts."""

_lock = threading.Lock()
_open: dict[Path, int] = {}
_watches: dict[Path, room.Watch] = {}


def connect(path: Path) -> Client:
    """A client of its own on the engine at `path`; release() gives it back. SojournError if the directory cannot be had."""
    with _lock:
        config = _prepare(path)
        client = _client(path, config)
        if path not in _open:
            # Only now is the directory surely ours: what lies there is from a process that was killed.
            _settle(path)
            _watches[path] = room.Watch(path)
        _open[path] = _open.get(path, 0) + 1
    return client


def release(path: Path, client: Client) -> None:
    with _lock:
        if _open[path] == 1:
            _watches.pop(path).close()  # before the engine, which its last client closes
        client.close()
        _open[path] -= 1
        if not _open[path]:
            del _open[path]
            tempfile.tempdir = None


class Inserter:
    """A handle on the open engine through which blocks are inserted, from a file in memory. For one thread.

    clickhouse-connect writes every insert into a file on the disk. The engine's own way to take bytes from memory (`send_insert`) answers
    before the rows are written, and tells nobody if that fails: docs/decisions/0028.

    close() may come from another thread: it waits for the insert that is under way, as the engine does, and the next one finds no file.
    """

    def __init__(self, path: Path) -> None:
        """Raises clickhouse-connect's DatabaseError, as insert() does: there may be no more files to have."""
        import chdb
        from clickhouse_connect.driver.exceptions import DatabaseError

        self._path = path
        self._lock = threading.Lock()
        with contextlib.ExitStack() as stack:
            try:
                self._file = _file_in_memory()
                stack.callback(os.close, self._file)
                self._connection: Any = chdb.connect(str(path))  # type: ignore[no-untyped-call]
            except (RuntimeError, OSError) as error:
                raise DatabaseError(str(error)) from error
            stack.pop_all()

    def insert(self, table: str, columns: Sequence[str], block: bytes, settings: Mapping[str, Any]) -> None:
        """Insert one block of format Native, whole or not at all. Raises clickhouse-connect's DatabaseError."""
        from clickhouse_connect.driver.exceptions import DatabaseError

        named = ", ".join(f"`{column}`" for column in columns)
        chosen = ", ".join(f"{name} = {_literal(value)}" for name, value in settings.items())
        try:
            with self._lock:
                statement = f"INSERT INTO {table} ({named}) FROM INFILE '/dev/fd/{self._file}'" + (f" SETTINGS {chosen}" if chosen else "")
                self._fill(block)
                self._connection.query(f"{statement} FORMAT Native")
                if room.free(self._path) < _FULL:
                    raise RuntimeError(
                        "Code: 243. The disk was full when the rows had been written, and may have been before: it is looked for them"
                    )
                if len(block) > _KEPT:
                    os.ftruncate(self._file, _KEPT)
        except (RuntimeError, OSError) as error:
            raise DatabaseError(str(error)) from error

    def _fill(self, block: bytes) -> None:
        """Over what lies there: fresh pages cost more than everything else about it."""
        view, at = memoryview(block), 0
        while at < len(block):
            at += os.pwrite(self._file, view[at:], at)
        os.ftruncate(self._file, len(block))
        os.lseek(self._file, 0, os.SEEK_SET)

    def close(self) -> None:
        with self._lock:
            self._connection.close()
            os.close(self._file)
            self._file = -1  # the number may soon be that of another file: of the write-ahead log, say


def _file_in_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sojourn-insert")
    with tempfile.TemporaryFile() as file:  # elsewhere than on Linux one without a name, in the engine's place for them
        return os.dup(file.fileno())


def _literal(value: object) -> str:
    if isinstance(value, (int, float)):
        return repr(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _client(path: Path, config: Path) -> Client:
    from clickhouse_connect import get_client
    from clickhouse_connect.driver.exceptions import ClickHouseError

    try:
        return get_client(interface="chdb", path=str(path), chdb_options={"config-file": str(config)}, tz_source="server")
    except ClickHouseError as error:
        text = str(error)
        if _held(path):
            raise SojournError(f"{path}: another Sojourn runs on this database: stop it, or choose another service::data_dir") from error
        others = [str(other) for other in _open if other != path]
        if others:
            raise SojournError(f"{path}: this process already has the embedded database {others[0]} open, and can have only one") from error
        raise SojournError(f"{path}: the embedded database cannot be opened: {text[:500]}") from error


def _held(path: Path) -> bool:
    """Another process has the engine open there: it holds this lock, and the engine's own message does not always say so."""
    try:
        with open(path / "status", "rb") as status:
            fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _prepare(path: Path) -> Path:
    """The configuration in its place. SojournError if the directory cannot be written."""
    ours = path / OURS
    try:
        (ours / "tmp").mkdir(parents=True, exist_ok=True, mode=0o750)
        _write(ours / "users.xml", _USERS.format(grants=_GRANTS))
        _write(ours / "config.xml", _CONFIG.format(users=escape(str(ours / "users.xml")), synced=synced, free=room.KEPT))
    except OSError as error:
        raise SojournError(f"{path}: {error.strerror}: choose a directory that can be written (service::data_dir)") from error
    return ours / "config.xml"


def _write(file: Path, text: str) -> None:
    if file.exists() and file.read_text("utf-8") == text:
        return
    part = file.with_suffix(f".{os.getpid()}")
    part.write_text(text, "utf-8")
    part.replace(file)


def _settle(path: Path) -> None:
    """Inserts pass through temporary files (clickhouse-connect): they are made here and nowhere else."""
    directory = path / OURS / "tmp"
    for file in directory.iterdir():
        file.unlink(missing_ok=True)
    tempfile.tempdir = str(directory)
