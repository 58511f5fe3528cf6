"""The digi.me simulator's postboxes, against the guide Sync and what the SDKs send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clients.digime import (
    REDIRECT_URI,
    DigimeClient,
    Json,
    Tokens,
    is_error,
)
from tests.support.clients.digime_reader import reader

if TYPE_CHECKING:
    import requests

DESCRIBED: Json = {
    "mimeType": "application/json",
    "accounts": [{"accountId": "4711"}],
    "reference": ["Receipt"],
    "tags": ["groceries"],
}
CONTENT = b'{"total": "12.30"}'


SETTINGS = {"sync_seconds": 10}


def postbox(application: DigimeClient, user: str = "ben") -> dict[str, str]:
    """The postbox that a consent to push gives; the application is under its contract to push."""
    code = application.opened(application.authorize())["preauthorization_code"]
    return application.visit("authorize", code=code, callback=REDIRECT_URI, user=user)


def pushed(application: DigimeClient, user: str = "ben") -> requests.Response:
    pushing = application.to_push()
    given = postbox(pushing, user)
    tokens = Tokens(pushing.opened(pushing.redeem(given["code"])))
    return pushing.push(given, CONTENT, DESCRIBED, access_token=tokens.access)


def test_the_consent_to_be_pushed_to_gives_a_postbox_and_its_key(application: DigimeClient) -> None:
    first, second = (postbox(application.to_push()) for _ in range(2))

    assert set(first) == {"success", "state", "code", "postboxId", "publicKey"}
    assert first["publicKey"].startswith("-----BEGIN RSA PUBLIC KEY-----")
    assert first["postboxId"] == second["postboxId"]
    assert postbox(application.to_push(), "ada")["postboxId"] != first["postboxId"]


def test_a_file_that_is_pushed_appears_at_the_next_trigger(application: DigimeClient) -> None:
    access = application.connect("ben").access
    before = application.session(access)
    answer = pushed(application)
    assert answer.status_code == 200
    assert answer.json()["status"] == "delivered"
    assert set(answer.json()) == {"status", "expires", "session"}
    application.clock.now += 11
    assert application.list(before).json()["fileList"] == []

    session = application.session(access)
    assert application.list(session).json()["fileList"] == []
    application.clock.now += 11
    (row,) = application.list(session).json()["fileList"]
    file = application.read(session, row["name"])

    assert set(row) == {"name", "updatedDate"}
    assert row["name"].endswith("receipt.json")
    assert file.content == CONTENT
    contract = application.to_push().client_id.split("_")
    created = file.metadata.pop("created")
    assert created / 1000 == pytest.approx(application.clock() - 22, abs=1)
    assert file.metadata == {
        "mimetype": "application/json",
        "accounts": [{"accountid": "4711"}],
        "reference": ["Receipt"],
        "tags": ["groceries"],
        "appid": contract[0],
        "contractid": contract[1],
    }


def test_a_file_that_was_imported_stays_as_it_was(application: DigimeClient) -> None:
    access = application.connect("ben").access
    pushed(application)
    rows = []
    for _ in range(2):
        session = application.session(access)
        application.clock.now += 11
        rows.append(application.list(session).json()["fileList"])
        pushed(application)
    assert len(rows[0]) == 1
    assert rows[1][:1] == rows[0]
    assert len(rows[1]) == 2


def test_what_is_pushed_is_of_no_service(application: DigimeClient) -> None:
    pushed(application)
    access = application.connect("ben").access
    session = application.session(access, {"scope": {"serviceGroups": [{"id": 1}]}})
    application.clock.now += 11
    assert application.list(session).json()["fileList"] == []


def test_without_a_token_that_is_good_a_push_is_pending(application: DigimeClient) -> None:
    pushing = application.to_push()
    given = postbox(pushing)
    others = application.connect("ada").access
    for access_token in (None, "unknown", others):
        answer = pushing.push(given, CONTENT, DESCRIBED, access_token=access_token)
        assert answer.json()["status"] == "pending"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"iv": "0" * 32}, 400, "ValidationErrors"),
        ({"metadata": "AAAA"}, 400, "ValidationErrors"),
        ({"metadata": "no base64!"}, 400, "ValidationErrors"),
        ({"symmetrical_key": "AAAA"}, 400, "ValidationErrors"),
        ({"iv": "0" * 31}, 406, "ValidationErrors"),
        ({"symmetrical_key": ""}, 406, "ValidationErrors"),
    ],
    ids=str,
)
def test_a_push_that_cannot_be_decrypted_is_refused(
    application: DigimeClient, change: dict[str, object], status: int, code: str
) -> None:
    pushing = application.to_push()
    answer = pushing.push(postbox(pushing), CONTENT, DESCRIBED, claims=change)
    assert is_error(answer, status, code)


def test_each_contract_is_for_one_thing(application: DigimeClient) -> None:
    pushing = application.to_push()
    given = postbox(pushing)
    access = application.connect("ben").access

    assert is_error(application.push(given, CONTENT, DESCRIBED), 403, "InsufficientScope")
    assert is_error(pushing.trigger(access), 403, "InsufficientScope")
    unknown = given | {"postboxId": "unknown"}
    assert is_error(pushing.push(unknown, CONTENT, DESCRIBED), 404, "NotFound")


def test_a_push_is_a_form_with_a_file(application: DigimeClient) -> None:
    pushing = application.to_push()
    given = postbox(pushing)
    token = pushing.sign(pushing.claims(iv="0" * 32, metadata="AAAA", symmetrical_key="AAAA"))
    path = f"permission-access/postbox/{given['postboxId']}"

    assert is_error(pushing.send("POST", path, token, {}), 406, "ValidationErrors")
    token = pushing.sign(pushing.claims(iv="0" * 32, metadata="AAAA", symmetrical_key="AAAA"))
    assert is_error(pushing.send("POST", path, token), 400, "ValidationErrors")


@pytest.mark.parametrize("by", ["application", "switch"])
def test_a_file_that_is_pushed_is_read_by_our_connector(application: DigimeClient, by: str) -> None:
    one = reader(application, "ben")
    assert len(one.read().ids) == 1
    if by == "switch":
        body = {"user": "ben", "name": "receipt.json", "content": CONTENT.decode()}
        application.order("push", **body)
    else:
        pushed(application).raise_for_status()
    read = one.read()
    (name,) = set(read.ids) & {id_ for id_ in read.ids if id_.endswith("receipt.json")}
    assert read.records[name]["content"] == {"total": "12.30"}
    assert read.records[name]["metadata"]["mimetype"] == "application/json"
