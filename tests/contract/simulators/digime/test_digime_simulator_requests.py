"""The digi.me simulator verifies requests by digi.me's guide Authorization."""

from __future__ import annotations

import secrets

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA512
from jwt.utils import base64url_encode

from tests.support.clients.digime import DigimeClient, is_error

TRIGGER = "permission-access/trigger"


@pytest.fixture
def access_token(application: DigimeClient) -> str:
    return application.connect().access


def test_a_request_as_documented_is_taken(application: DigimeClient, access_token: str) -> None:
    token = application.sign(application.claims(access_token=access_token))

    assert jwt.get_unverified_header(token) == {"alg": "PS512", "typ": "JWT"}
    assert application.send("POST", TRIGGER, token).status_code == 202


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer a.b", "Basic YTpi", "Bearer a.b.c"]
)
def test_a_missing_or_malformed_jwt_is_a_validation_error(
    application: DigimeClient, authorization: str
) -> None:
    headers = {"Authorization": authorization, "Accept": "application/json"}
    answer = application.http.post(f"{application.api}{TRIGGER}", headers=headers, timeout=5)

    assert is_error(answer, 406, "ValidationErrors")


@pytest.mark.parametrize("algorithm", ["PS256", "PS384", "RS256", "RS512"])
def test_only_ps512_is_taken(application: DigimeClient, access_token: str, algorithm: str) -> None:
    claims = application.claims(access_token=access_token)
    token = jwt.encode(claims, application.key, algorithm)

    assert is_error(application.send("POST", TRIGGER, token), 406, "ValidationErrors")


def test_an_unsigned_jwt_is_refused(application: DigimeClient, access_token: str) -> None:
    token = jwt.encode(application.claims(access_token=access_token), "", "none")

    assert application.send("POST", TRIGGER, token).status_code == 406


@pytest.mark.parametrize("more", [{"kid": "k"}, {"jku": "https://a.example/"}, {"typ": "at+jwt"}])
def test_the_header_says_no_more_and_no_less_than_alg_and_typ(
    application: DigimeClient, access_token: str, more: dict[str, str]
) -> None:
    claims = application.claims(access_token=access_token)
    token = jwt.encode(claims, application.key, "PS512", headers=more)

    assert is_error(application.send("POST", TRIGGER, token), 406, "ValidationErrors")


def test_another_key_s_signature_is_an_invalid_token(
    application: DigimeClient, access_token: str
) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = jwt.encode(application.claims(access_token=access_token), stranger, "PS512")

    assert is_error(application.send("POST", TRIGGER, token), 401, "InvalidToken")


def test_the_salt_of_a_signature_has_64_bytes(application: DigimeClient, access_token: str) -> None:
    sound = application.sign(application.claims(access_token=access_token))
    signed = sound.rpartition(".")[0]
    pss = padding.PSS(padding.MGF1(SHA512()), 32)
    signature = base64url_encode(application.key.sign(signed.encode(), pss, SHA512()))

    answer = application.send("POST", TRIGGER, f"{signed}.{signature.decode()}")

    assert is_error(answer, 401, "InvalidToken")


def test_a_changed_claim_breaks_the_signature(application: DigimeClient, access_token: str) -> None:
    header, _, signature = application.sign(application.claims(access_token=access_token)).split(
        "."
    )
    payload = jwt.encode(application.claims(access_token="another"), "x" * 64, "HS512").split(".")[
        1
    ]

    answer = application.send("POST", TRIGGER, f"{header}.{payload}.{signature}")

    assert is_error(answer, 401, "InvalidToken")


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b"[" * 6_000, b'{"nonce": "\xff"}', b'{"nonce": "\\ud800"}', b"{]"],
)
def test_signed_claims_that_are_no_json_object_are_a_validation_error(
    application: DigimeClient, payload: bytes
) -> None:
    token = jwt.PyJWS().encode(payload, application.key, "PS512")

    assert is_error(application.send("POST", TRIGGER, token), 406, "ValidationErrors")


@pytest.mark.parametrize("missing", ["client_id", "nonce", "redirect_uri", "timestamp"])
def test_no_claim_of_all_requests_may_be_missing(
    application: DigimeClient, access_token: str, missing: str
) -> None:
    answer = application.trigger(access_token, None, **{missing: None})

    assert is_error(answer, 406, "ValidationErrors")


@pytest.mark.parametrize(
    "nonce",
    ["", "a" * 31, "a" * 33, "a" * 31 + "-", "a" * 31 + "é", "a" * 32 + "\n", 32 * 10**31],
)
def test_a_nonce_has_32_letters_and_digits(
    application: DigimeClient, access_token: str, nonce: object
) -> None:
    answer = application.trigger(access_token, nonce=nonce)

    assert is_error(answer, 406, "ValidationErrors")


def test_a_nonce_is_taken_once(application: DigimeClient, access_token: str) -> None:
    nonce = secrets.token_hex(16)

    assert application.trigger(access_token, nonce=nonce).status_code == 202
    assert is_error(application.trigger(access_token, nonce=nonce), 400, "InvalidRequest")


def test_a_forger_does_not_spend_a_nonce(application: DigimeClient, access_token: str) -> None:
    claims = application.claims(access_token=access_token)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    application.send("POST", TRIGGER, jwt.encode(claims, stranger, "PS512"))

    assert application.send("POST", TRIGGER, application.sign(claims)).status_code == 202


@pytest.mark.parametrize("days", [-0.9, 0.9])
def test_a_timestamp_in_milliseconds_may_be_far_off(
    application: DigimeClient, access_token: str, days: float
) -> None:
    timestamp = int((application.clock() + days * 86_400) * 1000)

    assert application.trigger(access_token, timestamp=timestamp).status_code == 202


def test_a_timestamp_in_seconds_or_of_another_day_is_refused(
    application: DigimeClient, access_token: str
) -> None:
    seconds = int(application.clock())

    for timestamp in (seconds, (seconds - 90_000) * 1000, (seconds + 90_000) * 1000):
        answer = application.trigger(access_token, timestamp=timestamp)
        assert is_error(answer, 401, "InvalidToken")


@pytest.mark.parametrize("timestamp", ["1604916942252", 1604916942252.5, True, [1], -1, 10**400])
def test_a_timestamp_is_a_whole_number(
    application: DigimeClient, access_token: str, timestamp: object
) -> None:
    answer = application.trigger(access_token, timestamp=timestamp)

    assert is_error(answer, 406, "ValidationErrors")


def test_another_client_id_is_refused(application: DigimeClient, access_token: str) -> None:
    answer = application.trigger(access_token, client_id="another_one")

    assert is_error(answer, 401, "InvalidClient")


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:8123/other",
        "http://127.0.0.1:99999/callback",
        "http://me@127.0.0.1:8123/callback",
        "HTTP://127.0.0.1/callback",
        "https://evil.example/callback",
        "not a uri",
        "http://[",
    ],
)
def test_a_redirect_uri_is_registered(
    application: DigimeClient, access_token: str, uri: str
) -> None:
    answer = application.trigger(access_token, redirect_uri=uri)

    assert is_error(answer, 400, "InvalidRedirectUri")


def test_more_redirect_uris_can_be_registered(application: DigimeClient, access_token: str) -> None:
    uri = "https://my.example/back"
    application.settings(redirect_uris=[uri])

    assert application.trigger(access_token, redirect_uri=uri).status_code == 202


@pytest.mark.parametrize("accept", ["text/html", "application/xml, text/*"])
def test_a_client_that_takes_no_json_is_refused(
    application: DigimeClient, access_token: str, accept: str
) -> None:
    token = application.sign(application.claims(access_token=access_token))
    answer = application.send("POST", TRIGGER, token, Accept=accept)

    assert is_error(answer, 406, "ValidationErrors")


def test_a_body_is_sent_as_json_or_not_at_all(application: DigimeClient, access_token: str) -> None:
    token = application.sign(application.claims(access_token=access_token))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
    url = f"{application.api}{TRIGGER}"

    assert is_error(
        application.http.post(url, data="{}", headers=headers, timeout=5), 406, "ValidationErrors"
    )
    assert application.http.post(url, headers=headers, timeout=5).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        {"limits": {"duration": {"sourceFetch": "5"}}},
        {"limits": {"duration": {"sourceFetch": -1}}},
        {"scope": {"serviceGroups": [{"name": "no id"}]}},
        {"scope": {"timeRanges": [{"from": "yesterday"}]}},
        {"scope": {"timeRanges": [{"last": "a year"}]}},
        {"scope": {"timeRanges": [{}]}},
        {"accept": {"compression": "zip"}},
    ],
)
def test_session_options_of_wrong_types_are_refused(
    application: DigimeClient, access_token: str, body: object
) -> None:
    assert is_error(application.trigger(access_token, body), 400, "ValidationErrors")


def test_unknown_paths_and_methods_answer_error_objects(application: DigimeClient) -> None:
    get = application.http.get

    assert is_error(get(f"{application.api}nowhere", timeout=5), 404, "NotFound")
    assert is_error(get(f"{application.api}{TRIGGER}", timeout=5), 405, "MethodNotAllowed")


def test_a_fault_speaks_as_digime_does(application: DigimeClient, access_token: str) -> None:
    fault = {"kind": "status", "status": 429, "retry_after": "3"}
    application.fault(**fault)
    answer = application.trigger(access_token)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "3"
    assert answer.json()["error"]["code"] == "TooManyRequests"
