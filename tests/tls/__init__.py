"""Certificates for tests, made by make.sh."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
AUTHORITY = HERE / "authority.pem"


def pair(name: str) -> tuple[Path, Path]:
    """Certificate and key."""
    return HERE / f"{name}.pem", HERE / f"{name}-key.pem"
