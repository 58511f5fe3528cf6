"""The Banno simulator's refresh tokens, and how tokens end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.support.clients.banno import (
    OFFLINE,
    BannoClient,
    Connected,
    is_error,
    is_refused,
)


def test_each_refresh_gives_new_tokens_and_the_old_access_token_lives_on(
    banno: BannoClient,
) -> None:
    ada = banno.connect()

    second = banno.refresh(ada.tokens["refresh_token"]).json()
    third = banno.refresh(second["refresh_token"]).json()

    assert len({ada.tokens["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    assert Connected(banno, third).user_id == ada.user_id
    assert ada.get("/accounts").status_code == 200
    assert Connected(banno, third).get("/accounts").status_code == 200


def test_a_spent_refresh_token_is_refused_and_ends_the_whole_family(banno: BannoClient) -> None:
    ada = banno.connect()
    second = banno.refresh(ada.tokens["refresh_token"]).json()

    assert is_refused(banno.refresh(ada.tokens["refresh_token"]), "invalid_grant")
    assert is_refused(banno.refresh(second["refresh_token"]), "invalid_grant")
    assert is_error(Connected(banno, second).get("/accounts"), 401)
    assert len(banno.ledger("grant_revoked")) == 1


def test_of_many_uses_of_one_refresh_token_at_once_one_succeeds(banno: BannoClient) -> None:
    first = banno.connect().tokens["refresh_token"]

    with ThreadPoolExecutor(8) as workers:
        answers = list(workers.map(banno.refresh, [first] * 16))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 15


def test_with_the_grace_a_spent_token_works_until_its_successor_is_used(banno: BannoClient) -> None:
    banno.settings(refresh_grace=True)
    first = banno.connect().tokens["refresh_token"]
    lost = banno.refresh(first).json()["refresh_token"]

    again = banno.refresh(first)

    assert again.status_code == 200
    assert banno.refresh(again.json()["refresh_token"]).status_code == 200
    assert is_refused(banno.refresh(first), "invalid_grant")
    assert is_refused(banno.refresh(lost), "invalid_grant")


def test_a_refresh_may_repeat_the_scopes_of_the_request_also_those_that_there_are_not(
    banno: BannoClient,
) -> None:
    asked = f"openid {OFFLINE} spoons"
    ada = banno.connect(scope=asked)
    again = banno.refresh(ada.tokens["refresh_token"], scope=asked)
    assert again.json()["scope"] == f"openid {OFFLINE}"


def test_a_refresh_may_narrow_the_scope_but_not_widen_it(banno: BannoClient) -> None:
    ada = banno.connect(scope=f"openid {OFFLINE}")
    wider = banno.refresh(ada.tokens["refresh_token"], scope="openid profile")
    narrower = banno.refresh(ada.tokens["refresh_token"], scope="openid")

    assert is_refused(wider, "invalid_scope")
    assert narrower.json()["scope"] == "openid"


def test_the_lifetime_of_access_tokens_can_be_set(banno: BannoClient) -> None:
    banno.settings(token_seconds=5)
    ada = banno.connect()
    assert ada.tokens["expires_in"] == 5
    assert ada.get("/accounts").status_code == 200

    banno.clock.ahead = 5

    assert is_error(ada.get("/accounts"), 401)


def test_revoking_a_user_kills_refresh_tokens_and_expiring_kills_access_tokens(
    banno: BannoClient,
) -> None:
    ada, ben = banno.connect("ada"), banno.connect("ben")

    assert banno.control("POST", "revoke", {"user": "ada"}).json()["refresh_tokens"] == 1
    assert ada.get("/accounts").status_code == 200
    assert is_refused(banno.refresh(ada.tokens["refresh_token"]), "invalid_grant")

    banno.control("POST", "expire", {"user": ada.user_id})
    assert is_error(ada.get("/accounts"), 401)
    assert ben.get("/accounts").status_code == 200
    assert banno.refresh(ben.tokens["refresh_token"]).status_code == 200


def test_a_client_can_revoke_a_refresh_token_with_its_family(banno: BannoClient) -> None:
    ada = banno.connect()

    assert banno.post("/token/revocation", token=ada.tokens["refresh_token"]).status_code == 200
    assert is_error(ada.get("/accounts"), 401)
    assert banno.post("/token/revocation", token="unknown").status_code == 200
