"""The Endgrate simulator's pages for end users, against Endgrate's guides on sessions."""

from __future__ import annotations

import pytest

from tests.support.clients.endgrate import (
    COMPANY,
    CONTACT,
    UNKNOWN_ID,
    EndgrateClient,
    Json,
    is_error,
)

BACK = "https://app.example/back?who=ada"


def page(caller: EndgrateClient, session_id: str, path: str = "") -> str:
    """A page as the user's browser shows it: without the API key."""
    url = f"{caller.base_url}/session{path}"
    answer = caller.http.get(url, params={"session_id": session_id}, timeout=5)
    assert answer.headers["Content-Type"].startswith("text/html"), answer.text
    return answer.text


def submit(
    caller: EndgrateClient, session_id: str, form: dict[str, object], path: str = ""
) -> tuple[int, str | None]:
    """The user's click at the end of a page's form; the status, and where it leads."""
    url = f"{caller.base_url}/session{path}?session_id={session_id}"
    answer = caller.http.post(url, data=form, allow_redirects=False, timeout=5)
    return answer.status_code, answer.headers.get("Location")


def configuration(caller: EndgrateClient, session_id: str) -> Json:
    answer = caller.get("/api/session/configuration", session_id=session_id)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


def test_a_user_configures_a_session_in_the_browser_and_is_sent_back(
    caller: EndgrateClient,
) -> None:
    session_id = caller.initiate(redirect_url="https://app.example/back?who=ada")
    shown = page(caller, session_id)
    assert "GreenSpot" in shown
    assert "SaplingForce" in shown
    assert "LeafMetrics" not in shown

    assert submit(caller, session_id, {"provider": "leafmetrics"})[0] == 400
    status, location = submit(caller, session_id, {"provider": "saplingforce"})

    assert (status, location) == (302, "https://app.example/back?who=ada")
    assert configuration(caller, session_id)["endgrate"]["provider"] == "saplingforce"


def test_without_a_redirect_url_the_user_stays_on_a_last_page(caller: EndgrateClient) -> None:
    assert submit(caller, caller.initiate(), {"provider": "greenspot"}) == (200, None)


def test_a_preselected_provider_is_the_only_one_shown(caller: EndgrateClient) -> None:
    shown = page(caller, caller.initiate(provider="saplingforce"))

    assert "SaplingForce" in shown
    assert "GreenSpot" not in shown


def test_a_user_may_choose_schemas_fields_and_own_objects_where_allowed(
    caller: EndgrateClient,
) -> None:
    session_id = caller.initiate(
        CONTACT, COMPANY, schema_selection=True, field_selection=True, passthrough_schemas=True
    )
    form = {"provider": "greenspot", "schema": CONTACT, f"field:{CONTACT}": ["age"]}
    submit(caller, session_id, {**form, "custom_object": "1"})

    shown = configuration(caller, session_id)
    assert shown["schemas"].keys() == {CONTACT}
    assert shown["schemas"][CONTACT]["schema"]["properties"].keys() == {"emails", "age"}
    assert shown["passthrough_schemas"].keys() == {"Greenhouse Visit"}
    assert len(caller.pull_records(session_id, "Greenhouse Visit")) == 12
    assert caller.pull_records(session_id)[0]["data"].keys() == {"emails", "age"}
    refused = {"session_id": session_id, "endgrate_type": COMPANY}
    assert is_error(caller.post("/api/pull/transfer", **refused), at="$.endgrate_type")


def test_own_objects_may_pass_through_where_the_user_chooses_no_schemas(
    caller: EndgrateClient,
) -> None:
    session_id = caller.initiate(CONTACT, passthrough_schemas=True)
    submit(caller, session_id, {"provider": "greenspot", "custom_object": "1"})

    shown = configuration(caller, session_id)

    assert shown["schemas"].keys() == {CONTACT}
    assert shown["passthrough_schemas"].keys() == {"Greenhouse Visit"}


def test_without_a_selection_all_own_objects_pass_through_or_none_may(
    caller: EndgrateClient,
) -> None:
    session_id = caller.initiate(CONTACT, passthrough_schemas=True)
    assert "Greenhouse Visit" not in page(caller, session_id)
    submit(caller, session_id, {"provider": "greenspot"})
    assert configuration(caller, session_id)["passthrough_schemas"].keys() == {"Greenhouse Visit"}

    caller.settings(passthrough_alone="refused")

    schema = [{"endgrate_type": CONTACT}]
    asked: Json = {"schema": schema, "passthrough_schemas": True}
    assert is_error(caller.post("/api/session/initiate", **asked))
    assert caller.post("/api/session/initiate", **asked, schema_selection=True).ok


def test_a_way_back_can_get_parameters_that_no_document_tells_of(caller: EndgrateClient) -> None:
    caller.settings(redirect_adds={"session_id": "x y", "code": "1"})
    form: dict[str, object] = {"provider": "greenspot"}
    for url, expected in (
        ("https://app.example/back?who=ada", "?who=ada&session_id=x+y&code=1"),
        ("https://app.example/back", "?session_id=x+y&code=1"),
    ):
        session_id = caller.initiate(redirect_url=url)
        _, location = submit(caller, session_id, form)
        assert location == f"https://app.example/back{expected}"


@pytest.mark.parametrize("path", ["", "/edit", "/reauthenticate"])
def test_users_can_come_back_and_have_done_nothing(caller: EndgrateClient, path: str) -> None:
    session_id = caller.initiate(CONTACT, COMPANY, schema_selection=True, redirect_url=BACK)
    if path:
        caller.configure(session_id)
        caller.order("revoke", session_id=session_id)
    caller.settings(abandoned=True)

    form: dict[str, object] = {"provider": "greenspot", "schema": CONTACT}
    assert submit(caller, session_id, form, path) == (302, BACK)

    answer = caller.get("/api/session/configuration", session_id=session_id)
    assert is_error(answer) or answer.json()["schemas"].keys() == {CONTACT, COMPANY}
    assert answer.ok is bool(path)
    caller.configure(session_id)
    transfer = caller.pull(session_id, synchronous=True)
    assert bool(caller.errors(transfer)) is bool(path)


def test_a_user_may_sign_in_again_to_another_account(caller: EndgrateClient) -> None:
    session_id = caller.open_session()
    before = [each["id"] for each in caller.pull_records(session_id)]
    shown = configuration(caller, session_id)
    caller.push_records(session_id, {"data": {"emails": ["max@example.com"]}})
    assert "another account" in page(caller, session_id, "/reauthenticate")

    submit(caller, session_id, {"another_account": "1"}, "/reauthenticate")

    after = [each["id"] for each in caller.pull_records(session_id)]
    assert (len(after), set(before) & set(after)) == (len(before), set())
    assert configuration(caller, session_id) == shown
    submit(caller, session_id, {}, "/reauthenticate")
    assert [each["id"] for each in caller.pull_records(session_id)] == after


def test_a_user_may_edit_a_configured_session(caller: EndgrateClient) -> None:
    session_id = caller.initiate(CONTACT, COMPANY, schema_selection=True)
    assert submit(caller, session_id, {}, "/edit")[0] == 400
    caller.configure(session_id)
    assert COMPANY in page(caller, session_id, "/edit")

    submit(caller, session_id, {"schema": [COMPANY]}, "/edit")

    assert configuration(caller, session_id)["schemas"].keys() == {COMPANY}


def test_titles_are_shown_as_text(caller: EndgrateClient) -> None:
    title = "<script>alert(1)</script>"
    schema = [{"title": title, "properties": {"a": {"type": "string"}}}]
    session_id = caller.post("/api/session/initiate", schema=schema).json()["session_id"]

    assert title not in page(caller, session_id)


@pytest.mark.parametrize("path", ["", "/edit", "/reauthenticate"])
def test_pages_of_unknown_sessions_are_error_objects(caller: EndgrateClient, path: str) -> None:
    for session_id in (UNKNOWN_ID, "", "nonsense"):
        assert is_error(caller.get(f"/session{path}", session_id=session_id))
