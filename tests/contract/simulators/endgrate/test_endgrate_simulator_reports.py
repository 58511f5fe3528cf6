"""The Endgrate simulator's errors, statistics and integrations, and its switches."""

from __future__ import annotations

import pytest

from tests.support.clients.endgrate import (
    COMPANY,
    CONTACT,
    DEAL,
    TICKET,
    UNKNOWN_ID,
    EndgrateClient,
    is_error,
)


def test_a_transfer_of_which_records_failed_completes_with_errors(
    caller: EndgrateClient, fern: str
) -> None:
    transfer = caller.pull(fern, TICKET, synchronous=True)

    data = caller.page(transfer, TICKET).json()
    assert data["transfer_errors"] is True
    assert data["meta"]["count"] == 57
    errors = caller.errors(transfer)
    assert [error["error_type"] for error in errors] == ["upstream"] * 3
    assert errors[0].keys() == {
        *("pk", "transfer_id", "session_id", "timestamp", "error_resolve_text", "error_type"),
        *("resolved", "endgrate", "warn"),
    }
    assert (errors[0]["transfer_id"], errors[0]["session_id"]) == (transfer, fern)
    assert errors[0]["resolved"] is False
    assert errors[0]["endgrate"]["provider_info"]["name"] == "greenspot"
    assert errors[0]["endgrate"]["integration_info"]["endgrate_type"] == TICKET


def test_a_whole_transfer_can_fail(caller: EndgrateClient, fern: str) -> None:
    caller.settings(failing={COMPANY: 1000})
    transfer = caller.pull(fern, COMPANY, synchronous=True)

    assert caller.page(transfer, COMPANY).json()["transfer_data"] == []
    assert len(caller.errors(transfer)) == 120
    assert caller.statistics(transfer, COMPANY)["records_transferred"] == 0


def test_errors_are_paged_and_chosen_by_session_or_transfer(
    caller: EndgrateClient, fern: str
) -> None:
    moss = caller.demo["moss"]
    caller.settings(failing={CONTACT: 300})
    transfer = caller.pull(fern, synchronous=True)
    caller.pull(moss, synchronous=True)

    first = caller.get("/api/errors", transfer_id=transfer).json()
    assert first.keys() == {"success", "meta", "errors"}
    assert first["meta"].keys() == {"count", "next"}
    assert (first["meta"]["count"], first["meta"]["next"]["offset"]) == (300, 250)
    last = caller.get("/api/errors", session_id=fern, offset=250).json()
    assert len(last["errors"]) == 50
    assert "next" not in last["meta"]
    assert caller.get("/api/errors").json()["meta"]["count"] == 600
    assert caller.get("/api/errors", session_id=moss, transfer_id=transfer).json()["errors"] == []


def test_nothing_is_in_the_log_before_the_transfer_is_completed(
    caller: EndgrateClient, fern: str
) -> None:
    caller.settings(transfer_seconds=30)

    assert caller.errors(caller.pull(fern, TICKET)) == []


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 251},
        {"offset": -1},
        {"session_id": UNKNOWN_ID},
        {"transfer_id": UNKNOWN_ID},
    ],
    ids=str,
)
def test_errors_out_of_bounds_or_of_nothing_are_answered_400(
    caller: EndgrateClient, query: dict[str, object]
) -> None:
    assert is_error(caller.get("/api/errors", **query))


def test_credentials_that_no_longer_work_are_an_authentication_error_until_renewed(
    caller: EndgrateClient, fern: str
) -> None:
    caller.control("POST", "revoke", {"session_id": fern})
    transfer = caller.pull(fern, synchronous=True)

    assert caller.page(transfer).json()["transfer_data"] == []
    assert caller.page(transfer).json()["transfer_errors"] is True
    assert [error["error_type"] for error in caller.errors(transfer)] == ["authentication"]
    url = f"{caller.base_url}/session/reauthenticate?session_id={fern}"
    assert "GreenSpot" in caller.http.get(url, timeout=5).text
    assert caller.http.post(url, timeout=5).status_code == 200

    assert caller.errors(transfer)[0]["resolved"] is True
    assert len(caller.pull_records(fern)) == 430


def test_statistics_need_no_key_and_follow_a_transfer(caller: EndgrateClient, fern: str) -> None:
    caller.settings(transfer_seconds=100)
    transfer = caller.pull(fern, TICKET)
    caller.settings(failing={CONTACT: 1})
    other = caller.pull(fern, CONTACT)
    url = f"{caller.base_url}/api/statistics?transfer_id={other}&method=IMPORT"
    caller.clock.ahead = 50

    answer = caller.http.get(url, timeout=5).json()

    assert answer.keys() == {"method", "completed", "initiated", "statistics"}
    assert (answer["method"], answer["completed"]) == ("IMPORT", False)
    assert answer["statistics"].keys() == {CONTACT}
    assert answer["statistics"][CONTACT] == {
        "batch_size": 200,
        "records": 430,
        "batches": 3,
        "batches_queued": 2,
        "batches_success": 0,
        "batches_fail": 1,
        "records_transferred": 199,
        "completed": False,
        "provider": "greenspot",
        "integration": "get-contacts",
    }
    caller.clock.ahead = 101
    done = caller.statistics(other)
    assert (done["batches_queued"], done["batches_success"], done["batches_fail"]) == (0, 2, 1)
    assert (done["completed"], done["records_transferred"]) == (True, 429)
    assert caller.statistics(transfer, TICKET)["records_transferred"] == 57


def test_statistics_of_a_session_are_by_type_and_direction(
    caller: EndgrateClient, fern: str
) -> None:
    caller.pull(fern, CONTACT, synchronous=True)
    caller.pull(fern, DEAL, synchronous=True)
    caller.push(fern, {"data": {"name": "Osier"}}, type_=COMPANY)

    pulls = caller.get("/api/statistics", session_id=fern).json()
    pushes = caller.get("/api/statistics", session_id=fern, method="EXPORT").json()

    assert pulls["statistics"].keys() == {CONTACT, DEAL}
    assert pulls["completed"] is True
    assert pushes["method"] == "EXPORT"
    assert pushes["statistics"][COMPANY]["records"] == 1
    assert pushes["statistics"][COMPANY]["integration"] == "push-companies"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"session_id": UNKNOWN_ID},
        {"transfer_id": UNKNOWN_ID},
        {"session_id": "65a1f0000000000000000001", "method": "PULL"},
        {"session_id": "65a1f0000000000000000001"},
    ],
    ids=str,
)
def test_statistics_of_nothing_are_answered_400(
    caller: EndgrateClient, query: dict[str, object]
) -> None:
    assert is_error(caller.get("/api/statistics", **query))


def test_integrations_need_no_key_and_can_be_chosen(caller: EndgrateClient) -> None:
    def names(**query: str) -> list[str]:
        url = f"{caller.base_url}/api/integrations"
        answer = caller.http.get(url, params=query, timeout=5).json()
        return [each["provider"]["name"] for each in answer["providers"]]

    assert names() == ["greenspot", "saplingforce", "leafmetrics"]
    assert names(category="CRM") == ["greenspot", "saplingforce"]
    assert names(provider="leafmetrics") == ["leafmetrics"]
    assert names(session_id=caller.demo["fern"]) == ["greenspot"]
    first = caller.get("/api/integrations").json()["providers"][0]
    assert first["integrations"][0] == {
        "display_name": "Contact",
        "endgrate_type": CONTACT,
        "supports_push": True,
        "supports_pull": True,
        "is_custom_object": False,
        "supports_associations": True,
    }
    assert first["integrations"][-1]["is_custom_object"] is True
