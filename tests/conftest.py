"""What all tests share: one embedded database per process, because the engine can have only one directory, and a fresh name per test;
and how hard property tests try: the same few examples each time, new ones with `HYPOTHESIS_PROFILE=thorough` (many) or
`SOJOURN_EXAMPLES=500` (that many).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pandas  # noqa: F401  pyarrow needs it to tell nanoseconds to Python, and a collector in this process keeps it out from then on
import pytest
from hypothesis import HealthCheck, settings

from sojourn.storage import embedded, migrate
from sojourn.storage.address import Address
from sojourn.storage.database import Database
from sojourn.testing import directory
from tests import bytecode

bytecode.keep()
_EXAMPLES = os.environ.get("SOJOURN_EXAMPLES")
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]

for name, examples in (("default", 60), ("thorough", 2000)):
    settings.register_profile(
        f"sojourn-{name}",
        deadline=None,
        print_blob=True,
        max_examples=int(_EXAMPLES or examples),
        # The same examples each time, so that what was green stays green until somebody changes it; whoever asks for more wants new ones.
        derandomize=name == "default" and not _EXAMPLES,
        suppress_health_check=_SLOW,
    )
settings.load_profile(f"sojourn-{os.environ.get('HYPOTHESIS_PROFILE', 'default')}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write down what comes out of tests/cases as what is expected")


_LONG = ("tests/torture/", "tests/web/test_clickhouse_go.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first: at the end everybody would wait for it."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.fixture(scope="session")
def chdb_path() -> Iterator[Path]:
    """The directory that this process' engine has open, from the first test that asks until the end: `chdb://{chdb_path}`."""
    path = directory() / "db"  # the one that `sojourn.testing.run` uses too
    client = embedded.connect(path)
    yield path
    embedded.release(path, client)


@pytest.fixture
def database_name(chdb_path: Path) -> Iterator[str]:
    """The name of a database that nobody has made yet; it is dropped after the test."""
    name = f"test_{uuid.uuid4().hex}"
    yield name
    with Database(Address("default", path=chdb_path)) as database:
        database.command(f"DROP DATABASE IF EXISTS {name} SYNC")


@pytest.fixture
def empty_database(chdb_path: Path, database_name: str) -> Iterator[Database]:
    """A database without a schema."""
    with Database(Address(database_name, path=chdb_path)) as database:
        yield database


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database with all tables and views, and nothing in them."""
    migrate.apply(empty_database)
    return empty_database
