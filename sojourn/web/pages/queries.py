"""Statements to begin with, and where to ask them."""

from __future__ import annotations

from collections.abc import Mapping

from sojourn.web.pages.frame import render
from sojourn.web.ready import READY


def queries(endpoints: Mapping[str, str]) -> str:
    return render("queries.html", ready=READY, http=endpoints.get("clickhouse_http", ""))
