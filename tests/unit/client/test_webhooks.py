"""Deliveries are verified as Standard Webhooks says; they are signed by the library of others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from freshet_client import webhooks
from freshet_client.errors import WebhookInvalid

ROOT = Path(__file__).parents[3]
EXAMPLES = json.loads((ROOT / "functions/rest/openapi/examples.json").read_text())["models"]
SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOW = datetime(2026, 11, 29, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freshet_client.webhooks.time.time", NOW.timestamp)


EVENT = {
    "specversion": "1.0",
    "id": "evt_1",
    "type": "refresh.published",
    "subject": "ref_1",
    "time": "2026-11-29T20:00:00Z",
    "dataschema": "x",
    "tenant": "t",
    "data": {"refresh_id": "ref_1"},
}
BODY = json.dumps(EVENT).encode()


def signed(
    body: bytes = BODY, *, secret: str = SECRET, at: datetime = NOW, id_: str = "evt_1"
) -> dict[str, str]:
    return {
        "Webhook-Id": id_,
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": Webhook(secret).sign(id_, at, body.decode()),
    }


def test_what_the_secret_has_signed_is_an_event() -> None:
    event = webhooks.verify(SECRET, signed(), body=BODY)

    assert (event.id, event.type, event.data) == ("evt_1", "refresh.published", EVENT["data"])


def test_one_of_several_signatures_and_secrets_is_enough() -> None:
    headers = signed()
    headers["Webhook-Signature"] += f" v1a,x {signed(secret=OTHER)['Webhook-Signature']}"

    assert webhooks.verify(OTHER, headers, body=BODY).id == "evt_1"
    assert webhooks.verify([OTHER, SECRET], signed(), body=BODY).id == "evt_1"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"Webhook-Signature": "v1,AAAA é"}, "None of the secrets"),
        ({"Webhook-Signature": ""}, "None of the secrets"),
        ({"Webhook-Timestamp": str(int(NOW.timestamp()) - 301)}, "not signed now"),
        ({"Webhook-Timestamp": str(int(NOW.timestamp()) + 301)}, "not signed now"),
        ({"Webhook-Timestamp": str(int(NOW.timestamp()) - 1)}, "None of the secrets"),
        ({"Webhook-Timestamp": "soon"}, "not signed now"),
        ({"Webhook-Timestamp": "9" * 5000}, "not signed now"),  # Python reads no number of so many
        ({"Webhook-Id": "evt_2"}, "None of the secrets"),
    ],
)
def test_what_is_changed_is_refused(changes: dict[str, str], says: str) -> None:
    with pytest.raises(WebhookInvalid, match=says):
        webhooks.verify(SECRET, signed() | changes, body=BODY)


@pytest.mark.parametrize("missing", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_a_header_that_lacks_is_named(missing: str) -> None:
    headers = {name: value for name, value in signed().items() if name != missing}

    with pytest.raises(WebhookInvalid, match=missing.lower()):
        webhooks.verify(SECRET, headers, body=BODY)


@pytest.mark.parametrize(
    ("body", "options", "says"),
    [
        (BODY.replace(b"ref_1", b"ref_2"), {}, "None of the secrets"),
        (BODY, {"secret": OTHER}, "None of the secrets"),
    ],
)
def test_another_body_or_secret_is_refused(body: bytes, options: Any, says: str) -> None:
    with pytest.raises(WebhookInvalid, match=says):
        webhooks.verify(SECRET, signed(**options), body=body)


@pytest.mark.parametrize(
    ("body", "id_", "says"), [(b"{}", "evt_1", "no event"), (BODY, "evt_9", "another event")]
)
def test_what_is_signed_and_no_event_is_refused(body: bytes, id_: str, says: str) -> None:
    with pytest.raises(WebhookInvalid, match=says):
        webhooks.verify(SECRET, signed(body, id_=id_), body=body)


def test_a_secret_that_is_none_is_refused() -> None:
    with pytest.raises(WebhookInvalid, match="The secret is not"):
        webhooks.verify("whsec_!", signed(), body=BODY)
