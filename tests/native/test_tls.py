"""TLS on the OTLP ports: with and without certificates of clients, old versions, new files, peers that do not speak it."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from sojourn import _native
from tests.native.wire import AT, METHODS, PROTOBUF, connect, raw_lane, spans
from tests.tls import AUTHORITY, pair


@contextmanager
def serving(tls: dict[str, Any], **limits: float) -> Iterator[tuple[_native.Server, _native.Lane]]:
    certificate, key = pair("server")
    told = {"cert_file": str(certificate), "key_file": str(key)} | tls
    port = {"endpoint": "127.0.0.1:0", "tls": told}
    lane = raw_lane(flush_rows=1 << 30)
    server = _native.Server(json.dumps({"grpc": port, "http": port, "limits": limits}), {"traces": [lane]}, _native.Clock(AT))
    try:
        yield server, lane
    finally:
        server.stop(5)


def context(client: str | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=AUTHORITY)
    if client:
        made.load_cert_chain(*pair(client))
    return made


def post(server: _native.Server, trust: ssl.SSLContext, size: int = 0, http2: bool = False) -> int:
    with httpx.Client(verify=trust, http2=http2, timeout=30) as client:
        answer = client.post(f"https://{server.http}/v1/traces", content=spans(1, padding=size), headers={"content-type": PROTOBUF})
        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        return answer.status_code


def call(server: _native.Server, client: str | None = None, size: int = 0) -> grpc.StatusCode:
    assert server.grpc is not None
    certificate, key = (file.read_bytes() for file in pair(client)) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(AUTHORITY.read_bytes(), key, certificate)
    with grpc.secure_channel(server.grpc, credentials, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        try:
            channel.unary_unary(METHODS["traces"])(spans(1, padding=size), timeout=20)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return grpc.StatusCode.OK


@pytest.mark.parametrize("size", [0, 100, 300_000, 5_000_000])
def test_everything_goes_through(size: int) -> None:
    """Both ports, both versions of HTTP, small and large requests."""
    with serving({}) as (server, lane):
        assert post(server, context(), size) == post(server, context(), size, http2=True) == 200
        assert call(server, size=size) == grpc.StatusCode.OK
        lane.flush()
        group = lane.next(0)
        assert group is not None
        assert [body for _, body in group.raw()] == [spans(1, padding=size)] * 3


def test_clients_that_have_to_show_a_certificate() -> None:
    """Mutual TLS: one that our authority vouches for is let in; none, or a stranger's, is not."""
    with serving({"client_ca_file": str(AUTHORITY)}) as (server, _):
        assert post(server, context("client")) == 200
        assert call(server, "client") == grpc.StatusCode.OK
        for client in (None, "nobody"):
            with pytest.raises(httpx.TransportError):
                post(server, context(client))
            assert call(server, client) == grpc.StatusCode.UNAVAILABLE


def test_versions() -> None:
    """TLS 1.2 is spoken unless the configuration says 1.3; nothing older ever."""
    for least, spoken in (("1.2", True), ("1.3", False)):
        old = context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with serving({"min_version": least}) as (server, _):
            if spoken:
                assert post(server, old) == 200
            else:
                with pytest.raises(httpx.TransportError):
                    post(server, old)
            assert post(server, context()) == 200


def test_certificates_that_change_are_used_without_a_restart(tmp_path: Path) -> None:
    """New connections get the new one; files that cannot be used change nothing."""
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    use = lambda name: [shutil.copy(source, to) for source, to in zip(pair(name), files, strict=True)]  # noqa: E731
    use("server")
    with serving({"cert_file": str(files[0]), "key_file": str(files[1])}) as (server, _):
        assert _shown(server) == "server"
        use("other")
        server.reload_tls()
        assert _shown(server) == "other"
        for broken in (b"", b"nonsense", pair("server")[0].read_bytes()):  # the last one does not fit the key
            files[0].write_bytes(broken)
            with pytest.raises(OSError, match=r"cert\.pem"):
                server.reload_tls()
            assert _shown(server) == "other"


def _shown(server: _native.Server) -> str:
    """The name in the certificate that the server shows."""
    assert server.http is not None
    host, _, port = server.http.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as plain, context().wrap_socket(plain, server_hostname=host) as io:
        shown = io.getpeercert()
    assert shown is not None
    subject: Any = shown["subject"]
    return str(dict(pair for part in subject for pair in part)["commonName"])


def test_files_that_cannot_be_used_are_told_at_the_start(tmp_path: Path) -> None:
    """The error names the file."""
    for wrong in ({"cert_file": "/nowhere/x.pem"}, {"key_file": str(pair("server")[0])}, {"client_ca_file": str(pair("server")[1])}):
        with pytest.raises(OSError, match=next(iter(wrong.values()))), serving(wrong):
            pass


def test_peers_that_speak_no_tls(tmp_path: Path) -> None:
    """Plain text, nonsense and silence get nothing, and hold nobody up; silence ends when patience does."""
    with serving({}, read_header_timeout=0.3) as (server, _):
        silent = connect(server.grpc)
        for words in (b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes(range(256)) * 10):
            for endpoint in (server.http, server.grpc):
                with connect(endpoint) as io:
                    io.sendall(words)
                    answer = b""
                    try:
                        while part := io.recv(4096):
                            answer += part
                    except ConnectionResetError:
                        pass
                    assert b"HTTP" not in answer
        assert post(server, context()) == 200
        silent.settimeout(30)
        assert silent.recv(1) == b""
        silent.close()
