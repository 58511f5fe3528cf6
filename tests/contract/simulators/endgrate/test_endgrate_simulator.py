"""The Endgrate simulator's sessions, against Endgrate's API description and guides."""

from __future__ import annotations

import re

import pytest

from tests.support.clients.endgrate import (
    COMPANY,
    CONTACT,
    PAGE_VIEWS,
    EndgrateClient,
    Json,
    is_error,
)


def configuration(caller: EndgrateClient, session_id: str) -> Json:
    answer = caller.get("/api/session/configuration", session_id=session_id)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


@pytest.mark.parametrize("path", ["session", "pull", "push"])
def test_every_initiation_answers_a_session_id_of_24_hexadecimal_characters(
    caller: EndgrateClient, path: str
) -> None:
    answer = caller.post(f"/api/{path}/initiate", schema=[{"endgrate_type": CONTACT}])

    assert answer.status_code == 200
    assert answer.json().keys() == {"success", "session_id"}
    assert answer.json()["success"] is True
    assert re.fullmatch("[0-9a-f]{24}", answer.json()["session_id"])


def test_every_documented_option_may_be_given_null_or_left_out(caller: EndgrateClient) -> None:
    chosen_by_users = ["schema", "resource", "field"]
    flags = [
        *(f"{what}_selection" for what in chosen_by_users),
        *("passthrough_fields", "passthrough_schemas"),
        *("save_session", "sync", "statistics", "webhook_concurrency", "bypass_ui"),
    ]
    hooks = [f"{event}_webhook" for event in ("completed", "configuration", "data", "error")]
    others = ["schema", "provider", "redirect_url", "prepopulate"]

    assert caller.post("/api/session/initiate").status_code == 200
    nothing = dict.fromkeys([*flags, *hooks, *others])
    assert caller.post("/api/session/initiate", **nothing).status_code == 200
    everything: Json = {
        **dict.fromkeys(flags, True),
        **{hook: {"endpoint": "http://127.0.0.1:9/x", "metadata": {"a": 1}} for hook in hooks[:1]},
        "schema": [{"endgrate_type": CONTACT, "associations": True}],
        "provider": "greenspot",
        "redirect_url": "https://app.example/back",
        "prepopulate": {"api_key": "x"},
        "label": "a member that newer guides know",
    }
    assert caller.post("/api/session/initiate", **everything).status_code == 200


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"sync": "yes"}, "$.sync"),
        ({"save_session": 1}, "$.save_session"),
        ({"schema": {}}, "$.schema"),
        ({"schema": [{}]}, "$.schema[0]"),
        ({"schema": [{"endgrate_type": "crm-nonsense"}]}, "$.schema[0]"),
        ({"schema": [{"endgrate_type": "unspecified", "title": "Data"}]}, "$.schema[0]"),
        ({"schema": [{"title": "A", "properties": {"x": {"type": "array"}}}]}, "$.schema[0]"),
        ({"schema": [{"title": "A", "type": "list"}]}, "$.schema[0].type"),
        ({"schema": [{"endgrate_type": CONTACT}] * 2}, "$"),
        ({"provider": "nobody"}, "$.provider"),
        ({"provider": "leafmetrics", "schema": [{"endgrate_type": CONTACT}]}, "$.provider"),
        ({"redirect_url": "javascript:alert(1)"}, "$"),
        ({"data_webhook": {}}, "$.data_webhook"),
        ({"prepopulate": []}, "$.prepopulate"),
    ],
    ids=str,
)
def test_an_option_of_the_wrong_kind_is_answered_400_naming_its_place(
    caller: EndgrateClient, body: Json, at: str
) -> None:
    assert is_error(caller.post("/api/session/initiate", **body), at=at)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/hook",
        "http://192.168.1.1/",
        "http://127.0.0.1.example.com/",
        "http://user@127.0.0.1/",
        "http://example.com\\@127.0.0.1/",
        "http://0.0.0.0/",
        "ftp://127.0.0.1/",
        "http://[::1",
        "/hook",
    ],
)
def test_a_webhook_that_is_not_on_loopback_is_refused(caller: EndgrateClient, address: str) -> None:
    asked = {"completed_webhook": {"endpoint": address}}
    fern = caller.demo["fern"]

    assert is_error(caller.post("/api/session/initiate", **asked), at="$.completed_webhook")
    transfer = {"session_id": fern, "endgrate_type": CONTACT, **asked}
    assert is_error(caller.post("/api/pull/transfer", **transfer), at="$.completed_webhook")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"sync": NaN}', b'{"prepopulate": ' + b"[" * 100_000],
    ids=lambda body: body[:20],
)
def test_a_body_that_is_no_json_object_is_answered_400(caller: EndgrateClient, body: bytes) -> None:
    json = {"Content-Type": "application/json", "Authorization": f"Bearer {caller.key}"}
    form = {**json, "Content-Type": "application/x-www-form-urlencoded"}
    url = f"{caller.base_url}/api/session/initiate"

    assert is_error(caller.http.post(url, data=body, headers=json, timeout=5))
    assert is_error(caller.http.post(url, data=b"{}", headers=form, timeout=5))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/session/initiate"),
        ("POST", "/api/pull/initiate"),
        ("POST", "/api/push/initiate"),
        ("GET", "/api/session/configuration"),
        ("POST", "/api/session/delete"),
        ("POST", "/api/schemas"),
        ("POST", "/api/pull/transfer"),
        ("POST", "/api/push/transfer"),
        ("GET", "/api/pull/data"),
        ("GET", "/api/push/data"),
        ("GET", "/api/errors"),
    ],
)
def test_calls_need_the_api_key_as_bearer(caller: EndgrateClient, method: str, path: str) -> None:
    basic = {"Authorization": f"Basic {caller.key}"}
    url = f"{caller.base_url}{path}"

    assert is_error(caller.call(method, path, key="wrong"), 401)
    assert is_error(caller.http.request(method, url, timeout=5), 401)
    assert is_error(caller.http.request(method, url, headers=basic, timeout=5), 401)


def test_unknown_paths_and_methods_are_error_objects(caller: EndgrateClient) -> None:
    assert is_error(caller.get("/api/nothing"), 404)
    assert is_error(caller.get("/api/pull/transfer"), 405)


@pytest.mark.parametrize("status", [400, 404, 200])
def test_a_session_that_is_not_configured_says_so(caller: EndgrateClient, status: int) -> None:
    caller.settings(unconfigured_status=status)
    answer = caller.get("/api/session/configuration", session_id=caller.demo["thyme"])

    assert answer.status_code == status
    assert answer.json() == {"message": "Session not yet configured."}


def test_the_configuration_shows_the_provider_and_the_schemas(caller: EndgrateClient) -> None:
    shown = configuration(caller, caller.open_session(CONTACT, COMPANY, passthrough_fields=True))

    assert shown.keys() == {
        *("success", "session_id", "endgrate", "schemas", "passthrough_schemas"),
    }
    info = shown["endgrate"]["provider_info"]
    assert shown["endgrate"]["provider"] == info["name"] == "greenspot"
    assert info.keys() >= {"display_name", "url", "image", "endgrate_provider_type"}
    assert info["auth_type"] == "oauth"
    assert shown["schemas"].keys() == {CONTACT, COMPANY}
    contact = shown["schemas"][CONTACT]
    assert contact["integration_info"]["method"] == "IMPORT"
    assert contact["schema"]["properties"]["emails"]["items"]["format"] == "email"
    assert contact["passthrough_fields"]["properties"].keys() == {"favourite_tea"}


def test_bypassing_the_pages_configures_at_once(caller: EndgrateClient) -> None:
    session_id = caller.initiate(PAGE_VIEWS, bypass_ui=True)

    assert configuration(caller, session_id)["endgrate"]["provider"] == "leafmetrics"


def test_schemas_can_be_set_afterwards_until_the_user_has_configured(
    caller: EndgrateClient,
) -> None:
    session_id = caller.post("/api/session/initiate").json()["session_id"]
    asked = {"session_id": session_id, "data": [{"endgrate_type": COMPANY, "associations": True}]}

    answer = caller.post("/api/schemas", **asked)

    assert answer.json() == {"success": True, "session_id": session_id}
    caller.configure(session_id)
    assert configuration(caller, session_id)["schemas"].keys() == {COMPANY}
    assert is_error(caller.post("/api/schemas", **asked))


def test_schemas_that_no_provider_has_together_are_refused(caller: EndgrateClient) -> None:
    session_id = caller.initiate()
    asked = [{"endgrate_type": CONTACT}, {"endgrate_type": PAGE_VIEWS}]

    assert is_error(caller.post("/api/schemas", session_id=session_id, data=asked))
    assert is_error(caller.post("/api/schemas", session_id=session_id, data=asked[:1] * 2))
    caller.configure(session_id)
    assert configuration(caller, session_id)["schemas"].keys() == {CONTACT}


def test_a_deleted_session_is_gone_with_its_transfers(caller: EndgrateClient) -> None:
    session_id = caller.open_session()
    transfer = caller.pull(session_id, synchronous=True)

    answer = caller.post("/api/session/delete", session_id=session_id)

    assert answer.json() == {"success": True, "session_id": session_id}
    gone = {"message": "Invalid or expired session."}
    assert caller.post("/api/session/delete", session_id=session_id).json() == gone
    assert is_error(caller.page(transfer))
    assert is_error(caller.get("/api/statistics", transfer_id=transfer))


def test_a_session_lasts_72_hours_unless_it_is_saved(caller: EndgrateClient) -> None:
    fleeting, saved = caller.open_session(), caller.open_session(save_session=True)
    transfer = caller.pull(fleeting, synchronous=True)

    caller.clock.ahead = 72 * 3600 - 10
    assert configuration(caller, fleeting)["success"] is True
    caller.clock.ahead = 72 * 3600 + 10

    assert is_error(caller.get("/api/session/configuration", session_id=fleeting))
    assert is_error(caller.page(transfer))
    assert configuration(caller, saved)["success"] is True
