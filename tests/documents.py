"""Reads the project's Markdown: its code blocks, what a comment before a block says about it, its links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"(?:^<!-- (?P<note>[^>]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    note: str
    """What stands in the comment right before the block: `file: tidy.py`, `check: validate`."""


def documents() -> list[Path]:
    """Every page that people read, the generated ones too."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md"])


def blocks(page: Path) -> list[Block]:
    return [Block(found["language"], found["text"], found["note"] or "") for found in _FENCE.finditer(page.read_text(encoding="utf-8"))]


def links(page: Path) -> list[str]:
    """Targets of the links that stay inside the repository."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [found["target"] for found in _LINK.finditer(text) if "://" not in found["target"]]
