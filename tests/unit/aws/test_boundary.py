"""The doors as far as they need no stores, and the boundary that all of them share."""

from __future__ import annotations

from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import authorize, check_status, trigger
from functions.aws.boundary import door
from functions.aws.telemetry import logger
from functions.core.contract import Variable
from functions.core.errors import (
    Defect,
    FetchContinues,
    FreshetError,
    InvalidRequest,
    ReauthRequired,
    Unauthorized,
)

CANARY = "canary-4711"
CONTEXT = LambdaContext()


@pytest.mark.parametrize("outcome", ["ready", "later", "joined", "fresh", "failed"])
def test_a_ticket_that_needs_no_look_passes_unchanged(outcome: str) -> None:
    ticket = {"v": 1, "outcome": outcome, "refresh_id": "r", "connection_id": "c", "new": 1}
    assert check_status.handler(ticket, CONTEXT) == ticket


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(None, id="nothing"),
        pytest.param({"execution": "e"}, id="no-input"),
        pytest.param({"execution": "e", "input": {}}, id="no-connection"),
        pytest.param({"execution": "e", "input": {"connection_id": 1}}, id="a-number-for-an-id"),
        pytest.param({"execution": "e", "input": {"connection_id": "c", "x": 1}}, id="unknown"),
        pytest.param(
            {"execution": "e", "input": {"connection_id": "c", "refresh_id": "ref_other"}},
            id="another-refreshs-id",
        ),
    ],
)
def test_the_machines_input_is_checked_whatever_started_it(start: object) -> None:
    with pytest.raises(InvalidRequest):
        trigger.handler(start, CONTEXT)


@pytest.mark.parametrize(
    "token", ["Bearer ", "bearer x", "Bearer a.b.c", "Bearer \u2615", "Bearer " * 99]
)
def test_what_is_no_token_is_denied_and_asks_no_issuer(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(Variable.JWKS_URL, "https://issuer.example/keys")
    monkeypatch.setenv(Variable.ISSUER, "https://issuer.example")
    monkeypatch.setenv(Variable.AUDIENCE, "freshet")
    event = {"authorizationToken": token, "methodArn": "arn:aws:execute-api:r:1:api/v1/GET/x"}
    (statement,) = authorize.handler(event, CONTEXT)["policyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"


def test_no_token_at_all_is_unauthorized() -> None:
    with pytest.raises(Unauthorized):
        authorize.handler({"methodArn": "arn:aws:execute-api:r:1:api/v1/GET/x"}, CONTEXT)


def raising(error: Exception) -> Any:
    """A door behind which this happens."""

    @door
    def handler(_event: object, _context: LambdaContext) -> None:
        raise error

    return handler


@pytest.mark.parametrize("error", [ReauthRequired(), FetchContinues()])
def test_our_own_errors_keep_their_class(error: Exception) -> None:
    with pytest.raises(type(error)):
        raising(error)({}, CONTEXT)


def test_any_other_error_is_a_defect_and_its_text_goes_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(Defect) as caught:
        raising(ValueError(CANARY))({"refresh_id": "ref_1", "token": CANARY}, CONTEXT)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__
    (record,) = caplog.records
    assert CANARY not in str(vars(record))
    assert (vars(record)["error"], record.exc_info) == ("ValueError", None)


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        pytest.param(ValueError(), 1, id="unexpected"),
        pytest.param(InvalidRequest(), 0, id="one-of-ours"),
        pytest.param(FetchContinues(), 0, id="none"),
    ],
)
def test_a_door_that_breaks_is_counted_whatever_becomes_of_it(
    capsys: pytest.CaptureFixture[str], error: Exception, counted: int
) -> None:
    with pytest.raises(FreshetError):
        raising(error)({}, CONTEXT)
    lines = capsys.readouterr().out.splitlines()
    told = "".join(line for line in lines if '"_aws"' in line)  # the log may be there, too
    assert (told.count('"Faults":'), told.count('"action":"report"')) == (counted, counted)


@pytest.mark.parametrize("name", ["refresh_id", "push_id", "bulk_id", "execution"])
def test_what_a_door_logs_has_the_id_of_what_it_is_about(name: str) -> None:
    with pytest.raises(InvalidRequest):
        raising(InvalidRequest())({name: "id_1", "outcome": "ready"}, CONTEXT)
    assert logger().get_correlation_id() == "id_1"


def test_an_error_of_ours_is_logged_by_name_only(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InvalidRequest):
        raising(InvalidRequest(CANARY))({}, CONTEXT)
    (record,) = caplog.records
    assert CANARY not in str(vars(record))
    assert (vars(record)["error"], vars(record)["action"]) == ("InvalidRequest", "fix_request")
