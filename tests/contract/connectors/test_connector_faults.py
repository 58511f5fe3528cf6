"""Every connector, and what goes wrong between it and its provider, call by call.

What comes of that for a refresh is in ``test_connector_outcomes.py``.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from functions.core.errors import FreshetError, ProviderUnavailable, RateLimited, UnexpectedAnswer
from tests.support.providers.connector_harness import ConnectorHarness
from tests.support.providers.registry import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _pytest.mark import ParameterSet

    from functions.core.contract import Job
    from tests.support.providers.simulated import Simulated

    Simulator = Callable[[str], Simulated]

ENOUGH = 1.0
"""Seconds in which all is done but what is slow."""
VERBS = ("trigger", "check", "fetch")


class Row(NamedTuple):
    """A fault that stays, the error that it means, and how long the provider wants us away."""

    fault: dict[str, Any]
    error: type[FreshetError]
    wait: int = 0


def status(number: int, **more: Any) -> dict[str, Any]:
    return {"kind": "status", "status": number, **more}


LASTING = [
    pytest.param(Row(status(500), ProviderUnavailable), id="500"),
    pytest.param(Row(status(502), ProviderUnavailable), id="502"),
    pytest.param(Row(status(503), ProviderUnavailable), id="503"),
    pytest.param(Row(status(503, retry_after="7"), ProviderUnavailable, 7), id="503-with-a-wish"),
    pytest.param(Row(status(504), ProviderUnavailable), id="504"),
    pytest.param(Row(status(408), ProviderUnavailable), id="408"),
    pytest.param(Row(status(429), RateLimited), id="429"),
    pytest.param(Row(status(429, retry_after="11"), RateLimited, 11), id="429-with-seconds"),
    pytest.param(Row(status(429, retry_after="-3"), RateLimited), id="429-with-nonsense"),
    pytest.param(Row(status(429, retry_after="9" * 40), RateLimited, 86_400), id="429-absurd"),
    pytest.param(Row(status(418), UnexpectedAnswer), id="418"),
    pytest.param(Row(status(409), UnexpectedAnswer), id="409"),
    pytest.param(Row(status(302), UnexpectedAnswer), id="a-redirect"),
    pytest.param(Row(status(204), UnexpectedAnswer), id="204"),
    pytest.param(Row(status(200, body=[]), UnexpectedAnswer), id="another-shape"),
    pytest.param(Row(status(200, body="text"), UnexpectedAnswer), id="a-text"),
    pytest.param(Row({"kind": "html", "status": 200}, UnexpectedAnswer), id="html-with-200"),
    pytest.param(Row({"kind": "html", "status": 502}, ProviderUnavailable), id="html-with-502"),
    pytest.param(Row({"kind": "malformed"}, UnexpectedAnswer), id="malformed-json"),
    pytest.param(Row({"kind": "cut_short"}, ProviderUnavailable), id="half-unseen"),
    pytest.param(Row({"kind": "truncate"}, ProviderUnavailable), id="cut-in-half"),
    pytest.param(Row({"kind": "disconnect"}, ProviderUnavailable), id="no-answer"),
]
BROKEN_OFF = [
    pytest.param({"kind": "truncate"}, id="cut-in-half"),
    pytest.param({"kind": "cut_short"}, id="half-unseen"),
    pytest.param({"kind": "disconnect"}, id="no-answer"),
]
OF_JSON = {"cut_short", "malformed"}
every_provider = pytest.mark.parametrize("provider", CASES)
every_verb = pytest.mark.parametrize("verb", VERBS)


class Trial:
    """A job that is done, and any verb of its connector on it."""

    def __init__(self, provider: str, simulated: Simulated) -> None:
        self.case, self.simulated = CASES[provider], simulated
        self.one = ConnectorHarness(self.case, simulated, user=self.case.light)
        self.job: Job = self.one.check(self.one.trigger())

    def call(self, verb: str) -> object:
        match verb:
            case "trigger":
                return self.one.trigger()
            case "check":
                return self.one.connector.check(self.one.connection, self.job, hold_seconds=0)
            case _:
                return self.one.fetch(self.job)

    def strike(self, verb: str, **fault: Any) -> None:
        self.one.strike(verb, **{"times": None, **fault})

    def calls(self, verb: str) -> int:
        return self.simulated.calls(self.case.calls[verb])

    def refused(self, verb: str) -> FreshetError:
        """The error of a verb; a fetch puts off what may pass, and is asked what it met."""
        if verb != "fetch":
            return self.one.refused(lambda: self.call(verb))
        one = self.one
        pages = one.connector.fetch(one.connection, self.job, datasets=one.datasets, cursor=None)
        return one.refused(lambda: list(pages))


@pytest.fixture(autouse=True)
def trial(simulator: Simulator, provider: str, caplog: pytest.LogCaptureFixture) -> Iterator[Trial]:
    """A trial after which no secret stands in any log, however much is logged."""
    caplog.set_level(logging.DEBUG)
    trial = Trial(provider, simulator(provider))
    yield trial
    assert not [secret for secret in trial.one.known_secrets() if secret in caplog.text]


def at_each_call(faults: list[ParameterSet], kind: Callable[[Any], str]) -> list[ParameterSet]:
    """Each fault at each provider's verb, but for those of JSON where there is none."""
    return [
        pytest.param(provider, verb, *fault.values, id=f"{provider}-{verb}-{fault.id}")
        for provider, case in CASES.items()
        for verb in VERBS
        for fault in faults
        if case.calls[verb].json or kind(fault.values[0]) not in OF_JSON
    ]


@pytest.mark.parametrize(
    ("provider", "verb", "row"), at_each_call(LASTING, lambda row: row.fault["kind"])
)
def test_a_fault_is_an_error_by_name_and_once_it_has_passed_nothing_is_left_of_it(
    trial: Trial, verb: str, row: Row
) -> None:
    before = trial.calls(verb)
    trial.strike(verb, **row.fault)
    if verb == "fetch" and row.fault.get("status") == trial.case.nothing:
        assert trial.one.fetch(trial.job).ids(trial.one.datasets[-1]) == []
        return
    error = trial.refused(verb)
    assert type(error) is row.error
    assert str(error) == row.error.text
    assert getattr(error, "wait_seconds", 0) == row.wait
    broken_off = row.fault["kind"] in {"truncate", "cut_short", "disconnect"}
    again = broken_off and trial.case.calls[verb].repeated
    parts = trial.case.parts if verb == "fetch" and row.error is UnexpectedAnswer else 1
    assert trial.calls(verb) - before == (2 if again else parts)
    trial.simulated.heal()
    assert trial.call(verb)


@pytest.mark.parametrize(
    ("provider", "verb", "fault"), at_each_call(BROKEN_OFF, lambda fault: fault["kind"])
)
def test_a_read_that_broke_off_once_is_read_again_and_nothing_else_is(
    trial: Trial, verb: str, fault: dict[str, Any]
) -> None:
    trial.strike(verb, **fault, times=1)
    if trial.case.calls[verb].repeated:
        assert trial.call(verb)
    else:
        assert type(trial.refused(verb)) is ProviderUnavailable


@every_verb
@every_provider
def test_no_call_takes_longer_than_there_is_time(trial: Trial, verb: str) -> None:
    trial.strike(verb, kind="slow", seconds=3)
    began = time.monotonic()
    trial.one.left = lambda: began + ENOUGH - time.monotonic()
    assert type(trial.refused(verb)) is ProviderUnavailable
    assert time.monotonic() - began < ENOUGH + 1


@every_verb
@every_provider
def test_without_any_time_left_the_provider_is_not_asked(trial: Trial, verb: str) -> None:
    before = len(trial.simulated.ledger())
    trial.one.left = lambda: 0
    assert type(trial.refused(verb)) is ProviderUnavailable
    assert len(trial.simulated.ledger()) == before


@pytest.mark.parametrize(
    ("provider", "verb", "number", "error"),
    [
        pytest.param(provider, *refusal, id="-".join(map(str, (provider, *refusal[:2]))))
        for provider, case in CASES.items()
        for refusal in case.refusals
    ],
)
def test_a_providers_own_refusal_is_what_its_documents_say(
    trial: Trial, verb: str, number: int, error: type[FreshetError]
) -> None:
    trial.strike(verb, **status(number))
    assert type(trial.refused(verb)) is error
