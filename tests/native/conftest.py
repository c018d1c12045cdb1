"""What several tests of the native core begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.native.wire import HttpServer, raw_lane, serving


@pytest.fixture
def server() -> Iterator[HttpServer]:
    lane = raw_lane(flush_rows=1 << 30)
    with serving({"traces": [lane]}, http={"paths": {"traces": ["/v1/traces", "/api/public/otel/v1/traces"]}}) as native:
        yield HttpServer(native, lane)
