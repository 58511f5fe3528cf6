"""Why a token is refused: the caller is not told, the operator is, and the token stays untold."""

from __future__ import annotations

import hmac
import logging
import time
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, HMACAlgorithm

from functions import authorize
from functions.core.contract import Variable
from functions.core.errors import Unauthorized

CANARY = "canary-4711"
ARN = "arn:aws:execute-api:r:1:api/v1/GET/x"
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
SECRET = b"a secret among the public keys ..."
KEYS = {
    "keys": [
        {**ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1"},
        {**HMACAlgorithm.to_jwk(SECRET, as_dict=True), "kid": "shared"},
    ]
}
GOOD = {"iss": "https://issuer.example", "aud": "freshet", "tenant": "acme"}


@pytest.fixture(autouse=True)
def _stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage whose issuer has one key."""
    monkeypatch.setenv(Variable.ISSUER, GOOD["iss"])
    monkeypatch.setenv(Variable.AUDIENCE, GOOD["aud"])
    monkeypatch.setenv(Variable.TENANT_CLAIM, "tenant")
    client = jwt.PyJWKClient("https://issuer.example/keys")
    monkeypatch.setattr(client, "fetch_data", lambda: KEYS)
    monkeypatch.setattr(authorize, "_keys", lambda: client)


def token(
    *, without: str = "", kid: str = "k1", key: ec.EllipticCurvePrivateKey = KEY, **claims: object
) -> str:
    told = {**GOOD, "sub": CANARY, "exp": int(time.time()) + 3600, **claims}
    told.pop(without, None)
    return jwt.encode(told, key, "ES256", headers={"kid": kid})


def signed_with_what_everybody_knows() -> str:
    """A token whose secret, for HMAC, is the issuer's public key."""
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    told = {**GOOD, "exp": int(time.time()) + 60}
    # The library refuses to sign with such a key, so that only the signature is made by hand.
    text, _, _ = jwt.encode(told, "s" * 32, "HS256", headers={"kid": "k1"}).rpartition(".")
    mac = urlsafe_b64encode(hmac.digest(public, text.encode(), "sha256"))
    return f"{text}.{mac.decode().rstrip('=')}"


def signed_with_a_published_secret() -> str:
    told = {**GOOD, "exp": int(time.time()) + 60}
    return jwt.encode(told, SECRET, "HS256", headers={"kid": "shared"})


def unsigned() -> str:
    told = {**GOOD, "exp": int(time.time()) + 60}
    return jwt.encode(told, "", "none", headers={"kid": "k1"})


def asked(authorization: str) -> dict[str, Any]:
    event = {"authorizationToken": authorization, "methodArn": ARN}
    told: dict[str, Any] = authorize.handler(event, LambdaContext())
    return told


def test_a_good_token_opens_the_whole_of_this_stage_to_its_tenant_and_nothing_else() -> None:
    assert asked(f"Bearer {token()}") == {
        "principalId": "acme",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": "arn:aws:execute-api:r:1:api/v1/*",
                }
            ],
        },
        "context": {"tenant": "acme"},
    }


def test_only_signatures_that_a_public_key_verifies_are_taken() -> None:
    assert {name[:2] for name in authorize.ALGORITHMS} <= {"ES", "RS", "PS"}


def test_clocks_may_differ_a_little() -> None:
    assert asked(f"Bearer {token(exp=int(time.time()) - 10)}")["principalId"] == "acme"


def test_a_tenant_may_have_64_characters_and_no_more() -> None:
    assert asked(f"Bearer {token(tenant='t' * 64)}")["principalId"] == "t" * 64
    with pytest.raises(Unauthorized):
        asked(f"Bearer {token(tenant='t' * 65)}")


def test_a_token_that_ended_a_minute_and_a_half_ago_is_refused() -> None:
    with pytest.raises(Unauthorized):
        asked(f"Bearer {token(exp=int(time.time()) - 90)}")


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        pytest.param(f"Bearer {token(aud=CANARY)}", "InvalidAudienceError", id="audience"),
        pytest.param(f"Bearer {token(iss=CANARY)}", "InvalidIssuerError", id="issuer"),
        pytest.param(f"Bearer {token(exp=1_000_000_000)}", "ExpiredSignatureError", id="expired"),
        pytest.param(f"Bearer {token(without='exp')}", "MissingRequiredClaimError", id="endless"),
        pytest.param(f"Bearer {token(kid=CANARY)}", "PyJWKClientError", id="unknown-key"),
        pytest.param(f"Bearer {token(key=OTHER)}", "InvalidSignatureError", id="forged"),
        pytest.param(f"Bearer {unsigned()}", "InvalidAlgorithmError", id="unsigned"),
        pytest.param(
            f"Bearer {signed_with_what_everybody_knows()}", "InvalidAlgorithmError", id="public-key"
        ),
        pytest.param(
            f"Bearer {signed_with_a_published_secret()}", "InvalidAlgorithmError", id="secret"
        ),
        pytest.param(f"Bearer {token(without='tenant')}", "NoTenant", id="no-tenant"),
        pytest.param(f"Bearer {token(tenant=[CANARY])}", "NoTenant", id="a-list-of-tenants"),
        pytest.param(f"Bearer {token(tenant=CANARY * 9)}", "NoTenant", id="a-long-tenant"),
        pytest.param(f"Bearer {CANARY}", "DecodeError", id="no-token"),
        pytest.param(f"Basic {CANARY}", "NoBearerToken", id="another-scheme"),
        pytest.param("", "NoBearerToken", id="nothing"),
    ],
)
def test_the_log_has_the_reason_by_name_and_nothing_of_the_token(
    authorization: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
        asked(authorization)

    assert [vars(one)["reason"] for one in caplog.records if hasattr(one, "reason")] == [reason]
    written = str([vars(one) for one in caplog.records])
    assert CANARY not in written
    assert not authorization or authorization.partition(" ")[2] not in written
    assert {one.levelno for one in caplog.records} == {logging.WARNING}
