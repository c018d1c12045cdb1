"""The house is in order: nothing in the tree knows the machine it was written on, and what is not Python is right too."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from sojourn.cli import main
from tests.documents import ROOT

CONFIGURATIONS = sorted((ROOT / "config").glob("*.yaml"))
TEXT = {".py", ".pyi", ".rs", ".go", ".md", ".toml", ".yaml", ".yml", ".json", ".sql", ".html", ".css", ".js", ".sh", "", ".mod", ".lock"}


def tracked() -> list[Path]:
    """Every text file that belongs to the project: git knows, else whatever is not built."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        files = [ROOT / line for line in listed.splitlines()]
    except (OSError, subprocess.CalledProcessError):
        built = {".venv", "target", "__pycache__", ".build", "results", ".git", "node_modules"}
        files = [Path(folder) / file for folder, _, names in os.walk(ROOT) if not built & set(Path(folder).parts) for file in names]
    return [file for file in files if file.suffix in TEXT and file.is_file() and "recordings" not in file.parts]


def test_nothing_names_the_machine_it_was_written_on() -> None:
    """Paths, package mirrors and notes of one machine mean nothing to anybody else."""
    words = [
        "/wo" + "rk/",
        "/ro" + "ot/",
        "/ho" + "me/",
        "/opt/wh" + "eels",
        "index-" + "url",
        "find-" + "links",
        "../sha" + "red",
        "PIP_" + "CERT",
        "GO" + "PROXY",
    ]
    found = [
        f"{file.relative_to(ROOT)}:{number}: {word}"
        for file in tracked()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for word in words
        if word in line
    ]
    assert not found


def test_one_version_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert tomllib.loads((ROOT / "native" / "Cargo.toml").read_text())["package"]["version"] == version
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=lambda file: file.name)
def test_every_example_configuration_is_valid(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path / "data"))
    assert main(["validate", "--config", str(file)]) == 0


def test_the_examples_that_people_look_for_are_there() -> None:
    assert {"sidecar.yaml", "gateway.yaml", "laptop.yaml", "container.yaml"} <= {file.name for file in CONFIGURATIONS}


def test_the_compose_file_starts_the_database_first_and_stays_on_this_machine() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert services["collector"]["depends_on"]["clickhouse"]["condition"] == "service_healthy"
    assert services["clickhouse"]["healthcheck"]["test"]
    assert re.fullmatch(r"clickhouse/clickhouse-server:\d+\.\d+", services["clickhouse"]["image"])
    for service in services.values():
        assert all(str(port).startswith("127.0.0.1:") for port in service["ports"])
        assert all((ROOT / volume.split(":")[0]).exists() for volume in service["volumes"] if volume.startswith("."))


def test_the_image_is_pinned_small_and_not_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(re.search(r":\d+\.\d+-slim", stage) for stage in stages)
    assert re.search(r"^USER (?!root|0\b)", text, re.MULTILINE)
    assert "ADD " not in text
    assert text.count("apt-get install") == text.count("--no-install-recommends") == text.count("rm -rf /var/lib/apt/lists")
    sources = re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE)
    assert all((ROOT / source).exists() for source in sources)
    kept = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert all((ROOT / path).exists() for path in kept)


def test_ci_is_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("make test")


def imports(folder: str) -> set[str]:
    """The modules of ours that a package imports, in functions too."""
    found: set[str] = set()
    for file in (ROOT / "sojourn" / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "sojourn" else {node.module}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
    return {module for module in found if module.split(".")[0] == "sojourn"}


LOWEST = ("sojourn.component", "sojourn.errors", "sojourn.scheduling", "sojourn.schema", "sojourn._native")
MAY_IMPORT = {
    "sessions": ("sojourn.sessions",),
    "storage": ("sojourn.storage", "sojourn.sessions", "sojourn.config.types"),
    "processors": ("sojourn.processors", "sojourn.sessions", "sojourn.storage", "sojourn.config.types"),
    "exporters": ("sojourn.exporters", "sojourn.storage", "sojourn.config.types"),
    "receivers": ("sojourn.receivers", "sojourn.config.types", "sojourn.extensions.guards", "sojourn.extensions.watching"),
    "wire": ("sojourn.wire",),
    "collector": (
        "sojourn.collector",
        "sojourn.config",
        "sojourn.sessions",
        "sojourn.storage",
        "sojourn.wire",
        "sojourn.extensions.plain_http",
    ),
}


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_one_way(folder: str) -> None:
    """The rules know no database, the engine no concrete component."""
    allowed = LOWEST + MAY_IMPORT[folder]
    wrong = {module for module in imports(folder) if not any(module == one or module.startswith(one + ".") for one in allowed)}
    assert not wrong
