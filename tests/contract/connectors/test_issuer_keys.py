"""The issuer's keys over real HTTP: how long they do, and what an issuer in trouble costs."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from functions import authorize
from functions.authorize import (
    COOL_DOWN_SECONDS,
    KEEP_KEYS_SECONDS,
    LAST_KEYS_SECONDS,
    RETRY_SECONDS,
    IssuerKeys,
)
from functions.core.contract import Variable
from functions.core.errors import ProviderUnavailable
from infra.local.simulators.server import serve
from tests.support.http_listener import HALF, listening

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from tests.support.http_listener import Listener

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = {**ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1", "use": "sig"}


class Issuer:
    """Publishes what it is told to, and counts how often it is asked."""

    def __init__(self) -> None:
        self.status, self.content, self.asked = "200 OK", json.dumps({"keys": [PUBLIC]}), 0
        self.headers: list[tuple[str, str]] = []

    def __call__(self, _environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        self.asked += 1
        start_response(self.status, self.headers)
        return [self.content.encode()]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of what is tested, for a test to set."""
    now = [1000.0]
    monkeypatch.setattr(authorize, "monotonic", lambda: now[0])
    monkeypatch.setattr("jwt.jwk_set_cache.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def keys(issuer: Issuer, now: list[float]) -> Iterator[IssuerKeys]:
    assert now
    with serve(issuer) as base_url:
        yield IssuerKeys(f"{base_url}/jwks")


def kid(keys: IssuerKeys, name: str = "k1") -> str | None:
    return keys.get_signing_key(name).key_id


def test_the_keys_are_read_once_in_five_minutes(
    keys: IssuerKeys, issuer: Issuer, now: list[float]
) -> None:
    for seconds, times in ((0, 1), (KEEP_KEYS_SECONDS, 1), (1, 2), (1, 2)):
        now[0] += seconds
        assert kid(keys) == "k1"
        assert issuer.asked == times


TROUBLE = [
    pytest.param("503 x", "", id="503"),
    pytest.param("404 x", "", id="404"),
    pytest.param("302 x", "", id="a-redirect"),
    pytest.param("200 OK", "", id="nothing"),
    pytest.param("200 OK", "<html>", id="html"),
    pytest.param("200 OK", "[]", id="a-list"),
    pytest.param("200 OK", "{}", id="no-keys"),
    pytest.param("200 OK", '{"keys": null}', id="null"),
    pytest.param("200 OK", '{"keys": []}', id="none"),
    pytest.param("200 OK", '{"keys": [{"kty": "EC"}]}', id="none-that-is-usable"),
    pytest.param("200 OK", "[" * 100_000, id="nested"),
]


@pytest.mark.parametrize(("status", "content"), TROUBLE)
def test_known_keys_do_for_a_day_while_the_issuer_is_in_trouble_and_it_is_asked_at_intervals(
    keys: IssuerKeys, issuer: Issuer, now: list[float], status: str, content: str
) -> None:
    kid(keys)
    issuer.status, issuer.content = status, content
    now[0] += KEEP_KEYS_SECONDS + 1
    for _ in range(RETRY_SECONDS):
        assert kid(keys) == "k1"
        now[0] += 1
    assert issuer.asked == 2
    now[0] += RETRY_SECONDS + 1
    assert kid(keys) == "k1"
    assert issuer.asked == 3
    now[0] += LAST_KEYS_SECONDS
    with pytest.raises(ProviderUnavailable):
        kid(keys)


@pytest.mark.parametrize(("status", "content"), TROUBLE)
def test_without_any_keys_nothing_is_known_of_a_token(
    keys: IssuerKeys, issuer: Issuer, now: list[float], status: str, content: str
) -> None:
    well = issuer.content
    issuer.status, issuer.content = status, content
    for _ in range(3):
        with pytest.raises(ProviderUnavailable):
            kid(keys)
    assert issuer.asked == 1
    issuer.status, issuer.content = "200 OK", well
    now[0] += RETRY_SECONDS + 1
    assert kid(keys) == "k1"


def test_a_key_that_is_not_known_cannot_be_judged_while_the_issuer_is_away(
    keys: IssuerKeys, issuer: Issuer, now: list[float]
) -> None:
    kid(keys)
    issuer.status = "503 x"
    now[0] += COOL_DOWN_SECONDS + 1
    for _ in range(3):
        with pytest.raises(ProviderUnavailable):
            kid(keys, "k2")
        assert kid(keys) == "k1"
    assert issuer.asked == 2


def test_a_flood_of_unknown_keys_asks_once_in_a_while(
    keys: IssuerKeys, issuer: Issuer, now: list[float]
) -> None:
    for number in range(200):
        with pytest.raises(jwt.PyJWKClientError):
            kid(keys, f"unknown-{number}")
        now[0] += 1
    assert issuer.asked <= 2 + 200 // COOL_DOWN_SECONDS


def test_a_new_key_is_found_before_the_old_ones_are_old(
    keys: IssuerKeys, issuer: Issuer, now: list[float]
) -> None:
    kid(keys)
    issuer.content = json.dumps({"keys": [PUBLIC, {**PUBLIC, "kid": "k2"}]})
    now[0] += COOL_DOWN_SECONDS + 1
    assert kid(keys, "k2") == "k2"


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(None, id="null"),
        pytest.param("k", id="a-text"),
        pytest.param({}, id="nothing"),
        pytest.param({"kty": "RSA"}, id="no-numbers"),
        pytest.param({"kty": ["RSA"], "kid": "k0"}, id="a-list-of-kinds"),
        pytest.param({**PUBLIC, "alg": ["ES256"]}, id="a-list-of-algorithms"),
        pytest.param({**PUBLIC, "alg": "ES999"}, id="an-unknown-algorithm"),
        pytest.param({**PUBLIC, "crv": "P-999"}, id="an-unknown-curve"),
        pytest.param({**PUBLIC, "x": 7}, id="a-number"),
        pytest.param({**PUBLIC, "x": "AAAA"}, id="off-the-curve"),
        pytest.param({**PUBLIC, "x": None}, id="no-point"),
        pytest.param({"kty": "RSA", "n": "", "e": ""}, id="empty-numbers"),
    ],
)
def test_an_entry_that_is_no_usable_key_costs_no_other(
    keys: IssuerKeys, issuer: Issuer, entry: Any
) -> None:
    issuer.content = json.dumps({"keys": [entry, PUBLIC]})
    assert kid(keys) == "k1"


def test_an_issuer_that_drips_is_given_up_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorize, "FETCH_SECONDS", 0.5)

    def drip(listener: Listener, line: socket.socket) -> None:
        listener.hear(line)
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 30:
            line.sendall(bytes([byte]))
            time.sleep(0.05)

    with listening(drip) as listener:
        keys, began = IssuerKeys(f"http://127.0.0.1:{listener.port}/jwks"), time.monotonic()
        with pytest.raises(ProviderUnavailable):
            kid(keys)
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(HALF, id="half-an-answer"),
        pytest.param(b"no HTTP at all\r\n\r\n", id="no-http"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_an_issuer_that_breaks_off_is_away(answer: bytes) -> None:
    def break_off(listener: Listener, line: socket.socket) -> None:
        listener.hear(line)
        line.sendall(answer)

    with listening(break_off) as listener, pytest.raises(ProviderUnavailable):
        kid(IssuerKeys(f"http://127.0.0.1:{listener.port}/jwks"))


def test_a_redirect_is_not_followed(keys: IssuerKeys, issuer: Issuer) -> None:
    elsewhere = Issuer()
    with serve(elsewhere) as other:
        issuer.status, issuer.headers = "302 x", [("Location", other)]
        with pytest.raises(ProviderUnavailable):
            kid(keys)
    assert elsewhere.asked == 0


def test_the_door_says_that_it_cannot_tell(
    keys: IssuerKeys, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway answers 503 then; 401 would have a client throw its token away."""
    issuer.status = "503 x"
    for variable in (Variable.ISSUER, Variable.AUDIENCE, Variable.TENANT_CLAIM):
        monkeypatch.setenv(variable, "x")
    monkeypatch.setattr(authorize, "_keys", lambda: keys)
    token = jwt.encode({"exp": 9_000_000_000}, KEY, "ES256", headers={"kid": "k1"})
    with pytest.raises(ProviderUnavailable):
        authorize.handler({"authorizationToken": f"Bearer {token}"}, LambdaContext())
