"""The Banno simulator's authorization endpoint, against Banno's pages, OpenID Connect and PKCE."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qsl, urljoin, urlsplit

import jwt
import pytest

from infra.local.simulators.banno.issuer import Flaw
from tests.support.clients.banno import (
    ACCOUNTS,
    REDIRECT_URI,
    TIMEOUT,
    BannoClient,
    Connected,
    way_back,
)


def links(banno: BannoClient, page: str) -> dict[str, str]:
    found = re.findall(r'<a href="([^"]+)">([^<]+)</a>', page)
    return {text: urljoin(banno.base_url, html.unescape(url)) for url, text in found}


def visit(banno: BannoClient, url: str) -> dict[str, str]:
    return way_back(banno.http.get(url, allow_redirects=False, timeout=TIMEOUT))


@pytest.mark.parametrize("below", ["", "/a/consumer/api/v0/oidc"])
def test_discovery_is_at_the_issuer_and_at_the_root(banno: BannoClient, below: str) -> None:
    url = f"{banno.base_url}{below}/.well-known/openid-configuration"
    told = banno.http.get(url, timeout=TIMEOUT).json()

    assert told["issuer"] == banno.issuer
    assert told["authorization_endpoint"] == f"{banno.issuer}/auth"
    assert told["token_endpoint"] == f"{banno.issuer}/token"
    assert told["userinfo_endpoint"] == f"{banno.issuer}/me"
    assert told["jwks_uri"] == f"{banno.issuer}/jwks"
    assert told["introspection_endpoint"] == f"{banno.issuer}/token/introspection"
    assert told["revocation_endpoint"] == f"{banno.issuer}/token/revocation"
    assert told["pushed_authorization_request_endpoint"] == f"{banno.issuer}/request"
    assert told["end_session_endpoint"] == f"{banno.issuer}/logout"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["id_token_signing_alg_values_supported"] == ["ES256", "PS256", "RS256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert {"ES256", "PS256", "EdDSA"} <= set(told["dpop_signing_alg_values_supported"])
    assert {"sub", "name", "email", "address", "phone_number"} <= set(told["claims_supported"])


def test_the_key_set_holds_no_private_key(banno: BannoClient) -> None:
    keys = banno.http.get(f"{banno.issuer}/jwks", timeout=TIMEOUT).json()["keys"]

    assert [(key["kty"], key.get("crv"), key.get("alg")) for key in keys] == [
        ("EC", "P-256", "ES256"),
        ("RSA", None, None),
    ]
    assert not [key for key in keys if {"d", "p", "q"} & key.keys()]


def test_a_sound_request_is_approved_at_once_and_its_state_comes_back(banno: BannoClient) -> None:
    told = way_back(banno.authorize(state="s & s"))

    assert set(told) == {"code", "state", "iss"}
    assert told["state"] == "s & s"
    assert told["iss"] == banno.issuer


def test_no_state_comes_back_where_none_was_sent(banno: BannoClient) -> None:
    assert set(way_back(banno.authorize(state=None))) == {"code", "iss"}


@pytest.mark.parametrize("user", ["ada", "ben", "cleo", "dora", "max"])
def test_the_login_hint_chooses_the_user(banno: BannoClient, user: str) -> None:
    by_name = banno.connect(user)
    by_id = Connected(banno, banno.redeem(banno.code(login_hint=by_name.user_id)).json())

    assert by_id.user_id == by_name.user_id


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
        pytest.param({"response_type": None}, "unsupported_response_type", id="no-type"),
        pytest.param({"response_mode": "form_post"}, "invalid_request", id="other-mode"),
        pytest.param({"scope": None}, "invalid_scope", id="no-scope"),
        pytest.param({"scope": "profile"}, "invalid_scope", id="no-openid"),
        pytest.param({"code_challenge": None}, "invalid_request", id="no-pkce"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="no-method"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain"),
        pytest.param({"code_challenge": "x" * 42}, "invalid_request", id="short-challenge"),
        pytest.param({"claims": "{"}, "invalid_request", id="claims-no-json"),
        pytest.param({"claims": "[]"}, "invalid_request", id="claims-no-object"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="prompt-none-and"),
        pytest.param({"prompt": "sometimes"}, "invalid_request", id="prompt-unknown"),
        pytest.param({"login_hint": "nobody"}, "invalid_request", id="no-such-user"),
        pytest.param({"request": "e30.e30."}, "request_not_supported", id="request-object"),
    ],
)
def test_a_wrong_request_goes_back_with_its_error_and_state(
    banno: BannoClient, changes: dict[str, str | None], error: str
) -> None:
    told = way_back(banno.authorize(**changes))

    assert told["error"] == error
    assert (told["state"], told["iss"]) == ("a-state", banno.issuer)
    assert told["error_description"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"client_id": "nobody"}, id="unknown-client"),
        pytest.param({"client_id": None}, id="no-client"),
        pytest.param({"redirect_uri": None}, id="no-redirect-uri"),
        pytest.param({"redirect_uri": "https://evil.example/callback"}, id="other-host"),
        pytest.param({"redirect_uri": "http://app.example.com/callback"}, id="http"),
        pytest.param({"redirect_uri": "https://app.example.com:444/callback"}, id="https-port"),
        pytest.param({"redirect_uri": "http://127.0.0.1:8/callback/"}, id="other-path"),
        pytest.param({"redirect_uri": "http://127.0.0.1:8/callback?a=b"}, id="a-query"),
        pytest.param({"redirect_uri": "http://127.0.0.1:8/callback#x"}, id="a-fragment"),
        pytest.param({"redirect_uri": "http://127.0.0.1.evil.example/callback"}, id="suffix"),
        pytest.param({"redirect_uri": "http://x@127.0.0.1:8/callback"}, id="a-user"),
        pytest.param({"redirect_uri": "http://127.0.0.1:port/callback"}, id="port-in-letters"),
        pytest.param({"redirect_uri": "http://localhost:8/callback"}, id="localhost"),
    ],
)
def test_a_request_from_an_unknown_client_is_shown_and_never_redirected(
    banno: BannoClient, changes: dict[str, str | None]
) -> None:
    answer = banno.authorize(**changes)

    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "redirect_uri",
    [
        pytest.param("http://127.0.0.1/callback", id="loopback"),
        pytest.param("http://127.0.0.1:1/callback", id="loopback-low-port"),
        pytest.param("http://127.0.0.1:65535/callback", id="loopback-high-port"),
        pytest.param("https://app.example.com/callback", id="https"),
    ],
)
def test_registered_redirect_uris_are_good_and_loopback_on_any_port(
    banno: BannoClient, redirect_uri: str
) -> None:
    answer = banno.authorize(redirect_uri=redirect_uri)

    assert answer.headers["Location"].startswith(f"{redirect_uri}?code=")
    code = way_back(answer)["code"]
    assert banno.redeem(code, redirect_uri=redirect_uri).status_code == 200


def test_more_redirect_uris_can_be_registered(banno: BannoClient) -> None:
    uri = "https://localhost:8080/auth/cb?from=garden"
    assert banno.authorize(redirect_uri=uri).status_code == 400

    banno.settings(redirect_uris=[uri])

    told = way_back(banno.authorize(redirect_uri=uri))
    assert set(told) == {"from", "code", "state", "iss"}


def test_scopes_that_do_not_exist_are_passed_over_and_the_answer_says_so(
    banno: BannoClient,
) -> None:
    tokens = banno.redeem(banno.code(scope="openid accounts.readonly unheard-of")).json()

    assert tokens["scope"] == "openid"


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "RS256"])
def test_more_clients_can_be_registered(banno: BannoClient, algorithm: str) -> None:
    mine = {"id": "mine", "secret": "s3", "redirect_uris": ["https://app.example.org/cb"]}
    banno.settings(clients=[{**mine, "id_token_signed_response_alg": algorithm}])
    uri = "https://app.example.org/cb"

    code = banno.code(client_id="mine", redirect_uri=uri)
    spoken = {"client_id": "mine", "client_secret": "s3", "redirect_uri": uri}
    token = banno.redeem(code, **spoken).json()["id_token"]

    keys = jwt.PyJWKSet.from_dict(banno.http.get(f"{banno.issuer}/jwks", timeout=TIMEOUT).json())
    header = jwt.get_unverified_header(token)
    key = keys[header["kid"]].key
    assert header["alg"] == algorithm
    assert jwt.decode(token, key, algorithms=[algorithm], audience="mine")["iss"] == banno.issuer
    assert banno.authorize(redirect_uri=uri).status_code == 400
    wrong = banno.redeem(
        banno.code(client_id="mine", redirect_uri=uri), **spoken | {"client_secret": "other"}
    )
    assert wrong.status_code == 401


def test_a_client_with_a_bad_address_cannot_be_registered(banno: BannoClient) -> None:
    clients = [{"id": "mine", "redirect_uris": ["http://app.example.com/cb"]}]
    assert banno.control("POST", "settings", {"clients": clients}).status_code == 400


@pytest.mark.parametrize("uri", ["http://app.example.com/cb", "ftp://x/cb", "/cb", "https://a/#b"])
def test_only_https_and_loopback_can_be_registered(banno: BannoClient, uri: str) -> None:
    answer = banno.control("POST", "settings", {"redirect_uris": [uri]})

    assert answer.status_code == 400
    assert "redirect URI" in answer.json()["message"]


def test_a_parameter_given_twice_is_refused(banno: BannoClient) -> None:
    twice = [*banno.asked().items(), ("scope", "openid")]
    answer = banno.http.get(
        f"{banno.issuer}/auth", params=twice, allow_redirects=False, timeout=TIMEOUT
    )

    assert way_back(answer)["error"] == "invalid_request"


@pytest.mark.parametrize("prompt", ["login", "consent", "select_account", "login consent"])
def test_a_prompt_shows_a_page_on_which_any_user_can_be_chosen(
    banno: BannoClient, prompt: str
) -> None:
    page = banno.authorize(prompt=prompt, state='<s>&"')
    choices = links(banno, page.text)

    told = visit(banno, choices["cleo"])

    assert page.headers["Content-Type"].startswith("text/html")
    assert told["state"] == '<s>&"'
    chosen = Connected(banno, banno.redeem(told["code"]).json())
    assert chosen.user_id == banno.connect("cleo").user_id


def test_the_user_may_refuse(banno: BannoClient) -> None:
    refusal = links(banno, banno.authorize(prompt="consent").text)["Don't allow this"]

    told = dict(parse_qsl(urlsplit(refusal).query))
    assert refusal.startswith(f"{REDIRECT_URI}?error=access_denied&")
    assert told == {"error": "access_denied", "state": "a-state", "iss": banno.issuer}


def test_a_request_can_be_pushed_ahead_and_used_once(banno: BannoClient) -> None:
    pushed = banno.post("/request", **banno.asked(nonce="n", login_hint="ben"))
    short = {"client_id": banno.client_id, "request_uri": pushed.json()["request_uri"]}

    def authorize() -> int:
        url = f"{banno.issuer}/auth"
        answer = banno.http.get(url, params=short, allow_redirects=False, timeout=TIMEOUT)
        return answer.status_code

    assert pushed.status_code == 201
    assert pushed.json()["expires_in"] == 60
    assert [authorize(), authorize()] == [302, 400]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"scope": "profile"}, 400, id="wrong-scope"),
        pytest.param({"redirect_uri": "https://evil.example/"}, 400, id="wrong-redirect-uri"),
        pytest.param({"client_secret": "wrong"}, 401, id="wrong-secret"),
    ],
)
def test_a_wrong_request_cannot_be_pushed(
    banno: BannoClient, changes: dict[str, str], status: int
) -> None:
    assert banno.post("/request", **banno.asked() | changes).status_code == status


def test_logout_returns_to_a_registered_address_only(banno: BannoClient) -> None:
    def leave(**asked: str) -> int:
        url = f"{banno.issuer}/logout"
        answer = banno.http.get(url, params=asked, allow_redirects=False, timeout=TIMEOUT)
        return answer.status_code

    home = "https://app.example.com/callback"
    assert leave() == 200
    assert leave(client_id=banno.client_id, post_logout_redirect_uri=home) == 302
    assert leave(client_id=banno.client_id, post_logout_redirect_uri="https://evil/") == 400


def test_nothing_is_approved_without_a_click_where_the_user_is_to_be_asked(
    banno: BannoClient,
) -> None:
    banno.settings(ask_user=True)
    page = banno.authorize()
    assert page.status_code == 200
    banno.settings(ask_user=False)
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    shown = banno.http.get(page.url, headers=browser, allow_redirects=False, timeout=TIMEOUT)
    assert shown.text == page.text
    told = visit(banno, links(banno, page.text)["cleo"])
    assert Connected(banno, banno.redeem(told["code"]).json()).accounts()
    denial = urlsplit(links(banno, page.text)["Don't allow this"]).query
    assert dict(parse_qsl(denial))["error"] == "access_denied"


@pytest.mark.parametrize("error", ["temporarily_unavailable", "login_required", "out_of_tea"])
def test_a_sound_request_is_refused_as_the_settings_have_it(banno: BannoClient, error: str) -> None:
    banno.settings(authorization_error=error)
    told = way_back(banno.authorize())
    assert (told["error"], told["state"], "code" in told) == (error, "a-state", False)
    assert banno.authorize(redirect_uri="https://evil.example/callback").status_code == 400


def test_who_answers_is_told_wrongly_or_not_at_all_as_the_settings_have_it(
    banno: BannoClient,
) -> None:
    url = f"{banno.issuer}/.well-known/openid-configuration"
    supported = "authorization_response_iss_parameter_supported"
    banno.settings(authorization_iss="wrong")
    assert way_back(banno.authorize())["iss"] != banno.issuer
    assert banno.http.get(url, timeout=TIMEOUT).json()[supported] is True
    banno.settings(authorization_iss="none")
    assert set(way_back(banno.authorize())) == {"code", "state"}
    assert set(way_back(banno.authorize(prompt="sometimes"))) >= {"error", "state"}
    assert banno.http.get(url, timeout=TIMEOUT).json()[supported] is False


def test_users_allow_only_what_the_settings_have(banno: BannoClient) -> None:
    banno.settings(granted_scopes=["openid", ACCOUNTS, "address"])
    told = banno.redeem(banno.code()).json()
    assert told["scope"] == f"openid {ACCOUNTS}"
    assert "refresh_token" not in told


def test_a_revocation_ends_all_of_the_user_s_grants_where_the_settings_have_it(
    banno: BannoClient,
) -> None:
    first, second, other = (banno.connect(user) for user in ("ada", "ada", "ben"))
    banno.settings(revocation_ends_all=True)
    banno.post("/token/revocation", token=first.tokens["refresh_token"])
    assert first.get("/accounts").status_code == second.get("/accounts").status_code == 401
    assert other.get("/accounts").status_code == 200
    assert len(banno.ledger("grant_revoked")) == 2


@pytest.mark.parametrize("flaw", Flaw)
def test_an_id_token_is_sound_unless_the_settings_have_a_flaw(
    banno: BannoClient, flaw: Flaw
) -> None:
    banno.settings(id_token_flaw=flaw)
    token = banno.redeem(banno.code(nonce="n1")).json()["id_token"]
    assert is_sound(banno, token, nonce="n1") == (flaw is Flaw.NONE)


def is_sound(banno: BannoClient, token: str, *, nonce: str) -> bool:
    """As a client has to look at it."""
    keys = banno.http.get(f"{banno.issuer}/jwks", timeout=TIMEOUT).json()["keys"]
    kid = jwt.get_unverified_header(token)["kid"]
    try:
        claims = jwt.decode(
            token,
            next(jwt.PyJWK(each, "ES256") for each in keys if each["kid"] == kid),
            ["ES256"],
            issuer=banno.issuer,
            audience=banno.client_id,
            options={"require": ["iss", "aud", "sub", "exp", "iat", "nonce"]},
        )
    except (jwt.PyJWTError, StopIteration):
        return False
    ours = claims["nonce"] == nonce and claims.get("azp", banno.client_id) == banno.client_id
    return ours and claims["sub"] != ".." and len(token) < 16_384
