"""What the command line answers: exit codes, messages, manuals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sojourn.cli import COMMANDS, main

FORWARD = (
    "receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:0'}}}}\nexporters: {debug: }\n"
    "service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}\n"
)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code = main(words)
    except SystemExit as leave:
        code = int(leave.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_right_configuration_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """validate says yes with 0."""
    (tmp_path / "a.yaml").write_text(FORWARD)
    code, out, err = said(capsys, "validate", "--config", str(tmp_path / "a.yaml"))
    assert (code, err) == (0, "")
    assert "the configuration is right: 1 pipelines in 1 lanes" in out


@pytest.mark.parametrize("command", ["validate", "run", "print-config"])
def test_wrong_configuration_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Every mistake on a line of its own, on stderr."""
    (tmp_path / "a.yaml").write_text(
        FORWARD.replace("exporters: [debug]", "exporters: [debgu]").replace("service:", "servise: {}\nservice:")
    )
    code, out, err = said(capsys, command, "--config", str(tmp_path / "a.yaml"))
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        f"{tmp_path}/a.yaml:3: servise: unknown key; did you mean service?",
        f"{tmp_path}/a.yaml:4: service::pipelines::traces::exporters: exporter debgu is not configured; did you mean debug?",
    ]


def test_wrong_setting_names_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in --set says so."""
    code, _, err = said(capsys, "validate", "--config", f"yaml:{FORWARD}", "--set", "service.flush_interval=30")
    assert code == 2
    assert err.startswith("--set service.flush_interval: service::flush_interval: 30 is not a duration: write a number with a unit")


@pytest.mark.parametrize("format_", ["yaml", "json"])
def test_configuration_is_printed_as_understood(capsys: pytest.CaptureFixture[str], format_: str) -> None:
    """Merged and resolved, in a form that can be used again."""
    code, out, _ = said(capsys, "print-config", "--format", format_, "--config", f"yaml:{FORWARD}", "--set", "service.flush_interval=90s")
    assert code == 0
    import yaml

    printed = json.loads(out) if format_ == "json" else yaml.safe_load(out)
    assert printed["service"]["flush_interval"] == "1m30s"
    assert printed["receivers"]["otlp"]["protocols"]["http"] == {"endpoint": "127.0.0.1:0"}
    again = said(capsys, "print-config", "--format", format_, "--config", f"yaml:{out}")
    assert again[:2] == (0, out)


def test_manual_of_a_component_has_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Key, type, default and meaning."""
    code, out, _ = said(capsys, "components", "debug")
    assert code == 0
    assert "verbosity: basic | normal | detailed = basic" in out
    assert "one line per batch" in out
    code, out, _ = said(capsys, "components", "debug", "--json")
    assert json.loads(out)[0]["keys"][0]["default"] == "basic"


def test_components_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """All kinds, each with its purpose."""
    code, out, _ = said(capsys, "components")
    assert code == 0
    assert "exporters:" in out
    assert "  debug             Prints what arrives" in out


def test_unknown_component_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    """With the nearest right name."""
    assert said(capsys, "components", "debgu") == (2, "", "sojourn components: debgu: unknown component; did you mean debug?\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "did you mean run?"),
        ([], "required: COMMAND"),
        (["validate", "--confg", "x"], "unrecognized arguments: --confg"),
        (["print-config", "--format", "toml"], "invalid choice"),
    ],
)
def test_wrong_command_line_is_exit_2(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    """One clear message, and where to look."""
    code, out, err = said(capsys, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert "--help" in err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """And loads none of them."""
    code, out, _ = said(capsys, "--help")
    assert code == 0
    assert all(command in out for command in COMMANDS)


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As one line."""
    code, out, _ = said(capsys, "--version")
    assert code == 0
    assert out.startswith("sojourn 0.")


def test_forwarding_stays_light() -> None:
    """A sidecar that only forwards loads no database, no columns and no web framework: they cost more memory than all of it."""
    heavy = (
        "numpy",
        "pyarrow",
        "chdb",
        "starlette",
        "uvicorn",
        "clickhouse_connect",
        "genai_prices",
        "jinja2",
        "rich",
        "pandas",
        "http.server",
    )
    code = (
        "import sys\nfrom sojourn.commands import run, configuration\nimport argparse\n"
        "p = argparse.ArgumentParser(); run.configure(p)\n"
        "description = configuration.description(p.parse_args(sys.argv[1:]))\n"
        f"print(sorted(set({heavy!r}) & set(sys.modules)))"
    )
    forwarding = FORWARD.replace("{debug: }", "{otlp: {endpoint: '127.0.0.1:1'}}").replace("[debug]", "[otlp]")
    done = subprocess.run([sys.executable, "-c", code, "--config", f"yaml:{forwarding}"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
