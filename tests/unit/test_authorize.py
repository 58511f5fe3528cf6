"""Why a token is refused: the caller is not told, the operator is, and the token stays untold."""

from __future__ import annotations

import logging
import time
from typing import Any

import jwt
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from functions import authorize
from functions.core.contract import Variable
from functions.core.errors import Unauthorized

CANARY = "canary-4711"
ARN = "arn:aws:execute-api:r:1:api/v1/GET/x"
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
KEYS = {"keys": [{**ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1"}]}
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


def asked(authorization: str) -> dict[str, Any]:
    event = {"authorizationToken": authorization, "methodArn": ARN}
    told: dict[str, Any] = authorize.handler(event, LambdaContext())
    return told


def test_a_good_token_says_whose_the_call_is() -> None:
    assert asked(f"Bearer {token()}")["context"] == {"tenant": "acme"}


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        pytest.param(f"Bearer {token(aud=CANARY)}", "InvalidAudienceError", id="audience"),
        pytest.param(f"Bearer {token(iss=CANARY)}", "InvalidIssuerError", id="issuer"),
        pytest.param(f"Bearer {token(exp=1_000_000_000)}", "ExpiredSignatureError", id="expired"),
        pytest.param(f"Bearer {token(without='exp')}", "MissingRequiredClaimError", id="endless"),
        pytest.param(f"Bearer {token(kid=CANARY)}", "PyJWKClientError", id="unknown-key"),
        pytest.param(f"Bearer {token(key=OTHER)}", "InvalidSignatureError", id="forged"),
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
