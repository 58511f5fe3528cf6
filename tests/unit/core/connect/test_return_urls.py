"""An address at which users come back is the operator's word."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from functions.core.connect.return_urls import Application, check_return_url, read_application
from functions.core.errors import ConfigurationInvalid, InvalidRequest

KNOWN = Application(
    name="Acme Budget",
    return_urls=(
        "https://app.example/done",
        "https://app.example:8443/done",
        "http://127.0.0.1/back",
        "http://[::1]/back",
        "com.example.app:/done",
    ),
)


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example/done",
        "https://app.example/done?user=4711&x=%2F",
        "https://app.example:8443/done",
        "http://127.0.0.1:5000/back",
        "http://127.0.0.1/back?x=1",
        "http://[::1]:5000/back",
        "com.example.app:/done?x=1",
    ],
)
def test_the_same_place_is_taken_with_any_query(url: str) -> None:
    check_return_url(url, KNOWN)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "//app.example/done",
        "///app.example/done",
        "/done",
        "done",
        "app.example/done",
        "http://app.example/done",
        "https:app.example/done",
        "https:/app.example/done",
        "https:///app.example/done",
        "HTTPS://app.example/done",
        "https://APP.example/done",
        "https://app.example/Done",
        "https://app.example/done/",
        "https://app.example/done/more",
        "https://app.example/",
        "https://app.example/x/../done",
        "https://app.example/./done",
        "https://app.example/%64one",
        "https://app.example/%2e/done",
        "https://app.example//done",
        "https://app.example/done;x",
        "https://app.example/done#code",
        "https://app.example/done\\",
        "https://app.example\\@evil.example/done",
        "https://user@app.example/done",
        "https://user:pass@app.example/done",
        "https://app.example@evil.example/done",
        "https://app.example:443/done",
        "https://app.example:444/done",
        "https://app.example:x/done",
        "https://app.example./done",
        "https://app.example.evil.example/done",
        "https://evil.example/done",
        "https://evil.example/?https://app.example/done",
        "https://xn--pp-eka.example/done",
        "https://äpp.example/done",
        "https://app.example/done\t",
        "https://app.example/do\nne",
        " https://app.example/done",
        "https://app.example/done x",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///done",
        "http://127.0.0.1:5000/other",
        "http://127.0.0.2:5000/back",
        "http://localhost:5000/back",
        "http://127.0.0.1.evil.example/back",
        "com.example.other:/done",
        "com.example.app://evil/done",
        "example:/done",
        "https://[::1/done",
        "https://app.example/done?code=x",
        "https://app.example/done?a=1&error=",
        "https://app.example/done?%63ode=x",
        "https://app.example/done?status",
        "https://app.example/done?connect_session_id=x",
        "https://app.example/done?" + 2000 * "x",
    ],
)
def test_any_other_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        check_return_url(url, KNOWN)


def test_an_entry_that_could_lead_elsewhere_takes_nothing() -> None:
    for entry in ("javascript:alert(1)", "https://user@app.example/done", "http://app.example/x"):
        with pytest.raises(InvalidRequest):
            check_return_url(entry, Application(name="", return_urls=(entry,)))


@pytest.mark.parametrize("secret", [b"{}", b"", b"[]", b'{"acme": {}}', b'{"other": 1}', b"\xff"])
def test_a_tenant_without_an_entry_is_not_configured(secret: bytes) -> None:
    with pytest.raises(ConfigurationInvalid):
        read_application(secret, "acme")


@pytest.mark.parametrize(
    "entry",
    [
        {"name": " "},
        {"name": "Acme", "privacy_url": "javascript:alert(1)"},
        {"name": "Acme", "provider_names": {"digime": ""}},
    ],
    ids=["no-name", "privacy-url-that-runs", "no-name-of-a-provider"],
)
def test_an_entry_that_no_user_should_see_is_not_configured(entry: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationInvalid):
        read_application(msgspec.json.encode({"acme": entry}), "acme")


def test_another_tenant_s_malformed_entry_is_none_of_ours() -> None:
    secret = b'{"other": 1, "acme": {"name": "Acme Budget"}}'
    assert read_application(secret, "acme") == Application(name="Acme Budget")
