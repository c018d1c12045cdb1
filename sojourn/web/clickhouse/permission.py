"""Which statements may run: those that only read our own tables. ClickHouse's own parser says what a statement is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sojourn.web.clickhouse.refusal import READONLY, SYNTAX_ERROR, Refused, told

_SELECT: Final = "SelectWithUnionQuery"
_READS: Final = (
    *(_SELECT, "SelectIntersectExceptQuery", "SelectQuery", "Explain", "DescribeQuery", "DescribeCacheQuery", "ExistsTableQuery"),
    *("ExistsDatabaseQuery", "ExistsViewQuery", "ExistsDictionaryQuery", "ShowTables", "ShowColumns", "ShowIndexes", "ShowFunctions"),
    *("ShowSetting", "ShowEngineQuery", "ShowProcesslistQuery", "ShowCreateTableQuery", "ShowCreateDatabaseQuery", "ShowCreateViewQuery"),
)
_TABLE_FUNCTIONS: Final = frozenset(
    (
        *("numbers", "numbers_mt", "zeros", "zeros_mt", "primes", "generate_series", "generateseries", "generaterandom"),
        *("values", "sqlstandardvalues", "view", "null", "viewexplain", "format"),
    )
)
"""Table functions that reach nothing outside the database."""
_FORBIDDEN: Final = frozenset(("file", "showcertificate", "catboostevaluate", "reversednsquery"))
"""Functions, beside table functions, that reach outside: readonly=1 does not stop them."""
_SYSTEM: Final = frozenset(
    (
        *("one", "numbers", "numbers_mt", "zeros", "zeros_mt", "databases", "tables", "columns", "functions", "formats", "settings"),
        *("table_functions", "table_engines", "data_type_families", "aggregate_function_combinators", "collations", "time_zones"),
        *("keywords", "licenses", "contributors", "build_options", "completions", "macros", "clusters", "merge_tree_settings"),
        *("parts", "parts_columns", "data_skipping_indices", "projections", "merges", "mutations", "replicas", "disks"),
        *("events", "metrics", "asynchronous_metrics", "processes", "query_cache", "dictionaries", "documentation"),
    )
)
"""Tables of `system` that clients ask for, to complete names or to show how the database does."""
_OTHERS: Final = frozenset(("system", "information_schema"))
_FORMAT = re.compile(r"(?i)\bFORMAT\s+(\w+)\s*;?\s*$")
_NODE = re.compile(r"^( *)(\S+)(?: (.*))?$")


@dataclass(frozen=True, slots=True)
class Statement:
    format: str | None
    """The format that the statement names itself."""
    select: bool


class Permission:
    """Decides on a connection that is already read-only."""

    def __init__(self, table_functions: frozenset[str]) -> None:
        self._forbidden = (table_functions - _TABLE_FUNCTIONS) | _FORBIDDEN

    @classmethod
    def of(cls, connection: Any) -> Permission:
        """Knows every table function of this engine, so that a new one is not let through."""
        names = connection.query("SELECT lower(name) FROM system.table_functions", "TabSeparated").bytes().decode()
        return cls(frozenset(names.split()))

    def check(self, connection: Any, sql: str, parameters: Mapping[str, str], own: str, current: str) -> Statement:
        """Raises Refused unless the text is one statement that only reads, from the database `own` and what tells of it.

        `current` is the database of names that say none.
        """
        kind = connection._conn.classify_query(sql)
        if kind["statement_count"] > 1:
            raise Refused(SYNTAX_ERROR, "SYNTAX_ERROR", "Multi-statements are not allowed")
        if not sql.strip("; \n\t"):
            raise Refused(SYNTAX_ERROR, "SYNTAX_ERROR", "Empty query")
        if kind["query_class"].name not in ("READ_ONLY", "UNKNOWN"):
            raise Refused(READONLY, "READONLY", "Cannot execute query in readonly mode: only what reads is done here")
        try:
            tree = connection.query(f"EXPLAIN AST {sql}", "TabSeparatedRaw", params=dict(parameters)).bytes().decode("utf-8", "replace")
        except Exception as error:
            raise _shifted(error) from error
        return self._look(sql, tree.splitlines(), own, current)

    def _look(self, sql: str, tree: list[str], own: str, current: str) -> Statement:
        root = tree[0].split(" ")[0] if tree else ""
        tops = [line.strip().split(" ")[0] for line in tree if line.startswith(" ") and not line.startswith("  ")]
        inner = [top for top in tops if root == "Explain" and top not in ("Identifier", "Set")]
        if not all(node in _READS for node in (root, *inner)):
            raise Refused(
                READONLY, "READONLY", "Cannot execute query in readonly mode: only SELECT, SHOW, DESCRIBE, EXISTS and EXPLAIN are done"
            )
        for line in tree:
            node = _NODE.match(line)
            if node:
                self._allow(node[2], node[3] or "")
                _allow_table(node[2], (node[3] or "").partition(" (")[0], own, current)
        named = _FORMAT.search(sql)
        if root == _SELECT:
            return Statement(tree[-1].removeprefix(" Identifier ") if tree[-1].startswith(" Identifier ") else None, True)
        return Statement(named[1] if named else None, False)

    def _allow(self, kind: str, name: str) -> None:
        if kind == "Function":
            function = name.split(" ")[0].lower()
            if function in self._forbidden or (function.startswith("ai") and function[2:] in _AI):
                raise Refused(READONLY, "READONLY", f"{function}() reaches outside of the database and is not done here")
        elif name.startswith(("default.", "default ")):
            raise Refused(READONLY, "READONLY", "The database `default` is the file system and is not read here")


def _allow_table(kind: str, name: str, own: str, current: str) -> None:
    """What stands behind IN may be a table too, but is called an identifier, as columns are."""
    database, dot, table = name.partition(".")
    if kind == "TableIdentifier" and not dot:
        database, table = current, name
    elif kind != "TableIdentifier" and (kind != "Identifier" or database.lower() != "system"):
        return
    if database == own or database.lower() == "information_schema" or (database == "system" and table in _SYSTEM):
        return
    raise Refused(497, "ACCESS_DENIED", f"{database}.{table}: only {own} is read here, and those tables of `system` that clients need")


def readable(database: str, own: str) -> bool:
    """Whether a client may choose this database."""
    return database == own or database.lower() in _OTHERS


_AI: Final = frozenset(("classify", "embed", "extract", "filter", "generate", "redact", "similarity", "translate"))


def _shifted(error: Exception) -> Refused:
    """A syntax error as if `EXPLAIN AST ` had not stood before the statement."""
    refused = told(error)
    text = re.sub(r"failed at position (\d+)", lambda found: f"failed at position {max(1, int(found[1]) - 12)}", str(refused))
    refused.args = (text,)
    return refused
