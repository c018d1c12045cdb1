"""`health_check`: tells orchestrators whether this collector works, and people what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sojourn.component import Extension, Service
from sojourn.config.types import Duration, Endpoint
from sojourn.extensions.plain_http import Answer, serve


@dataclass(frozen=True, slots=True)
class Listening:
    endpoints: dict[str, str]


class HealthCheck(Extension):
    """Answers GET with 200 or 503 and, in JSON, the state of every component and the age of the oldest data that is not yet written."""

    endpoint: Endpoint = Endpoint("127.0.0.1", 13133)
    """Where it listens, for example 127.0.0.1:13133; port 0 for any free one."""
    path: str = "/"
    """The path that is answered, for example /healthz; the path / answers any."""
    recovery_duration: Duration = 300.0
    """How long a component may be in trouble, such as a database that cannot be reached, before the answer is 503, for example 5m."""

    @contextmanager
    def open(self, service: Service) -> Iterator[Listening]:
        with serve(self.endpoint, lambda path: self._answer(service, path), "health_check") as address:
            yield Listening({"health": address})

    def _answer(self, service: Service, path: str) -> Answer:
        if self.path not in ("/", path):
            return Answer(404, f"health is told at {self.path}\n")
        healthy, told = service.health()
        if healthy and self._longest(told) > self.recovery_duration:
            healthy = False
        return Answer(200 if healthy else 503, json.dumps(told, indent=2) + "\n", "application/json")

    def _longest(self, told: dict[str, Any]) -> float:
        """Seconds for which the component that has been in trouble longest has been so."""
        components: dict[str, dict[str, Any]] = told.get("components", {})
        return max((float(component.get("seconds", 0.0)) for component in components.values() if component["status"] != "ok"), default=0.0)
