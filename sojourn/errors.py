"""The three errors of Sojourn, drawn as a tree.

    SojournError
    ├── ConfigError   the configuration or the command line is wrong      exit code 2
    ├── Rejected      never: the same data will be refused again          400 / INVALID_ARGUMENT
    └── Unavailable   later: try the same data again after `retry_after`  503 / UNAVAILABLE

A message reads `where: what: what to do`.
"""

from __future__ import annotations


class SojournError(Exception):
    """Everything that Sojourn raises on purpose."""


class ConfigError(SojournError):
    """The configuration or the command line is wrong; nothing was started."""


class Rejected(SojournError):
    """This data can never be taken; sending it again changes nothing."""

    def __init__(self, message: str, of_rows: bool = True) -> None:
        """`of_rows`: some of its rows may be to blame, and the others could be taken without them."""
        super().__init__(message)
        self.of_rows = of_rows


class Unavailable(SojournError):
    """This cannot be done now; the same data may be sent again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
