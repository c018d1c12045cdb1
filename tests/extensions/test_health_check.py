"""Orchestrators get 200 or 503, people get the reason."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from sojourn.config.types import Endpoint
from sojourn.extensions.health_check import HealthCheck


class Told:
    """A service in some state."""

    def __init__(self, healthy: bool, component: dict[str, Any]) -> None:
        self._told = healthy, {"state": "running", "components": {"exporters::x": component}}

    def health(self) -> tuple[bool, dict[str, Any]]:
        return self._told


def asked(service: Told, asks: str = "/", **settings: Any) -> tuple[int, str]:
    check = HealthCheck(endpoint=Endpoint("127.0.0.1", 0), **settings)
    with check.open(service) as listening:  # type: ignore[arg-type]
        try:
            with urllib.request.urlopen(f"http://{listening.endpoints['health']}{asks}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("healthy", "component", "status"),
    [
        (True, {"status": "ok"}, 200),
        (True, {"status": "trying again", "seconds": 299.0}, 200),
        (True, {"status": "trying again", "seconds": 301.0}, 503),
        (False, {"status": "ok"}, 503),
    ],
)
def test_trouble_counts_when_it_lasts(healthy: bool, component: dict[str, Any], status: int) -> None:
    """A database that is away for a moment is no reason to restart the collector; the answer tells of it all the same."""
    code, body = asked(Told(healthy, component))
    assert (code, json.loads(body)["components"]["exporters::x"]) == (status, component)


def test_path_can_be_chosen() -> None:
    """Then other paths are not found."""
    service = Told(True, {"status": "ok"})
    assert asked(service, "/healthz", path="/healthz")[0] == 200
    assert asked(service, "/", path="/healthz")[0] == 404
    assert asked(service, "/anything")[0] == 200
