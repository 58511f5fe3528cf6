"""The Banno simulator's tokens, against Banno's token pages and the RFCs they rest on."""

from __future__ import annotations

import json
import time
import uuid

import jwt
import pytest

from tests.support.clients.banno import (
    OFFLINE,
    REDIRECT_URI,
    TIMEOUT,
    VERIFIER,
    BannoClient,
    Connected,
    Json,
    is_error,
    is_refused,
)

INSTITUTION = "https://api.banno.com/consumer/claim/institution_id"


def verified(banno: BannoClient, token: str, *, audience: str) -> Json:
    """The claims of a token, verified as a client does it with the published keys."""
    keys = jwt.PyJWKSet.from_dict(banno.http.get(f"{banno.issuer}/jwks", timeout=5).json())
    key = keys[str(jwt.get_unverified_header(token)["kid"])]
    claims: Json = jwt.decode(
        token, key, algorithms=["ES256"], audience=audience, issuer=banno.issuer
    )
    return claims


def test_a_code_is_exchanged_for_tokens(banno: BannoClient) -> None:
    answer = banno.redeem(banno.code())
    tokens = answer.json()

    assert answer.headers["Cache-Control"] == "no-store"
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    assert set(tokens["scope"].split()) >= {"openid", OFFLINE}
    assert tokens["refresh_token"]
    assert jwt.get_unverified_header(tokens["access_token"])["alg"] == "ES256"


def test_the_id_token_verifies_and_carries_what_was_asked(banno: BannoClient) -> None:
    claims = f'{{"id_token": {{"{INSTITUTION}": null}}}}'
    tokens = banno.redeem(banno.code(nonce="n-1", claims=claims, login_hint="cleo")).json()

    told = verified(banno, tokens["id_token"], audience=banno.client_id)

    assert told["nonce"] == "n-1"
    assert str(uuid.UUID(told["sub"])) == told["sub"]
    assert str(uuid.UUID(told[INSTITUTION])) == told[INSTITUTION]
    assert told["exp"] - told["iat"] == 600
    assert abs(told["iat"] - time.time()) < 5


def test_an_id_token_has_neither_nonce_nor_claims_that_were_not_asked_for(
    banno: BannoClient,
) -> None:
    tokens = banno.redeem(banno.code()).json()

    told = verified(banno, tokens["id_token"], audience=banno.client_id)

    assert set(told) == {"iss", "aud", "sub", "iat", "exp"}


def test_the_access_token_is_for_the_api_and_its_subject_is_not_the_user_id(
    banno: BannoClient,
) -> None:
    ada = banno.connect()

    told = verified(banno, ada.tokens["access_token"], audience=banno.api)

    assert told["sub"] != ada.user_id


def test_there_is_no_refresh_token_without_the_scope_for_it(banno: BannoClient) -> None:
    assert "refresh_token" not in banno.redeem(banno.code(scope="openid")).json()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"code": "nonsense"}, "invalid_grant", id="unknown-code"),
        pytest.param({"redirect_uri": "http://127.0.0.1:1/callback"}, "invalid_grant", id="port"),
        pytest.param({"code_verifier": "x" * 43}, "invalid_grant", id="other-verifier"),
        pytest.param({"code_verifier": "short"}, "invalid_request", id="short-verifier"),
        pytest.param({"code_verifier": None}, "invalid_request", id="no-verifier"),
        pytest.param({"code": None}, "invalid_request", id="no-code"),
        pytest.param({"redirect_uri": None}, "invalid_request", id="no-redirect-uri"),
        pytest.param({"grant_type": None}, "invalid_request", id="no-grant-type"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="other-grant"),
    ],
)
def test_a_wrong_exchange_is_refused(
    banno: BannoClient, changes: dict[str, str | None], error: str
) -> None:
    form: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": banno.code(),
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }

    assert is_refused(banno.post("/token", **form | changes), error)


def test_a_code_used_twice_is_refused_and_what_it_gave_is_revoked(banno: BannoClient) -> None:
    code = banno.code()
    ada = Connected(banno, banno.redeem(code).json())

    assert is_refused(banno.redeem(code), "invalid_grant")
    assert is_error(ada.get("/accounts"), 401)
    assert is_refused(banno.refresh(ada.tokens["refresh_token"]), "invalid_grant")


def test_a_code_is_good_for_sixty_seconds(banno: BannoClient) -> None:
    first, second = banno.code(), banno.code()
    banno.clock.ahead = 59
    assert banno.redeem(first).status_code == 200

    banno.clock.ahead = 61
    assert is_refused(banno.redeem(second), "invalid_grant")


def test_the_token_endpoint_takes_forms_only(banno: BannoClient) -> None:
    answer = banno.http.post(f"{banno.issuer}/token", json={"a": "b"}, timeout=TIMEOUT)

    assert is_refused(answer, "invalid_request")


def test_a_field_given_twice_is_refused(banno: BannoClient) -> None:
    fields = [("grant_type", "refresh_token"), ("grant_type", "refresh_token")]
    answer = banno.http.post(f"{banno.issuer}/token", data=fields, timeout=TIMEOUT)

    assert is_refused(answer, "invalid_request")


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"client_secret": "wrong"}, id="wrong-secret"),
        pytest.param({"client_secret": None}, id="no-secret"),
        pytest.param({"client_id": "nobody"}, id="unknown-client"),
        pytest.param({"client_id": None, "client_secret": None}, id="no-client"),
    ],
)
def test_a_client_that_does_not_prove_itself_is_answered_401(
    banno: BannoClient, form: dict[str, str | None]
) -> None:
    answer = banno.refresh("anything", **form)

    assert is_refused(answer, "invalid_client", status=401)
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("secret", "in_form", "status"),
    [
        pytest.param(None, [], 200, id="header-alone"),
        pytest.param(None, ["client_id", "client_secret"], 200, id="both-agreeing"),
        pytest.param("other", ["client_secret"], 400, id="both-differing"),
        pytest.param("other", [], 401, id="wrong-header"),
    ],
)
def test_basic_authentication_is_as_good_as_the_form(
    banno: BannoClient, *, secret: str | None, in_form: list[str], status: int
) -> None:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": banno.connect().tokens["refresh_token"],
    }
    own = {"client_id": banno.client_id, "client_secret": banno.secret}
    answer = banno.http.post(
        f"{banno.issuer}/token",
        data=form | {name: own[name] for name in in_form},
        auth=(banno.client_id, secret or banno.secret),
        timeout=TIMEOUT,
    )

    assert answer.status_code == status


def test_a_public_client_has_no_secret_and_must_not_send_one(banno: BannoClient) -> None:
    public = {"client_id": banno.public_id, "client_secret": None}
    sent = banno.redeem(banno.code(client_id=banno.public_id), **public)
    with_secret = {"client_id": banno.public_id, "client_secret": "anything"}

    assert sent.status_code == 200
    assert is_refused(
        banno.redeem(banno.code(client_id=banno.public_id), **with_secret),
        "invalid_client",
        status=401,
    )
    assert banno.refresh(sent.json()["refresh_token"], **public).status_code == 200


def test_codes_and_refresh_tokens_are_good_for_their_own_client_only(banno: BannoClient) -> None:
    public = {"client_id": banno.public_id, "client_secret": None}

    assert is_refused(banno.redeem(banno.code(), **public), "invalid_grant")
    refresh_token = banno.connect().tokens["refresh_token"]
    assert is_refused(banno.refresh(refresh_token, **public), "invalid_grant")
    assert banno.refresh(refresh_token).status_code == 200


def test_introspection_tells_a_client_about_its_own_good_tokens_only(banno: BannoClient) -> None:
    ada = banno.connect()
    token = ada.tokens["access_token"]
    public = {"client_id": banno.public_id, "client_secret": None}

    assert banno.post("/token/introspection", token=token).json()["active"] is True
    assert banno.post("/token/introspection", token="unknown").json() == {"active": False}
    assert banno.post("/token/introspection", token=token, **public).json() == {"active": False}
    assert (
        banno.post("/token/introspection", token=ada.tokens["refresh_token"]).json()["active"]
        is True
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_userinfo_tells_the_user_id_and_what_was_asked(banno: BannoClient, method: str) -> None:
    claims = f'{{"userinfo": {{"{INSTITUTION}": null}}}}'
    tokens = banno.redeem(banno.code(scope="openid profile email", claims=claims)).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    told = banno.http.request(method, f"{banno.issuer}/me", headers=headers, timeout=5).json()

    assert told["sub"] == Connected(banno, tokens).user_id
    assert told["given_name"] == "Ada"
    assert told["email"]
    assert told[INSTITUTION]


PROFILE_CLAIMS = {"name": "Ada Quillfeather", "given_name": "Ada", "family_name": "Quillfeather"}
STANDARD = ("name", "given_name", "family_name", "email", "address", "phone_number")


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        pytest.param("profile", {"name", "given_name", "family_name"}, id="profile"),
        pytest.param("email", {"email", "email_verified"}, id="email"),
        pytest.param("address", {"address"}, id="address"),
        pytest.param("phone", {"phone_number", "phone_number_verified"}, id="phone"),
    ],
)
def test_a_scope_puts_its_claims_into_the_id_token_and_userinfo(
    banno: BannoClient, scope: str, names: set[str]
) -> None:
    tokens = banno.redeem(banno.code(scope=f"openid {scope}")).json()

    for told in (
        verified(banno, tokens["id_token"], audience=banno.client_id),
        me(banno, tokens),
    ):
        assert told.keys() - {"iss", "aud", "sub", "iat", "exp"} == names
        assert {name: told[name] for name in names & PROFILE_CLAIMS.keys()} == {
            name: PROFILE_CLAIMS[name] for name in names & PROFILE_CLAIMS.keys()
        }


@pytest.mark.parametrize("name", STANDARD)
def test_any_claim_can_be_asked_for_by_its_name_on_either_side(
    banno: BannoClient, name: str
) -> None:
    for side, other in (("id_token", "userinfo"), ("userinfo", "id_token")):
        claims = json.dumps({side: {name: {"essential": True}, "unheard_of": None}})
        tokens = banno.redeem(banno.code(scope="openid", claims=claims)).json()
        told = {
            "id_token": verified(banno, tokens["id_token"], audience=banno.client_id),
            "userinfo": me(banno, tokens),
        }
        assert told[side][name]
        assert not {name, "unheard_of"} & told[other].keys()


def me(banno: BannoClient, tokens: Json) -> Json:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    told: Json = banno.http.get(f"{banno.issuer}/me", headers=headers, timeout=5).json()
    return told


def test_userinfo_without_a_good_token_is_answered_401(banno: BannoClient) -> None:
    assert banno.http.get(f"{banno.issuer}/me", timeout=5).status_code == 401
