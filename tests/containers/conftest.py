"""A real clickhouse-server in a container, where this machine has an engine for it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from sojourn.storage import migrate
from sojourn.storage.address import Address
from sojourn.storage.database import Database

IMAGE = os.environ.get("SOJOURN_CLICKHOUSE_IMAGE", "clickhouse/clickhouse-server:latest")


def _missing() -> str | None:
    """Why no container can be started here."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        return "the package docker is not installed"
    try:
        docker.from_env(timeout=5).ping()
    except DockerException as error:
        return f"no container engine answers ({str(error)[:100]})"
    return None


@pytest.fixture(scope="session")
def server() -> Iterator[Address]:
    """A server that knows the user `sojourn` only: no passwordless `default`."""
    if reason := _missing():
        pytest.skip(f"needs a container engine: {reason}")
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy

    password = "it's a secret"
    container = (
        DockerContainer(IMAGE).with_exposed_ports(8123).with_env("CLICKHOUSE_USER", "sojourn").with_env("CLICKHOUSE_PASSWORD", password)
    )
    with container.waiting_for(HttpWaitStrategy(8123)):
        host, port = container.get_container_host_ip(), int(container.get_exposed_port(8123))
        yield Address("otel", host=host, port=port, username="sojourn", password=password, options={"secure": False})


@pytest.fixture
def database(server: Address) -> Iterator[Database]:
    """A fresh database on the server, with all tables and views."""
    from dataclasses import replace

    with Database(replace(server, database=f"test_{uuid.uuid4().hex}")) as database:
        migrate.apply(database)
        yield database
        database.command(f"DROP DATABASE {database.name} SYNC")
