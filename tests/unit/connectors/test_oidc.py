"""An id_token is believed for what it says and is signed with, by a key of the issuer's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from functions.connectors.oidc import LEEWAY_SECONDS, Expected, keys, read_subject
from functions.core.errors import UnexpectedAnswer
from tests.support.digime_samples import another
from tests.support.digime_samples import key as rsa_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    Key = EllipticCurvePrivateKey | RSAPrivateKey

AT = 1_800_000_000.0
KEY = ec.generate_private_key(ec.SECP256R1())
EXPECTED = Expected(issuer="https://bank.example/oidc", client_id="app", nonce="n-1")
CLAIMS = {
    "iss": EXPECTED.issuer,
    "sub": "user-1",
    "aud": "app",
    "iat": AT,
    "exp": AT + 600,
    "nonce": "n-1",
}
PUBLIC = {**ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1"}
PRIVATE = {**ECAlgorithm.to_jwk(KEY, as_dict=True), "kid": "k1"}


def subject(
    claims: dict[str, Any],
    *published: object,
    key: Key = KEY,
    algorithm: str = "ES256",
    at: float = AT,
) -> str:
    """The subject of a token of these claims, at an issuer that publishes this."""
    keys.cache_clear()
    token = jwt.encode(claims, key, algorithm, {"kid": "k1"})
    raw = [msgspec.Raw(msgspec.json.encode(each)) for each in published or (PUBLIC,)]
    known = keys(EXPECTED.issuer, algorithm)
    return read_subject(token, EXPECTED, keys=known, fetch=lambda: raw, at=at)


def to_jwk(key: RSAPrivateKey) -> dict[str, Any]:
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"kty": "RSA", "kid": "k1", "n": public["n"], "e": public["e"]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["app"]},
        {"aud": "app", "azp": "app"},
        {"aud": ["other", "app"], "azp": "app"},
        {"iat": AT - LEEWAY_SECONDS},
        {"iat": AT + LEEWAY_SECONDS},
        {"exp": AT - LEEWAY_SECONDS},
        {"acr": {"a": [1]}, "auth_time": "soon"},
    ],
    ids=str,
)
def test_what_is_sound_names_the_user(changes: dict[str, Any]) -> None:
    assert subject(CLAIMS | changes) == "user-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": f"{EXPECTED.issuer}/"},
        {"aud": "App"},
        {"aud": []},
        {"aud": ["other"]},
        {"aud": ["other", "app"]},
        {"aud": ["other", "app"], "azp": "other"},
        {"aud": "app", "azp": "other"},
        {"aud": {"app": 1}},
        {"iat": AT - LEEWAY_SECONDS - 1},
        {"iat": AT + LEEWAY_SECONDS + 1},
        {"exp": AT - LEEWAY_SECONDS - 1},
        {"exp": str(AT + 600)},
        {"exp": None},
        {"nonce": "n-2"},
        {"nonce": ""},
        {"nonce": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": None},
        {"padding": "x" * 16_384},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_what_is_not_names_none(changes: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedAnswer):
        subject(CLAIMS | changes)


@pytest.mark.parametrize("name", CLAIMS)
def test_no_claim_may_be_absent(name: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        subject({each: value for each, value in CLAIMS.items() if each != name})


UNUSABLE = [
    pytest.param(None, id="null"),
    pytest.param("k1", id="a-text"),
    pytest.param({"kid": "k1"}, id="no-kind"),
    pytest.param(PUBLIC | {"kid": None}, id="no-id"),
    pytest.param(PUBLIC | {"use": "enc"}, id="to-encrypt"),
    pytest.param(PUBLIC | {"alg": "ES384"}, id="another-algorithm"),
    pytest.param(PUBLIC | {"alg": ["ES256"]}, id="a-list-of-algorithms"),
    pytest.param(PUBLIC | {"x": "AAAA"}, id="off-the-curve"),
    pytest.param(PUBLIC | {"x": 7}, id="a-number"),
    pytest.param(PUBLIC | {"crv": "P-999"}, id="an-unknown-curve"),
    pytest.param(
        {
            **ECAlgorithm.to_jwk(
                ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True
            ),
            "kid": "k1",
        },
        id="another-curve",
    ),
    pytest.param(PRIVATE, id="a-private-key"),
    pytest.param(to_jwk(rsa_key()), id="another-kind"),
    pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}, id="a-secret"),
]


@pytest.mark.parametrize("entry", UNUSABLE)
def test_a_published_key_that_is_not_for_this_is_none_and_costs_only_itself(entry: object) -> None:
    with pytest.raises(UnexpectedAnswer):
        subject(CLAIMS, entry)
    assert subject(CLAIMS, entry, PUBLIC) == subject(CLAIMS, PUBLIC, entry) == "user-1"


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_rsa_keys_are_of_2048_bits(algorithm: str) -> None:
    assert subject(CLAIMS, to_jwk(rsa_key()), key=rsa_key(), algorithm=algorithm) == "user-1"
    small = another(1024)
    with pytest.raises(UnexpectedAnswer):
        subject(CLAIMS, to_jwk(small), key=small, algorithm=algorithm)


def test_a_process_keeps_the_keys_of_each_issuer_and_algorithm_apart() -> None:
    assert keys("https://one.example", "ES256") is keys("https://one.example", "ES256")
    assert keys("https://one.example", "ES256") is not keys("https://two.example", "ES256")
    assert keys("https://one.example", "ES256") is not keys("https://one.example", "RS256")
