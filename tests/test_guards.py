"""How authenticators and TLS are configured: what is refused, what may change while the collector runs, and everything over TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from sojourn.cli import main
from sojourn.commands.run import announce
from sojourn.config.problems import ConfigErrors
from sojourn.errors import ConfigError
from sojourn.extensions.watching import Watch
from sojourn.testing import request, run, span
from tests.test_authentication import BEARER, CONFIG
from tests.tls import AUTHORITY, pair


def test_tokens_change_without_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is written into the file counts from the next look on; a file that cannot be used changes nothing."""
    from sojourn import _native
    from sojourn.extensions.authenticators import Token

    file, keyring = tmp_path / "tokens", _native.Keyring("bearer")
    file.write_text("old\n")
    watch = Watch("bearer", [file], lambda: keyring.replace(list(Token(token_file=file).known())))
    for text, expected in (("old\nnew\n", True), ("new\n", False), ("\n# nothing\n", False), ("old", True)):
        file.write_text(text)
        watch.look()
        assert (keyring.identify(b"Bearer old") is not None) is expected
    assert "holds nothing" in caplog.text


def _validated(extensions: str, uses: str = "bearer") -> None:
    with run(
        f"""
receivers: {{otlp: {{protocols: {{http: {{auth: {{authenticator: {uses}}}}}}}}}}}
exporters: {{debug: }}
extensions: {{{extensions}}}
service: {{extensions: [bearer], pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}}}
"""
    ):
        pass


@pytest.mark.parametrize(
    ("extensions", "words"),
    [
        ("bearer: {credentials: []}", "credentials"),
        ("bearer: {credentials: [{tenant: a}]}", "give either token or token_file"),
        ("bearer: {credentials: [{token: x, scopes: [fly]}]}", "scopes"),
        ("bearer: {credentials: [{token: ''}]}", "would be anybody's"),
        ("bearer: {credentials: [{token: x, tenant: a}, {token: x, tenant: b}]}", "one stands for two tenants"),
        ('bearer: {credentials: [{token: x, tenant: "a\\u0000b"}]}', "printed"),
        ("bearer: {credentials: [{token_file: /nowhere/tokens}]}", "cannot be read"),
        ("bearer: {credentials: [{username: ann}]}", "username"),
    ],
)
def test_wrong_credentials(extensions: str, words: str) -> None:
    """Nothing starts with credentials that would let in anybody, or nobody knows whom."""
    with pytest.raises((ConfigErrors, ConfigError), match=words):
        _validated(extensions)


def test_an_authenticator_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`validate` says so with the place, not the start."""
    file = tmp_path / "config.yaml"
    file.write_text(
        "receivers: {otlp: {auth: {authenticator: oidc}, protocols: {http: }}}\nexporters: {debug: }\nextensions: {health_check: }\n"
        "service: {extensions: [health_check], pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}\n"
    )
    assert main(["validate", "--config", str(file)]) == 2
    told = capsys.readouterr().err
    assert "receivers::otlp::auth::authenticator" in told
    assert "config.yaml:1" in told
    assert "add one such as bearer" in told


def test_everything_over_tls(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The page, SQL and OTLP, with one certificate; the cookie then travels over TLS only. What is told of addresses says https."""
    certificate, key = pair("server")
    tls: dict[str, Any] = {"cert_file": str(certificate), "key_file": str(key)}
    settings = [f"{place}.tls={tls}" for place in ("receivers.otlp.protocols.http", "receivers.otlp.protocols.grpc", "extensions.web")]
    settings += [f"extensions.clickhouse_http.tls={tls}"]
    config = CONFIG.format(file=tmp_path / "tokens", reader="0" * 64)
    (tmp_path / "tokens").write_text("beta")
    with run(config, settings) as collector, httpx.Client(verify=ssl.create_default_context(cafile=AUTHORITY), timeout=60) as client:
        body = request(span("x", session="s")).SerializeToString()
        headers = BEARER["alpha"] | {"content-type": "application/x-protobuf"}
        assert client.post(f"https://{collector.endpoints['otlp_http']}/v1/traces", content=body, headers=headers).status_code == 200
        collector.settle()
        logged_in = client.post(f"https://{collector.endpoints['web']}/login", data={"token": "alpha"})
        assert "Secure" in logged_in.headers["set-cookie"].split("; ")
        assert client.get(f"https://{collector.endpoints['web']}/sessions.json").json()["sessions"][0]["session_id"] == "s"
        sql = client.post(f"https://{collector.endpoints['clickhouse_http']}/", content="SELECT 1", headers=BEARER["root"])
        assert sql.text == "1\n"
        with pytest.raises(httpx.TransportError):
            client.get(f"http://{collector.endpoints['web']}/sessions.json")
        with caplog.at_level("INFO"):
            announce(collector.service)
        for name in ("web", "clickhouse_http", "otlp_http", "otlp_grpc"):
            assert f"https://{collector.endpoints[name]}" in caplog.text
        assert f"https://{collector.endpoints['clickhouse_http']}" in client.get(f"https://{collector.endpoints['web']}/queries").text
