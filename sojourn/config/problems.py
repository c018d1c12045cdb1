"""What is wrong with a configuration, said where it is wrong: all mistakes at once, each with its place, its path and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sojourn.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: a line of a file, or a source without lines such as `--set`."""

    source: str
    line: int | None = None
    via: str = ""
    """The reference that brought it here, such as ${env:NAME}."""
    folder: Path | None = None
    """The folder of the file: where relative paths begin."""

    def __str__(self) -> str:
        where = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{where} ({self.via})" if self.via else where

    def through(self, reference: str) -> Place:
        return replace(self, via=f"{self.via} {reference}".strip())


@dataclass(frozen=True, slots=True)
class Problem:
    place: Place
    path: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.place), "::".join(self.path), self.message) if part)


class ConfigErrors(ConfigError):
    """Every mistake that was found, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(
            set(problems), key=lambda problem: (problem.place.source, problem.place.line or 0, problem.path, problem.message)
        )
        super().__init__("\n".join(map(str, self.problems)))


def nearest(word: str, known: Iterable[str]) -> str:
    """'; did you mean X?' or, if nothing is near, '; known: …'."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(known)}" if known else ""
