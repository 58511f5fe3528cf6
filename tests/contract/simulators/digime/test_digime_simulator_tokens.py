"""The digi.me simulator's tokens, against the guide Token and what the SDKs verify."""

from __future__ import annotations

import jwt
import pytest

from tests.support.clients.digime import (
    REDIRECT_URI,
    DigimeClient,
    Tokens,
    challenge_of,
    is_error,
)


def test_a_code_and_its_verifier_are_exchanged_for_tokens(application: DigimeClient) -> None:
    answer = application.redeem(application.code())
    claims = application.opened(answer)

    assert answer.status_code == 200
    assert set(claims) == {
        "access_token",
        "refresh_token",
        "identifier",
        "consentid",
        "token_type",
    }
    assert claims["access_token"]["expires_on"] == int(application.clock()) + 86_400
    assert claims["refresh_token"]["expires_on"] == int(application.clock()) + 7 * 86_400
    assert claims["token_type"] == "Bearer"
    assert isinstance(claims["identifier"]["id"], str)
    assert isinstance(claims["consentid"], str)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (
            {"code_verifier": "another-verifier-of-the-tests-long-enough-0123"},
            400,
            "InvalidRequest",
        ),
        ({"redirect_uri": "https://app.example.com/callback"}, 400, "InvalidRequest"),
        ({"code_verifier": None}, 406, "ValidationErrors"),
        ({"code_verifier": "short"}, 406, "ValidationErrors"),
        ({"grant_type": "password"}, 406, "ValidationErrors"),
        ({"grant_type": None}, 406, "ValidationErrors"),
    ],
    ids=str,
)
def test_a_code_is_not_exchanged_for_anything_else(
    application: DigimeClient, change: dict[str, object], status: int, code: str
) -> None:
    assert is_error(application.redeem(application.code(), **change), status, code)


def test_a_code_is_good_for_one_attempt_within_ten_minutes(application: DigimeClient) -> None:
    spent, tried, late = application.code(), application.code(), application.code()
    application.redeem(spent).raise_for_status()
    application.redeem(tried, code_verifier="v" * 43)
    application.clock.now += 601

    for code in (spent, tried, late, "unknown"):
        assert is_error(application.redeem(code), 400, "InvalidRequest")


def test_a_refresh_gives_new_tokens_and_spends_the_old_refresh_token(
    application: DigimeClient,
) -> None:
    first = application.connect()
    second = Tokens(application.opened(application.refresh(first.refresh)))

    assert {first.access, first.refresh}.isdisjoint({second.access, second.refresh})
    assert application.trigger(second.access).status_code == 202
    assert application.trigger(first.access).status_code == 202
    assert is_error(application.refresh(first.refresh), 401, "InvalidToken")


def test_refresh_tokens_can_be_left_as_they_are(application: DigimeClient) -> None:
    application.settings(rotate_refresh=False)
    first = application.connect()
    application.clock.now += 60
    second = Tokens(application.opened(application.refresh(first.refresh)))

    assert second.claims["refresh_token"] == first.claims["refresh_token"]
    assert second.access != first.access


def test_tokens_end_when_they_say(application: DigimeClient) -> None:
    application.settings(access_seconds=60, refresh_seconds=120)
    tokens = application.connect()
    application.clock.now += 61
    assert is_error(application.trigger(tokens.access), 401, "InvalidToken")
    assert application.refresh(tokens.refresh).status_code == 200

    tokens = application.connect()
    application.clock.now += 121

    assert is_error(application.refresh(tokens.refresh), 401, "InvalidToken")
    application.settings(refresh_error_code="InvalidRefreshToken")
    assert is_error(application.refresh(tokens.refresh), 401, "InvalidRefreshToken")


def test_tokens_can_be_made_to_end(application: DigimeClient) -> None:
    tokens = application.connect()
    assert application.control("POST", "expire", {"user": "ada"}).json()["access_tokens"] == 1
    assert application.control("POST", "revoke", {"user": "ada"}).json()["refresh_tokens"] == 1

    assert is_error(application.trigger(tokens.access), 401, "InvalidToken")
    assert is_error(application.refresh(tokens.refresh), 401, "InvalidToken")
    assert application.control("POST", "expire", {"user": "nobody"}).status_code == 400


def test_response_tokens_name_their_key_and_where_it_is(application: DigimeClient) -> None:
    token = application.authorize().json()["token"]
    header = jwt.get_unverified_header(token)
    keys = application.http.get(header["jku"], timeout=5).json()["keys"]

    assert header["alg"] == "PS512"
    assert header["typ"] == "JWT"
    assert header["jku"] == f"{application.api}jwks/oauth"
    assert header["kid"] in [key["kid"] for key in keys]
    assert all(set(key) == {"kid", "kty", "e", "n", "pem"} for key in keys)
    assert all(jwt.PyJWK({**key, "alg": "PS512"}).key_id == key["kid"] for key in keys)


def test_keys_rotate_and_the_last_one_stays_published(application: DigimeClient) -> None:
    before = application.authorize().json()["token"]
    keys = application.control("POST", "rotate_keys").json()["keys"]
    after = application.authorize().json()["token"]

    kids = [jwt.get_unverified_header(token)["kid"] for token in (before, after)]
    assert kids == [key["kid"] for key in keys]


def test_an_evil_jku_can_be_sent_to_see_that_it_is_not_followed(application: DigimeClient) -> None:
    evil = "http://127.0.0.1:9/jwks"
    application.settings(evil_jku=evil)
    answer = application.authorize()

    assert jwt.get_unverified_header(answer.json()["token"])["jku"] == evil
    assert "preauthorization_code" in application.opened(answer)


@pytest.mark.parametrize("flaw", ["unsigned", "hs256", "rs512", "ps256", "forged", "unknown_kid"])
def test_response_tokens_can_be_flawed(application: DigimeClient, flaw: str) -> None:
    application.settings(token_flaw=flaw)
    answer = application.authorize()

    with pytest.raises((jwt.InvalidTokenError, StopIteration)):
        application.opened(answer)


def test_a_token_answer_can_have_another_status_and_odd_claims(application: DigimeClient) -> None:
    odd = {"access_token.expires_on": "600", "token_type": None, "consentid": "(absent)"}
    application.settings(token_status=201, odd_claims=odd)
    answer = application.redeem(application.code())
    claims = application.opened(answer)

    assert answer.status_code == 201
    assert (claims["access_token"]["expires_on"], claims["token_type"]) == ("600", None)
    assert "consentid" not in claims


def test_the_key_set_can_list_what_is_no_key(application: DigimeClient) -> None:
    application.settings(odd_keys=[None, {"kid": "k", "pem": None}])
    keys = application.http.get(f"{application.api}jwks/oauth", timeout=5).json()["keys"]

    assert keys[:2] == [None, {"kid": "k", "pem": None}]
    assert len(keys) == 4


def test_deleting_the_user_voids_tokens_and_sessions(application: DigimeClient) -> None:
    tokens = application.connect()
    session = application.session(tokens.access)
    token = application.sign(application.claims(access_token=tokens.access))

    assert application.send("DELETE", "user", token).status_code == 204

    assert is_error(application.trigger(tokens.access), 401, "InvalidToken")
    assert is_error(application.refresh(tokens.refresh), 401, "InvalidToken")
    assert is_error(application.list(session), 401, "SessionInvalid")


def test_a_library_that_was_deleted_is_empty_also_for_a_new_consent(
    application: DigimeClient,
) -> None:
    application.settings(sync_seconds=0)
    tokens = application.connect()
    token = application.sign(application.claims(access_token=tokens.access))
    assert application.list(application.session(tokens.access)).json()["fileList"]

    assert application.send("DELETE", "user", token).status_code == 204
    listed = application.list(application.session(application.connect().access)).json()

    assert [row["user"] for row in application.ledger("library_deleted")] == ["ada"]
    assert (listed["fileList"], listed["status"]["state"]) == ([], "completed")


def test_the_challenge_is_the_one_of_rfc_7636(application: DigimeClient) -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert challenge_of(verifier) == challenge

    answer = application.authorize(code_challenge=challenge)
    code = application.opened(answer)["preauthorization_code"]
    back = application.visit("authorize", code=code, callback=REDIRECT_URI)

    assert application.redeem(back["code"], code_verifier=verifier).status_code == 200
