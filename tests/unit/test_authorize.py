"""Why a token is refused: caller and operator are told, and the token stays untold."""

from __future__ import annotations

import hmac
import json
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
    client = authorize.IssuerKeys("https://issuer.example/keys")
    monkeypatch.setattr(client, "fetch_data", lambda: KEYS)
    monkeypatch.setattr(authorize, "_keys", lambda: client)


def token(
    *, without: str = "", kid: str = "k1", key: ec.EllipticCurvePrivateKey = KEY, **claims: object
) -> str:
    told = {**GOOD, "sub": CANARY, "exp": int(time.time()) + 3600, **claims}
    told.pop(without, None)
    return jwt.encode(told, key, "ES256", headers={"kid": kid})


def signed_with_the_public_key() -> str:
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


def b64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def raw(payload: str) -> str:
    """A token that the issuer has signed, whatever it says."""
    return jwt.PyJWS(["ES256"]).encode(payload.encode(), KEY, "ES256", {"kid": "k1"})


def later() -> int:
    return int(time.time()) + 3600


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
        "context": {"tenant": "acme", "caller": CANARY},
    }


def test_only_signatures_that_a_public_key_verifies_are_taken() -> None:
    assert {name[:2] for name in authorize.ALGORITHMS} <= {"ES", "RS", "PS"}


def test_clocks_may_differ_a_little() -> None:
    assert asked(f"Bearer {token(exp=int(time.time()) - 10)}")["principalId"] == "acme"


def effect(answer: dict[str, Any]) -> str:
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Resource"] == "arn:aws:execute-api:r:1:api/v1/*"
    return str(statement["Effect"])


@pytest.mark.parametrize("tenant", ["t", "t" * 64, "Größe 7", "租户"])
def test_a_tenant_may_have_64_printable_characters(tenant: str) -> None:
    assert asked(f"Bearer {token(tenant=tenant)}")["context"]["tenant"] == tenant


@pytest.mark.parametrize(
    ("claims", "caller"),
    [
        pytest.param({"client_id": "c"}, CANARY, id="the-subject-first"),
        pytest.param({"sub": None, "client_id": "c"}, "c", id="else-the-client"),
        pytest.param({"sub": "", "client_id": "c"}, "c", id="an-empty-subject"),
        pytest.param({"sub": "s" * 255}, "s" * 255, id="as-long-as-may-be"),
        pytest.param({"sub": "s" * 256, "client_id": "c"}, "c", id="too-long"),
        pytest.param({"sub": "a\nb", "client_id": "c"}, "c", id="two-lines"),
        pytest.param({"sub": "Größe", "client_id": "c"}, "c", id="beyond-ascii"),
        pytest.param({"sub": "a b", "client_id": ["c"]}, "a b", id="with-a-space"),
        pytest.param({"sub": None, "client_id": ["c"]}, None, id="no-text"),
        pytest.param({"sub": None}, None, id="neither"),
    ],
)
def test_the_caller_is_the_subject_or_the_client_where_they_are_plain(
    claims: dict[str, Any], caller: str | None
) -> None:
    without = "sub" if claims.get("sub", "") is None else ""
    context = asked(f"Bearer {token(without=without, **claims)}")["context"]

    assert context == {"tenant": "acme"} | ({"caller": caller} if caller else {})


@pytest.mark.parametrize(
    "tenant",
    [
        pytest.param("", id="empty"),
        pytest.param("t" * 65, id="too-long"),
        pytest.param("\ud800", id="half-a-character"),
        pytest.param("acme\udfff", id="half-a-character-at-the-end"),
        pytest.param("acme\x00", id="nul"),
        pytest.param("acme\nlevel=ERROR", id="a-line-break"),
        pytest.param("acme\x7f", id="delete"),
        pytest.param("acme\u202e", id="right-to-left"),
        pytest.param("acme\u2028", id="a-separator"),
        pytest.param(7, id="a-number"),
        pytest.param(True, id="a-truth"),
        pytest.param(None, id="null"),
        pytest.param({"id": "acme"}, id="an-object"),
    ],
)
def test_what_is_no_such_tenant_is_refused(tenant: object) -> None:
    answer = asked(f"Bearer {token(tenant=tenant)}")
    assert (effect(answer), answer["principalId"]) == ("Deny", "refused")
    assert answer["context"] == {"detail": "The access token names no tenant."}


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": "soon"}, id="exp-a-word"),
        pytest.param({"exp": 1e300}, id="exp-huge"),
        pytest.param({"exp": None}, id="exp-null"),
        pytest.param({"nbf": []}, id="nbf-a-list"),
        pytest.param({"iat": {}}, id="iat-an-object"),
        pytest.param({"aud": 7}, id="aud-a-number"),
        pytest.param({"aud": [7]}, id="aud-numbers"),
        pytest.param({"aud": {"freshet": 1}}, id="aud-an-object"),
        pytest.param({"iss": "\ud800"}, id="iss-half-a-character"),
        pytest.param({"sub": 7}, id="sub-a-number"),
    ],
)
def test_odd_claims_are_never_a_fault_of_ours(claims: dict[str, Any]) -> None:
    assert effect(asked(f"Bearer {raw(json.dumps({**GOOD, 'exp': later(), **claims}))}"))


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("", id="nothing"),
        pytest.param("[]", id="a-list"),
        pytest.param("[" * 5000, id="nested"),
        pytest.param('{"exp": 1e999}', id="infinity"),
        pytest.param('{"exp": NaN}', id="nan"),
        pytest.param('{"exp": %s}' % ("9" * 5000), id="thousands-of-digits"),
    ],
)
def test_odd_payloads_are_refused(payload: str) -> None:
    assert effect(asked(f"Bearer {raw(payload)}")) == "Deny"


@pytest.mark.parametrize(
    "header",
    ["", "[]", "[" * 5000, '{"alg": 7, "kid": "k1"}', '{"alg": "ES256", "kid": 7}', '{"kid": {}}'],
)
def test_odd_headers_are_refused(header: str) -> None:
    assert effect(asked(f"Bearer {b64(header.encode())}.{b64(b'{}')}.AAAA")) == "Deny"


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"exp": 1_000_000_000}, "The access token has expired."),
        ({"exp": int(time.time()) - 90}, "The access token has expired."),
        ({"nbf": 9_000_000_000}, "The access token is not valid yet."),
        ({"aud": "another"}, "The access token is meant for another audience."),
        ({"iss": "another"}, "The access token is another issuer's."),
        ({"kid": "another"}, "The access token does not verify."),
        ({"key": OTHER}, "The access token does not verify."),
    ],
)
def test_a_caller_is_told_what_is_wrong_with_the_token(claims: dict[str, Any], detail: str) -> None:
    answer = asked(f"Bearer {token(**claims)}")
    assert (effect(answer), answer["context"]) == ("Deny", {"detail": detail})


@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "Bearer"])
def test_of_a_request_without_a_token_there_is_nothing_to_say(authorization: str) -> None:
    with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
        asked(authorization)


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
            f"Bearer {signed_with_the_public_key()}", "InvalidAlgorithmError", id="public-key"
        ),
        pytest.param(
            f"Bearer {signed_with_a_published_secret()}", "InvalidAlgorithmError", id="secret"
        ),
        pytest.param(f"Bearer {token(without='tenant')}", "NoTenant", id="no-tenant"),
        pytest.param(f"Bearer {token(tenant=[CANARY])}", "NoTenant", id="a-list-of-tenants"),
        pytest.param(f"Bearer {token(tenant=CANARY * 9)}", "NoTenant", id="a-long-tenant"),
        pytest.param(f"Bearer {CANARY}", "DecodeError", id="no-token"),
    ],
)
def test_the_log_has_the_reason_by_name_and_nothing_of_the_token(
    authorization: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = asked(authorization)

    assert effect(answer) == "Deny"
    assert CANARY not in str(answer)
    assert [vars(one)["reason"] for one in caplog.records if hasattr(one, "reason")] == [reason]
    written = str([vars(one) for one in caplog.records])
    assert CANARY not in written
    assert not authorization or authorization.partition(" ")[2] not in written
    assert {one.levelno for one in caplog.records} == {logging.WARNING}
