"""A connection's settings are checked against the application's secret."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from functions.aws.secrets import KEEP_SECONDS, ProviderSecrets
from functions.connectors.registry import REGISTRY, Provider, check_settings
from functions.core.errors import ConfigurationInvalid, InvalidRequest
from tests.support.fakes.stores import Clock

BANNO = REGISTRY[Provider.BANNO]
GARDEN = b'{"institutions": {"garden": {"base_url": "https://garden.example"}, "other": 7}}'


@pytest.mark.parametrize("name", ["garden", "other"])
def test_an_institution_that_the_secret_names_is_taken_whatever_is_said_of_it(name: str) -> None:
    check_settings(BANNO, {"institution": name}, GARDEN)


@pytest.mark.parametrize("name", ["Garden", "garden ", "base_url", "x"])
@pytest.mark.parametrize("secret", [GARDEN, b'{"institutions": {}}'], ids=["some", "none"])
def test_one_that_it_does_not_name_is_refused_by_the_field_and_no_other_is_told(
    name: str, secret: bytes
) -> None:
    with pytest.raises(InvalidRequest, match=r"^settings\.institution must") as caught:
        check_settings(BANNO, {"institution": name}, secret)
    assert "garden" not in str(caught.value).lower()


@pytest.mark.parametrize(
    "secret", [b"", b"{}", b"not json", b"[]", b'{"institutions": null}', b"[" * 100_000]
)
def test_of_a_secret_that_is_malformed_nothing_is_known(secret: bytes) -> None:
    with pytest.raises(ConfigurationInvalid):
        check_settings(BANNO, {"institution": "garden"}, secret)


def reader(clock: Clock) -> tuple[ProviderSecrets, Stubber]:
    client = boto3.client(
        "secretsmanager",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    return ProviderSecrets(client, prefix="p/", clock=clock), Stubber(client)


def test_a_secret_is_kept_for_a_while_unless_it_is_to_be_forgotten() -> None:
    clock = Clock()
    secrets, stubber = reader(clock)
    with stubber:
        for value in ("{}", '{"a": 1}', '{"a": 2}'):
            answer = {"SecretString": value}
            stubber.add_response("get_secret_value", answer, {"SecretId": "p/banno"})
        assert [secrets.read("banno"), secrets.read("banno")] == [b"{}", b"{}"]
        clock.now += KEEP_SECONDS + 1
        assert secrets.read("banno") == b'{"a": 1}'
        secrets.forget("banno")
        secrets.forget("endgrate")
        assert secrets.read("banno") == b'{"a": 2}'


@pytest.mark.parametrize("error", [ConfigurationInvalid, InvalidRequest])
def test_a_call_that_refuses_is_made_once_more_with_a_secret_that_is_read_anew(
    error: type[Exception],
) -> None:
    def read(secret: bytes) -> bytes:
        if secret == b"old":
            raise error
        return secret

    secrets, stubber = reader(Clock())
    with stubber:
        for value in ("old", "new"):
            stubber.add_response("get_secret_value", {"SecretString": value})
        assert [secrets.use("banno", read), secrets.use("banno", read)] == [b"new", b"new"]


@pytest.mark.parametrize(
    "code",
    [
        "ResourceNotFoundException",
        "InvalidRequestException",
        "InvalidParameterException",
        "DecryptionFailure",
        "AccessDeniedException",
    ],
)
def test_a_secret_that_aws_does_not_give_out_is_the_operator_s_to_mend(code: str) -> None:
    secrets, stubber = reader(Clock())
    with stubber:
        stubber.add_client_error("get_secret_value", code)
        stubber.add_response("get_secret_value", {"SecretString": "{}"})
        with pytest.raises(ConfigurationInvalid):
            secrets.read("banno")
        assert secrets.read("banno") == b"{}"


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError"])
def test_what_passes_is_no_fault_of_the_operator_s(code: str) -> None:
    secrets, stubber = reader(Clock())
    stubber.add_client_error("get_secret_value", code)
    with stubber, pytest.raises(ClientError):
        secrets.read("banno")


@pytest.mark.parametrize(
    ("answer", "value"),
    [({"SecretBinary": b'{"a": 1}'}, b'{"a": 1}'), ({}, b"")],
    ids=["binary", "neither"],
)
def test_a_secret_may_be_stored_as_bytes(answer: dict[str, Any], value: bytes) -> None:
    secrets, stubber = reader(Clock())
    with stubber:
        stubber.add_response("get_secret_value", answer)
        assert secrets.read("banno") == value
