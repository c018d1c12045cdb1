"""What the native core is made of: licences that we may pass on, one version of each crate, `unsafe` in one file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections import Counter
from functools import cache
from typing import Any

import pytest

from tests.documents import ROOT

RULES = tomllib.loads((ROOT / "native" / "deny.toml").read_text())


@cache
def crates() -> list[dict[str, Any]]:
    """The crates of a build for Linux."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not here")
    command = [cargo, "metadata", "--manifest-path", str(ROOT / "native" / "Cargo.toml"), "--format-version", "1", "--locked", "--offline"]
    told = subprocess.run(
        [*command, "--features", "python", "--filter-platform", "x86_64-unknown-linux-gnu"], capture_output=True, text=True, check=False
    )
    if told.returncode:
        pytest.skip(f"cargo does not know its crates here: {told.stderr[-200:]}")
    metadata = json.loads(told.stdout)
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    return [package for package in metadata["packages"] if package["id"] in used]


def allowed(licence: str) -> bool:
    """Whether an SPDX expression can be fulfilled; some crates still write / for OR."""
    words = re.findall(r"[\w.+-]+(?: WITH [\w.-]+)?|[()]", licence.replace("/", " OR "))
    python = [{"AND": "and", "OR": "or", "(": "(", ")": ")"}.get(word, str(word in RULES["licenses"]["allow"])) for word in words]
    return bool(eval(" ".join(python)))  # nothing but True, False, and, or, brackets


def test_every_licence_may_be_passed_on() -> None:
    assert [(crate["name"], crate["license"]) for crate in crates() if not allowed(crate["license"] or "none")] == []
    assert not allowed("GPL-3.0")
    assert not allowed("MIT AND GPL-3.0")
    assert not allowed("GPL-3.0 WITH Classpath-exception-2.0")


def test_there_is_one_version_of_each_crate() -> None:
    """But for those of which deny.toml says why; and none that we decided against."""
    names = Counter(crate["name"] for crate in crates())
    known = {skip["crate"] for skip in RULES["bans"]["skip"]}
    assert sorted(name for name, count in names.items() if count > 1 and name not in known) == []
    assert not set(RULES["bans"]["deny"]) & set(names)


def test_every_crate_comes_from_the_registry() -> None:
    sources = {crate["source"] for crate in crates() if crate["source"] is not None}
    assert sources <= {"registry+https://github.com/rust-lang/crates.io-index"}


def test_unsafe_stands_in_one_file_with_its_reasons() -> None:
    """The C data interface to Python, and nothing else."""
    texts = {path.name: path.read_text() for path in (ROOT / "native" / "src").rglob("*.rs")}
    files = {name: text for name, text in texts.items() if re.search(r"\bunsafe\s*(\{|fn|impl)", text)}
    assert list(files) == ["arrow.rs"]
    for text in files.values():
        assert len(re.findall(r"\bunsafe\s*(?:\{|fn|impl)", text)) <= len(re.findall(r"// SAFETY:", text))
