"""Credentials on the OTLP ports: who is let in, as whom, and what strangers are told."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pyarrow as pa
import pytest

from sojourn import _native
from sojourn.sessions.lifting import lift_plan
from tests.native.frames import DATA, END_HEADERS, END_STREAM, HEADERS, Peer, frame, message
from tests.native.wire import AT, JSON, LIMITS, METHODS, PROTOBUF, spans

KNOWN = (("one", "a", ["write"]), ("two", "b", ["write", "read"]), ("reader", "a", ["read"]), ("root", "", ["admin"]))


def ring(scheme: str = "bearer", credentials: Any = KNOWN) -> _native.Keyring:
    keyring = _native.Keyring(scheme)
    keyring.replace([(hashlib.sha256(token.encode()).digest(), tenant, scopes) for token, tenant, scopes in credentials])
    return keyring


@pytest.fixture
def keyring() -> _native.Keyring:
    return ring()


@pytest.fixture
def lane() -> _native.Lane:
    return _native.Lane(texts=_native.Texts(1 << 20), lift=lift_plan(), **(LIMITS | {"flush_rows": 1 << 30}))


@pytest.fixture
def native(lane: _native.Lane, keyring: _native.Keyring) -> Iterator[_native.Server]:
    settings = '{"grpc": {"endpoint": "127.0.0.1:0"}, "http": {"endpoint": "127.0.0.1:0", "cors": {"allowed_origins": ["*"]}}}'
    server = _native.Server(settings, {"traces": [lane]}, _native.Clock(AT), {"grpc": keyring, "http": keyring})
    yield server
    server.stop(5)


def tenants(lane: _native.Lane) -> list[tuple[str, str]]:
    """(tenant, name) of the spans that were taken."""
    lane.flush()
    group = lane.next(0)
    if group is None:
        return []
    records = pa.record_batch(group.traces())
    return list(zip(records["Tenant"].to_pylist(), records["SpanName"].to_pylist(), strict=True))


def post(native: _native.Server, authorization: str | None, name: str = "x", kind: str = PROTOBUF) -> httpx.Response:
    headers = {"content-type": kind} | ({"authorization": authorization} if authorization is not None else {})
    return httpx.post(f"http://{native.http}/v1/traces", content=spans(1, name), headers=headers, timeout=30)


def call(native: _native.Server, authorization: str | None, name: str = "x") -> grpc.StatusCode:
    assert native.grpc is not None
    metadata = [("authorization", authorization)] if authorization is not None else []
    with grpc.insecure_channel(native.grpc, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        try:
            channel.unary_unary(METHODS["traces"])(spans(1, name), timeout=30, metadata=metadata)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return grpc.StatusCode.OK


STRANGERS = (None, "", "Bearer", "Bearer three", "Bearer ONE", "one", "Basic b25l", "Bearer one two", "Bearer " + "x" * 5000)


def test_whoever_writes_writes_as_their_tenant(native: _native.Server, lane: _native.Lane) -> None:
    """Both transports; the tenant is that of the credential, whatever the request says."""
    assert post(native, "Bearer one", "http a").status_code == 200
    assert post(native, "bearer two", "http b").status_code == 200
    assert call(native, "Bearer one", "grpc a") == call(native, "Bearer two", "grpc b") == grpc.StatusCode.OK
    assert post(native, "Bearer root", "http").status_code == 200
    assert sorted(tenants(lane)) == [("", "http"), ("a", "grpc a"), ("a", "http a"), ("b", "grpc b"), ("b", "http b")]


@pytest.mark.parametrize("authorization", STRANGERS, ids=lambda text: repr(text)[:20])
def test_strangers_are_told_to_make_themselves_known(native: _native.Server, lane: _native.Lane, authorization: str | None) -> None:
    """401 with what to present, UNAUTHENTICATED; nothing is taken."""
    answer = post(native, authorization)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="sojourn"')
    assert call(native, authorization) == grpc.StatusCode.UNAUTHENTICATED
    assert tenants(lane) == []


def test_who_only_reads_does_not_write(native: _native.Server, lane: _native.Lane) -> None:
    """403 and PERMISSION_DENIED, which no exporter tries again."""
    answer = post(native, "Bearer reader", kind=JSON)
    assert answer.status_code == 403
    assert answer.json()["code"] == grpc.StatusCode.PERMISSION_DENIED.value[0]
    assert call(native, "Bearer reader") == grpc.StatusCode.PERMISSION_DENIED
    assert tenants(lane) == []


def test_basic_names_and_passwords(lane: _native.Lane) -> None:
    """Any characters, colons in passwords too; the challenge says so."""
    keyring = ring("basic", [("ann:pä:ss", "a", ["write"])])
    server = _native.Server('{"http": {"endpoint": "127.0.0.1:0"}}', {"traces": [lane]}, _native.Clock(AT), {"http": keyring})
    try:
        for user, status in (("ann:pä:ss", 200), ("ann:pä:s", 401), ("ann", 401)):
            assert post(server, "Basic " + base64.b64encode(user.encode()).decode()).status_code == status
        assert post(server, "Basic !!!").headers["www-authenticate"] == 'Basic realm="sojourn", charset="UTF-8"'
    finally:
        server.stop(5)


def test_a_port_without_a_keyring_asks_nobody(lane: _native.Lane, keyring: _native.Keyring) -> None:
    """Each port has its own; what comes without authentication is the tenant's without a name."""
    settings = '{"grpc": {"endpoint": "127.0.0.1:0"}, "http": {"endpoint": "127.0.0.1:0"}}'
    server = _native.Server(settings, {"traces": [lane]}, _native.Clock(AT), {"grpc": keyring})
    try:
        assert post(server, "Bearer one").status_code == 200
        assert call(server, None) == grpc.StatusCode.UNAUTHENTICATED
    finally:
        server.stop(5)
    assert tenants(lane) == [("", "x")]


def test_browsers_may_ask_before_they_present_anything(native: _native.Server) -> None:
    """A preflight carries no credentials."""
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    assert httpx.options(f"http://{native.http}/v1/traces", headers=headers).status_code == 204


def test_what_is_taken_away_opens_nothing_on_old_connections(native: _native.Server, lane: _native.Lane, keyring: _native.Keyring) -> None:
    """Header blocks that were seen before are not read again; who presents them is asked again all the same."""
    with Peer(native.grpc) as peer:
        for stream, status in ((1, "0"), (3, "0"), (5, "16")):
            if stream == 5:
                keyring.replace([])
            peer.say(frame(HEADERS, END_HEADERS, stream, peer.head(authorization="Bearer one")))
            peer.say(frame(DATA, END_STREAM, stream, message(spans(1, f"s{stream}"))))
            assert peer.status(stream) == status
    assert sorted(tenants(lane)) == [("a", "s1"), ("a", "s3")]


def test_one_connection_many_tenants(native: _native.Server, lane: _native.Lane) -> None:
    """A proxy in front sends for everybody over one connection."""
    assert native.grpc is not None
    with grpc.insecure_channel(native.grpc) as channel:
        send = channel.unary_unary(METHODS["traces"])
        for number in range(20):
            token = ("one", "two")[number % 2]
            send(spans(1, f"{token} {number}"), timeout=30, metadata=[("authorization", f"Bearer {token}")])
    assert {(tenant, name.partition(" ")[0]) for tenant, name in tenants(lane)} == {("a", "one"), ("b", "two")}


def test_a_keyring_takes_only_what_is_one() -> None:
    keyring = ring()
    for wrong in ((b"short", "a", ["write"]), (b"x" * 32, "a\0b", ["write"]), (b"x" * 32, "a", ["fly"])):
        with pytest.raises(ValueError, match=r"digest|tenant|scopes"):
            keyring.replace([wrong])
    with pytest.raises(ValueError, match="bearer or basic"):
        _native.Keyring("digest")
    assert keyring.identify(b"Bearer two") == ("b", ["write", "read"])
    assert keyring.identify(b"Bearer root") == ("", ["write", "read", "admin"])
    assert keyring.identify(b"Bearer \xff") is None
