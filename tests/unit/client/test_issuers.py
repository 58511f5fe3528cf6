"""Tokens of an OpenID issuer, by the client's own credentials or for a person who signs in."""

from __future__ import annotations

import base64
import stat
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx2
import pytest

from freshet_client import Client, errors
from freshet_client.issuers import Application, DeviceLogin
from tests.unit.client.conftest import API, Script, Time, ok

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = "https://issuer.example"
FOUND = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"}
DISCOVERY = ok({**FOUND, "device_authorization_endpoint": f"{ISSUER}/device"})
DEVICE = ok(
    {
        "device_code": "dev",
        "user_code": "ABCD",
        "verification_uri": f"{ISSUER}/go",
        "expires_in": 60,
    }
)
ENDPOINTS = ok({"endpoints": []})


def told(token: str, **more: Any) -> Any:
    return ok({"access_token": token, "expires_in": 300, "token_type": "Bearer", **more})


def refusal(error: str) -> Any:
    return 400, {"error": error}, {}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "freshet"


def opened(api: Script, application: Application) -> Client:
    http = httpx2.Client(transport=httpx2.MockTransport(api))
    return Client(api=API, token=application.source(), http=http)


def fields(request: httpx2.Request) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(request.content.decode()).items()}


def sent(api: Script) -> list[str]:
    asked = (each for each in api.asked if str(each.url).startswith(API))
    return [each.headers["Authorization"].removeprefix("Bearer ") for each in asked]


MACHINE = Application(ISSUER, "id:1", secret="s+crét", audience="freshet", scope="a b")
PERSON = Application(ISSUER, "public")


def test_a_clients_own_credentials_get_a_token_that_is_kept(api: Script, clock: Time) -> None:
    api.answer(DISCOVERY, told("first"), ENDPOINTS, ENDPOINTS, DISCOVERY, told("second"), ENDPOINTS)

    with opened(api, MACHINE) as client:
        client.list_endpoints()
        client.list_endpoints()
        clock.now += 271
        client.list_endpoints()

    assert sent(api) == ["first", "first", "second"]
    asked = api.asked[1]
    pair = base64.b64encode(b"id%3A1:s%2Bcr%C3%A9t").decode()
    assert asked.headers["Authorization"] == f"Basic {pair}"
    assert fields(asked) == {
        "grant_type": "client_credentials",
        "audience": "freshet",
        "scope": "a b",
    }


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([httpx2.ConnectError("no")], "cannot be reached: ConnectError"),
        ([(404, b"", {})], "refuses: status 404"),
        ([ok({"issuer": ISSUER})], "not as OpenID Connect says"),
        ([ok({**FOUND, "issuer": "https://other.example"})], "another issuer"),
        ([ok({**FOUND, "token_endpoint": "http://issuer.example/token"})], "begin with https"),
        ([DISCOVERY, refusal("invalid_client")], "refuses: invalid_client"),
        ([DISCOVERY, told("not a token")], "no access token"),
    ],
)
def test_an_issuer_that_gives_none_is_told_without_the_secret(
    api: Script, answers: list[Any], says: str
) -> None:
    api.answer(*answers)

    with opened(api, MACHINE) as client, pytest.raises(errors.TokenError, match=says) as found:
        client.list_endpoints()

    assert "s+cr" not in str(found.value) + repr(MACHINE)


def test_a_person_signs_in_by_a_code_and_stays_so(api: Script, clock: Time, state: Path) -> None:
    api.answer(
        DISCOVERY,
        DEVICE,
        refusal("authorization_pending"),
        refusal("slow_down"),
        told("first", refresh_token="again"),
        ENDPOINTS,
    )
    shown: list[DeviceLogin] = []

    with opened(api, PERSON) as client:
        client.run(PERSON.login(shown.append))
        client.list_endpoints()

    assert (shown[0].user_code, clock.slept) == ("ABCD", [5, 5, 10])
    assert fields(api.asked[2]) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": "dev",
        "client_id": "public",
    }
    (kept,) = state.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    api.answer(ENDPOINTS, DISCOVERY, told("second"), ENDPOINTS)
    with opened(api, PERSON) as client:  # another run of the program
        client.list_endpoints()
        clock.now += 300
        client.list_endpoints()
    with opened(api, PERSON) as client:
        client.list_endpoints()
    assert sent(api) == ["first", "first", "second", "second"]
    assert b"again" in kept.read_bytes()  # as the issuer gave no other

    PERSON.logout()
    with opened(api, PERSON) as client, pytest.raises(errors.TokenError, match="freshet login"):
        client.list_endpoints()


def test_a_refused_token_that_is_kept_is_renewed(api: Script) -> None:
    api.answer(DISCOVERY, DEVICE, told("first", refresh_token="again"))
    with opened(api, PERSON) as client:
        client.run(PERSON.login(lambda _: None))

        api.answer((401, {}, {}), DISCOVERY, told("second"), ENDPOINTS)
        client.list_endpoints()

    assert sent(api) == ["first", "second"]


def test_of_two_that_renew_at_once_the_second_takes_what_the_first_was_given(
    api: Script, clock: Time
) -> None:
    """An issuer that gives a new refresh token each time takes none twice."""
    api.answer(DISCOVERY, DEVICE, told("first", refresh_token="once"))
    with opened(api, PERSON) as client:
        client.run(PERSON.login(lambda _: None))
    clock.now += 300
    found = httpx2.Response(200, json=FOUND)
    both = [PERSON.source().token() for _ in range(2)]
    for each in both:
        each.send(None)
        each.send(found)

    got = []
    for each, (status, body, _) in zip(
        both, [told("second", refresh_token="new"), refusal("invalid_grant")], strict=True
    ):
        with pytest.raises(StopIteration) as end:
            each.send(httpx2.Response(status, json=body))
        got.append(end.value.value)

    assert got == ["second", "second"]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([ok(FOUND)], "does not let a person sign in by a code"),
        ([DISCOVERY, DEVICE, refusal("access_denied")], "refuses: access_denied"),
        ([DISCOVERY, DEVICE, refusal("authorization_pending")], "time to sign in is over"),
    ],
)
def test_a_person_who_does_not_sign_in_is_told_so(
    api: Script, answers: list[Any], says: str
) -> None:
    api.answer(*answers)

    with opened(api, PERSON) as client, pytest.raises(errors.TokenError, match=says):
        client.run(PERSON.login(lambda _: None))
