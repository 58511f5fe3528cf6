"""Proofs of possession at the Banno simulator, against RFC 9449."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.clients.banno import (
    REDIRECT_URI,
    TIMEOUT,
    VERIFIER,
    BannoClient,
    Json,
)

if TYPE_CHECKING:
    import requests

KEYS: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "PS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def proof(method: str, url: str, *, by: str = "ES256", **changes: object) -> str:
    claims = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time())}
    key = KEYS[by]
    jwk = jwt.get_algorithm_by_name(by).to_jwk(key.public_key(), as_dict=True)
    headers = {"typ": "dpop+jwt", "jwk": jwk}
    return jwt.encode(claims | changes, key, algorithm=by, headers=headers)


def of_token(token: str) -> str:
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def redeem(banno: BannoClient, proof_sent: str) -> requests.Response:
    form = {
        "grant_type": "authorization_code",
        "code": banno.code(),
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        "client_id": banno.client_id,
        "client_secret": banno.secret,
    }
    url = f"{banno.issuer}/token"
    return banno.http.post(url, data=form, headers={"DPoP": proof_sent}, timeout=TIMEOUT)


def userinfo(banno: BannoClient, **headers: str) -> int:
    return banno.http.get(f"{banno.issuer}/me", headers=headers, timeout=TIMEOUT).status_code


def bound_tokens(banno: BannoClient) -> Json:
    tokens: Json = redeem(banno, proof("POST", f"{banno.issuer}/token")).json()
    return tokens


def test_a_proof_at_the_token_endpoint_binds_the_tokens(banno: BannoClient) -> None:
    tokens = bound_tokens(banno)
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})

    assert tokens["token_type"] == "DPoP"
    assert len(claims["cnf"]["jkt"]) == 43


@pytest.mark.parametrize("by", ["ES512", "PS256", "EdDSA"])
def test_every_listed_algorithm_proves_a_key(banno: BannoClient, by: str) -> None:
    answer = redeem(banno, proof("POST", f"{banno.issuer}/token", by=by))

    assert answer.json()["token_type"] == "DPoP"


TIMES: list[object] = ["abc", "1", float("nan"), float("inf"), 10**400, None, True, [1]]
IDS: list[object] = ["", 1, None, ["x"], {}]


@pytest.mark.parametrize(
    "changes", [*({"iat": each} for each in TIMES), *({"jti": each} for each in IDS)], ids=str
)
def test_a_proof_whose_claims_are_of_another_kind_is_refused(
    banno: BannoClient, changes: Json
) -> None:
    sent = proof("POST", f"{banno.issuer}/token", **changes)
    answer = redeem(banno, sent)

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_dpop_proof"


def test_a_bound_token_is_good_once_per_proof_and_not_as_a_bearer_token(banno: BannoClient) -> None:
    token = bound_tokens(banno)["access_token"]
    sent = proof("GET", f"{banno.issuer}/me", ath=of_token(token))

    assert userinfo(banno, Authorization=f"DPoP {token}", DPoP=sent) == 200
    assert userinfo(banno, Authorization=f"DPoP {token}", DPoP=sent) == 401
    assert userinfo(banno, Authorization=f"Bearer {token}") == 401


def test_a_bound_refresh_token_wants_a_proof_by_the_same_key(banno: BannoClient) -> None:
    refresh_token = bound_tokens(banno)["refresh_token"]

    assert banno.refresh(refresh_token).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"ath": of_token("another")}, id="another-token"),
        pytest.param({"htm": "POST"}, id="another-method"),
        pytest.param({"htu": "http://127.0.0.1/me"}, id="another-address"),
        pytest.param({"iat": 1}, id="long-ago"),
    ],
)
def test_a_proof_for_something_else_is_answered_401(banno: BannoClient, changes: Json) -> None:
    token = bound_tokens(banno)["access_token"]
    sent = proof("GET", f"{banno.issuer}/me", **{"ath": of_token(token), **changes})

    assert userinfo(banno, Authorization=f"DPoP {token}", DPoP=sent) == 401


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("nonsense", id="no-jwt"),
        pytest.param(proof("GET", "http://127.0.0.1/elsewhere"), id="another-request"),
        pytest.param(proof("POST", "http://127.0.0.1", by="RS256"), id="unlisted-algorithm"),
    ],
)
def test_a_wrong_proof_at_the_token_endpoint_is_refused(banno: BannoClient, sent: str) -> None:
    answer = redeem(banno, sent)

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_dpop_proof"
