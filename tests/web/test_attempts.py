"""Guessing is slowed down at the door, and nobody else is held up by it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from sojourn import Endpoint, _native
from sojourn.web.attempts import Attempts, address, user
from sojourn.web.gate import Gate
from sojourn.web.serving import Friends


def gate(scheme: str, credential: str) -> Gate:
    keyring = _native.Keyring(scheme)
    keyring.replace([(hashlib.sha256(credential.encode()).digest(), "a", ["read", "write"])])
    inside: Any = lambda tenant: Response(tenant)  # noqa: E731
    door = Gate(keyring, Friends(Endpoint("127.0.0.1", 0), ()), inside)
    door._attempts = Attempts(Hand())
    return door


def asked(door: Gate, method: str, path: str, client: str = "10.0.0.1", **said: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(door, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as browser:
            return await browser.request(method, path, **said)

    return asyncio.run(ask())


def test_ten_wrong_tokens_and_even_the_right_one_has_to_wait() -> None:
    """How long is said, to people and programs; who is inside stays inside, and other addresses come in."""
    door = gate("bearer", "alpha")
    inside = asked(door, "POST", "/login", data={"token": "alpha"}).headers["set-cookie"].partition(";")[0]
    guesses = [asked(door, "POST", "/login", data={"token": f"guess {number}"}) for number in range(11)]
    assert [answer.status_code for answer in guesses] == [401] * 10 + [429]
    assert guesses[-1].headers["retry-after"] == "6"
    assert "Too many wrong tokens came from here: try again in" in guesses[-1].text
    assert "content-security-policy" in guesses[-1].headers
    assert asked(door, "POST", "/login", data={"token": "alpha"}).status_code == 429
    assert asked(door, "POST", "/login", client="10.0.0.2", data={"token": "alpha"}).status_code == 303
    assert asked(door, "GET", "/sessions.json", headers={"cookie": inside}).text == "a"
    assert asked(door, "GET", "/sessions.json", headers={"authorization": "Bearer alpha"}).text == "a"


def test_passwords_are_counted_by_user() -> None:
    """A neighbour behind the same proxy who mistypes locks nobody else out."""
    door = gate("basic", "ann:right")
    for _ in range(10):
        assert asked(door, "GET", "/sessions.json", auth=("ann", "wrong")).status_code == 401
    late = asked(door, "GET", "/sessions.json", auth=("ann", "right"))
    assert (late.status_code, late.headers["retry-after"]) == (429, "6")
    assert late.json()["error"].startswith("too many wrong credentials")
    assert asked(door, "GET", "/sessions.json", auth=("bob", "wrong")).status_code == 401
    assert asked(door, "GET", "/sessions.json", client="10.0.0.2", auth=("ann", "right")).text == "a"


class Hand:
    """A clock that is set by hand."""

    time = 0.0

    def __call__(self) -> float:
        return self.time


def test_an_attempt_comes_back_every_six_seconds() -> None:
    hand = Hand()
    attempts = Attempts(hand)
    for _ in range(10):
        assert attempts.wait("a") == 0
        attempts.failed("a")
    assert (attempts.wait("a"), attempts.wait("b")) == (6, 0)
    hand.time = 6.0
    assert attempts.wait("a") == 0
    attempts.failed("a")
    assert attempts.wait("a") == 6
    hand.time = 600.0
    assert attempts.wait("a") == 0


def test_only_so_many_addresses_are_remembered() -> None:
    attempts = Attempts(Hand())
    for number in range(20_000):
        attempts.failed(f"n{number}")
    assert len(attempts._full_at) == 10_000


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (("10.1.2.3", 5), "10.1.2.3"),
        (("::ffff:10.1.2.3", 5), "10.1.2.3"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::"),
        (("fe80::1%eth0", 5), "fe80::"),
        (None, ""),
        (("unix", 0), ""),
    ],
)
def test_a_machine_is_one_address(client: Any, expected: str) -> None:
    """An IPv6 network is one machine, or it would have as many attempts as it likes."""
    assert address({"client": client}) == expected


def test_the_name_in_front_of_a_password() -> None:
    assert user(b"Basic " + base64.b64encode(b"ann:x:y")) == "ann"
    assert user(b"basic %%%") == ""
    assert user(b"Bearer abc") is None
    assert user(b"") is None
