"""REST APIs on the local AWS as clients see them, and roles under IAM."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.emulator.local_aws import TENANT, Local, run_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with run_emulator(tmp_path_factory.mktemp("emulated")) as running:
        yield running


def test_a_request_reaches_the_function_with_what_the_authorizer_said(local: Local) -> None:
    answer = local.ask("/v1/things/a%20b")
    assert (answer.status_code, answer.headers["X-Own"]) == (201, "1")
    assert answer.json() == {
        "path": "/v1/things/a b",
        "address": f"{local.url}/v1/things/a b",
        "authorizer": {"principalId": TENANT, "tenant": TENANT},
        "text": "",
    }


@pytest.mark.parametrize(
    ("accepted", "used"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("deflate, gzip;q=0.5", "deflate"),
        ("br, gzip;q=0.9", None),
        ("gzip;q=0", None),
        ("*", None),
        ("identity", None),
    ],
)
def test_a_large_answer_comes_in_the_coding_that_the_client_likes_best(
    local: Local, *, accepted: str, used: str | None
) -> None:
    body = json.dumps({"text": 2000}).encode()
    answer = local.ask("/v1/things", body=body, coding=accepted)

    assert answer.headers.get("Content-Encoding") == used
    assert (int(answer.headers["Content-Length"]) < 400) == bool(used)
    assert answer.json()["text"] == "x" * 2000


@pytest.mark.parametrize(
    "wish",
    [{"text": 100}, {"text": 2000, "headers": {"content-encoding": "identity"}}],
    ids=["small", "encoded already"],
)
def test_what_is_small_or_encoded_already_stays_as_it_is(
    local: Local, wish: dict[str, object]
) -> None:
    answer = local.ask("/v1/things", body=json.dumps(wish).encode(), coding="gzip")

    assert answer.headers.get("Content-Encoding") != "gzip"
    assert answer.json()["text"]


@pytest.mark.parametrize(
    ("token", "status", "kind"),
    [
        ("unknown", 401, "UNAUTHORIZED"),
        ("denied", 403, "ACCESS_DENIED"),
        ("broken", 500, "AUTHORIZER_FAILURE"),
    ],
)
def test_who_is_not_let_in_gets_a_problem(
    local: Local, *, token: str, status: int, kind: str
) -> None:
    answer = local.ask("/v1/things", token)
    assert (answer.status_code, answer.json()["type"]) == (status, kind)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "secret words" not in answer.text


def test_an_answer_to_who_is_denied_may_say_what_the_authorizer_said(local: Local) -> None:
    for _ in range(2):  # the second time from what the gateway remembers
        assert local.ask("/v1/things", "denied").json()["tenant"] == "denied"


@pytest.mark.parametrize(
    ("wish", "status", "kind"),
    [
        ({"do": "raise", "text": "secret words"}, 502, "DEFAULT_5XX"),
        ({"do": "exit"}, 502, "DEFAULT_5XX"),
        ({"do": "bytes", "bytes": 3}, 502, "DEFAULT_5XX"),
        ({"do": "sleep", "seconds": 2}, 504, "INTEGRATION_TIMEOUT"),
    ],
    ids=["raises", "crashes", "answers otherwise", "is slow"],
)
def test_a_function_that_fails_answers_with_a_problem(
    local: Local, *, wish: dict[str, object], status: int, kind: str
) -> None:
    answer = local.ask("/v1/things", body=json.dumps(wish).encode())
    assert (answer.status_code, answer.json()["type"]) == (status, kind)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "secret words" not in answer.text


def test_a_body_over_ten_megabytes_is_refused(local: Local) -> None:
    limit = 10 * 1024 * 1024
    answer = local.ask("/v1/things", body=b" " * (limit + 1))
    assert (answer.status_code, answer.json()["type"]) == (413, "REQUEST_TOO_LARGE")


def test_with_iam_a_function_may_do_what_its_role_says_and_no_more(tmp_path: Path) -> None:
    with run_emulator(tmp_path, iam=True) as local:
        environ = local.call(do="look", modules=[])["environ"]
        function = boto3.Session(
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=environ["AWS_SESSION_TOKEN"],
            region_name=environ["AWS_REGION"],
        )
        tables = function.client("dynamodb", endpoint_url=local.endpoint)
        name = local.outputs["Table"]
        tables.get_item(TableName=name, Key={"id": {"S": "a"}})
        with pytest.raises(ClientError, match="not authorized to perform: dynamodb:PutItem"):
            tables.put_item(TableName=name, Item={"id": {"S": "a"}})
        buckets = function.client("s3", endpoint_url=local.endpoint)
        buckets.put_object(Bucket=local.outputs["Bucket"], Key="as-if-over-tls")
        assert local.ask("/v1/things").status_code == 201
