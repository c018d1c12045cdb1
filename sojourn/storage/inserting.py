"""With which settings rows are inserted, so that a repeated insert stores nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sojourn import schema

if TYPE_CHECKING:
    from sojourn.storage.database import Database

PARTITIONS: Final = 50
"""Days in one insert at most; a server refuses more than a hundred, and each day is a part of its own."""
_RECEIVED: Final = {
    "insert_deduplicate": 1,
    "deduplicate_insert": "enable",
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}
_DERIVED: Final = {"insert_deduplicate": 0, "deduplicate_insert": "disable"}
# Collapsing rows of one key at insert time costs as much again as the insert; merges do it anyway. A server may queue small inserts
# (async_insert) and then answer before, or long after, they are stored.
_ALWAYS: Final = {"optimize_on_insert": 0, "async_insert": 0, "max_partitions_per_insert_block": 2 * PARTITIONS}


def settings(database: Database, table: schema.Table, token: str) -> dict[str, object]:
    """Two inserts of rows that were received are one if they have the same token; derived rows are told apart by their versions.

    A setting that this server does not have is left out, but the token: without it a repeated insert would be stored twice.
    """
    received = table in schema.RECEIVED
    wanted = {**_ALWAYS, **(_RECEIVED if received else _DERIVED)}
    chosen: dict[str, object] = {name: value for name, value in wanted.items() if database.knows(name)}
    if received:
        chosen["insert_deduplication_token"] = token
    return chosen
