"""The tables and views as numbered statements (`schema/NNN_*.sql`), applied once each.

What a file says of columns comes from `sojourn.schema`; engines, orders, indexes and views stand in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

from sojourn import schema
from sojourn.errors import ConfigError

if TYPE_CHECKING:
    from sojourn.storage.database import Database

_ENGINES: Final = ("ReplacingMergeTree", "ReplicatedReplacingMergeTree", "SharedReplacingMergeTree", "Distributed")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: what it is called and its statements, rendered."""

    name: str
    statements: tuple[str, ...]


def migrations(database: str = "otel", username: str = "", password: str = "", *, embedded: bool = False) -> list[Migration]:
    """All migrations in order. The credentials are those with which a server reads its own tables for the dictionary of previews.

    In the `embedded` engine, whose configuration is ours, its size decides how a part is compressed; elsewhere the columns say it.
    """
    folder = resources.files("sojourn.storage").joinpath("schema")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    credentials = f"USER {_quoted(username)} PASSWORD {_quoted(password)}" if username else ""
    zstd = "Default" if embedded else "ZSTD(1)"
    return [
        Migration(file.name.removesuffix(".sql"), tuple(_statements(_render(file.read_text("utf-8"), database, credentials, zstd))))
        for file in files
    ]


def statements(database: str = "otel") -> list[str]:
    """Everything that a new database is given, for people to read or to run themselves."""
    all_ = migrations(database)
    first, last = f"CREATE DATABASE IF NOT EXISTS {database}", _memory(database, [migration.name for migration in all_])
    return [first, *(statement for migration in all_ for statement in migration.statements), last]


def apply(database: Database, *, again: bool = False) -> list[str]:
    """Apply what is missing and give back its names; `again` applies all, since somebody dropped a table.

    Safe when several collectors start at once: statements that were already applied change nothing.

    Raises ConfigError (a table of that name belongs to somebody else), Unavailable or Rejected.
    """
    name = database.name
    database.command(f"CREATE DATABASE IF NOT EXISTS {name}", anywhere=True)
    refuse_foreign(database)
    known = [] if again else _known(database)
    applied = []
    for migration in migrations(name, database.address.username, database.address.password, embedded=database.embedded):
        if migration.name in known:
            continue
        for statement in migration.statements:
            database.command(statement)
        applied.append(migration.name)
        database.command(_memory(name, known + applied))
    return applied


def _memory(database: str, names: Sequence[str]) -> str:
    """What has been applied is a view that says so: the first insert into a table takes 50 MiB in the embedded engine, an idle one too."""
    return f"CREATE OR REPLACE VIEW {database}.schema_migrations AS\nSELECT arrayJoin([{', '.join(map(_quoted, names))}]) AS Name"


def _known(database: Database) -> list[str]:
    asked = {"database": database.name}
    if not database.rows("SELECT 1 FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'", asked):
        return []
    return [str(row["Name"]) for row in database.rows(f"SELECT Name FROM {database.name}.schema_migrations ORDER BY Name")]


def refuse_foreign(database: Database) -> None:
    """ConfigError if a table of ours exists that another program made: it would take rows in, and answer wrongly."""
    names = {table.name for table in schema.TABLES}
    asked = {"database": database.name}
    found = database.rows("SELECT name, engine FROM system.tables WHERE database = {database:String}", asked)
    for row in found:
        if row.get("name") in names and row.get("engine") not in _ENGINES:
            table, engine = f"{database.name}.{row['name']}", row["engine"]
            advice = f"rename it (RENAME TABLE {table} TO {table}_old), or store into another `database`"
            raise ConfigError(f"{database.address}: table {table} has the engine {engine}, so another program made it: {advice}")
    ours = [row["name"] for row in found if row.get("name") in names]
    for table in ours:
        columns = database.rows(
            "SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String}", {**asked, "table": table}
        )
        missing = [column.name for column in _table(table).columns if column.name not in {row.get("name") for row in columns}]
        if missing:
            advice = "it was made by another program or version: rename it, or store into another `database`"
            raise ConfigError(f"{database.address}: table {database.name}.{table} has no column {missing[0]}: {advice}")


def _table(name: str) -> schema.Table:
    return next(table for table in schema.TABLES if table.name == name)


def _render(text: str, database: str, credentials: str, zstd: str) -> str:
    text = re.sub(r"\$part\((\w+)\)", lambda found: _part(found[1]), text)
    named = sorted((name, bit) for name, bit in schema.FLAGS.items() if bit >= 1 << 16)
    text = re.sub(r"\$columns\((\w+)\)", lambda found: _columns(_table(found[1]), zstd), text)
    text = re.sub(r"\$names\((\w+)\)", lambda found: ", ".join(f"`{column.name}`" for column in _table(found[1]).columns), text)
    text = text.replace("$flag_names", "[" + ", ".join(_quoted(name) for name, _ in named) + "]")
    text = text.replace("$flag_bits", "[" + ", ".join(f"toUInt32({bit})" for _, bit in named) + "]")
    return text.replace("$credentials", credentials).replace("$database", database)


def _part(name: str) -> str:
    """What several views have in common."""
    return resources.files("sojourn.storage").joinpath("schema", f"{name}.part").read_text("utf-8").rstrip()


def _columns(table: schema.Table, zstd: str) -> str:
    return ",\n".join(
        f"    `{column.name}` {column.type} CODEC({column.codec.replace('ZSTD(1)', zstd)}) COMMENT {_quoted(column.meaning)}"
        for column in table.columns
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _statements(text: str) -> Iterator[str]:
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return (statement for part in re.split(r";\s*\n", bare + "\n") if (statement := part.strip().rstrip(";")))
