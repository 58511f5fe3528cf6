"""Endgrate's webhooks as hints: what of them is read, and what is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from functions.connectors.endgrate.webhooks import read_webhook
from functions.core.errors import InvalidRequest
from functions.core.webhooks import Webhook

TOKEN = {"metadata": {"token": "ref_1.rest"}}
COMPLETED = {"success": True, "transfer_id": "t", "session_id": "s", "completed": True, **TOKEN}


def read(payload: object) -> Webhook:
    return read_webhook(msgspec.json.encode(payload))


@pytest.mark.parametrize(
    ("payload", "job"),
    [
        pytest.param(COMPLETED, "t", id="completed"),
        pytest.param(COMPLETED | {"transfer_data": [{"id": "1"}] * 9}, "t", id="data"),
        pytest.param(COMPLETED | {"pk": "p", "error_type": "upstream"}, "t", id="error"),
        pytest.param({"session_id": "s", "schemas": {}, **TOKEN}, "", id="configuration"),
        pytest.param(COMPLETED | {"metadata": {"token": "ref_1.rest", "x": 1}}, "t", id="more"),
    ],
)
def test_a_webhook_says_which_transfer_and_session_it_tells_of(
    payload: dict[str, Any], job: str
) -> None:
    assert read(payload) == Webhook(token="ref_1.rest", job=job, subject="s")


def test_unread_parts_of_a_webhook_change_nothing() -> None:
    odd = b'{"session_id": "s", "transfer_id": null, "metadata": {"token": "t"}, "x": "\\ud800"}'
    assert read_webhook(odd) == Webhook(token="t", job="", subject="s")


CHANGES: list[dict[str, Any]] = [
    {"metadata": None},
    {"metadata": "ref_1.rest"},
    {"metadata": {}},
    {"metadata": {"token": ""}},
    {"metadata": {"token": 7}},
    {"metadata": {"token": "x" * 201}},
    {"transfer_id": 7},
    {"transfer_id": "x" * 201},
    {"session_id": None},
]
OTHERS = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"no JSON", id="no-json"),
    pytest.param(b"[]", id="a-list"),
    pytest.param(b'"text"', id="a-text"),
    pytest.param(msgspec.json.encode(COMPLETED)[:-1], id="cut-off"),
    pytest.param(b'{"session_id": "\xff", "metadata": {"token": "t"}}', id="no-utf-8"),
    pytest.param(b"[" * 100_000, id="deep"),
    pytest.param(b'{"x": ' + b"[" * 100_000, id="deep-in-an-unread-part"),
]


@pytest.mark.parametrize(
    "body",
    [
        *OTHERS,
        *(
            pytest.param(msgspec.json.encode(COMPLETED | each), id=str(each)[:40])
            for each in CHANGES
        ),
    ],
)
def test_what_is_no_webhook_of_ours_is_refused_without_a_word_of_it(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_webhook(body)
    assert str(refused.value) == InvalidRequest.text
