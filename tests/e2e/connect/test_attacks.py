"""Attacks on users who sign in: each leaves no token exchange, or no changed connection.

The names A1 to A24 are those of the threat model's list.
"""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from infra.local.aws import REGION
from infra.local.sign_in.browser import Browser
from infra.local.simulators.banno.issuer import Flaw
from tests.support.system.problems import read_problem
from tests.support.system.sign_in import (
    APPLICATION,
    BANNO,
    DIGIME,
    ENDGRATE,
    EXISTING,
    RETURN_URL,
    begin,
    code_of,
    exchanges,
    heath_callback,
    query_of,
    revocations,
    with_query,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.caller import Caller
    from infra.local.sign_in.browser import Page
    from infra.local.system import System
    from tests.support.simulator_control import SimulatorControl
    from tests.support.system.sign_in import SignIn

RUSH = 50


def ids(caller: Caller) -> list[str]:
    found = caller.ask("GET", "/v1/connections")["connections"]
    return [one["connection_id"] for one in found]


def refused(page: Page, status: int) -> bool:
    """A page of ours that sends nothing on, and reveals nothing of what was sent."""
    return page.status == status and "form" not in page.text


# --- the callback: A1 to A5 -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attack", "status"),
    [
        pytest.param(lambda _, own: (Browser(), own), 400, id="A1-no-cookie"),
        pytest.param(lambda her, own: (_at_link(her), own), 400, id="A2-other-browser"),
        pytest.param(lambda her, own: (her.browser, _state(own, "x" * 43)), 404, id="A3-guessed"),
        pytest.param(lambda her, own: (her.browser, _without(own)), 404, id="A3-no-state"),
        pytest.param(lambda her, own: (her.browser, _of_other(her, own)), 400, id="A3-session"),
        pytest.param(lambda her, own: (her.browser, _of_last(her, own)), 404, id="A3-attempt"),
        pytest.param(lambda her, own: (her.browser, own + "&code=c"), 404, id="A18-code-twice"),
        pytest.param(lambda her, own: (her.browser, own + "&state=s"), 404, id="A18-state-twice"),
        pytest.param(lambda her, own: (her.browser, own + "&iss=s"), 404, id="A10-iss-twice"),
        pytest.param(lambda her, own: (her.browser, _elsewhere(own)), 404, id="A10-institution"),
        pytest.param(lambda her, own: (her.browser, _state(own, "x" * 6000)), 404, id="A18-long"),
        pytest.param(lambda her, own: (her.browser, own + "&a=1" * 9 + _many()), 404, id="A18-many"),
    ],
)  # fmt: skip
def test_a_callback_that_is_not_the_browser_s_own_exchanges_nothing(
    acme: Caller,
    banno: SimulatorControl,
    attack: Callable[[SignIn, str], tuple[Browser, str]],
    status: int,
) -> None:
    her = begin(acme)
    own = her.consent()
    browser, url = attack(her, own)
    page = browser.open(url)

    assert refused(page, status), page
    assert (exchanges(banno), ids(acme)) == ([], [])


def _at_link(her: SignIn) -> Browser:
    browser = Browser(stops=APPLICATION)
    browser.open(her.link)
    return browser


def _state(url: str, rest: str) -> str:
    return with_query(url, state=f"{query_of(url)['state'].partition('.')[0]}.{rest}")


def _without(url: str) -> str:
    session = query_of(url)["state"].partition(".")[0]
    return with_query(url, state=None, session=session)


def _of_other(her: SignIn, url: str) -> str:
    """With the state of another session, which another browser has begun."""
    other = begin(her.caller)
    return with_query(url, state=query_of(other.consent())["state"])


def _of_last(her: SignIn, url: str) -> str:
    """With the state of an attempt that the browser has begun since."""
    her.consent()
    return url


def _elsewhere(url: str) -> str:
    return url.replace("/banno/garden", "/banno/heath")


def _many() -> str:
    return "".join(f"&x{number}=1" for number in range(1000))


def test_a_callback_at_the_same_time_or_again_exchanges_once(
    acme: Caller, banno: SimulatorControl
) -> None:
    """A4."""
    her = begin(acme)
    own = her.consent()
    with ThreadPoolExecutor(RUSH) as pool:
        pages = list(pool.map(lambda _: her.browser.open(own), range(RUSH)))
    code = code_of(her.browser.open(own))

    assert exchanges(banno) == [200]
    assert {page.status for page in pages} <= {0, 200, 303, 410}
    assert her.complete(code).status_code == 200
    assert len(ids(acme)) == 1


def test_a_code_of_another_sign_in_is_worth_nothing(acme: Caller, banno: SimulatorControl) -> None:
    """A5: the verifier is the attempt's own."""
    attacker, victim = begin(acme, user="cleo"), begin(acme, user="ben")
    code = query_of(attacker.consent())["code"]
    page = victim.browser.open(with_query(victim.consent(), code=code))

    assert exchanges(banno) == [400]
    assert (page.url, 'role="alert"' in page.text) == (victim.link, True)
    assert ids(acme) == []


# --- the link's page: A6, A13, A17, A18 ---------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        pytest.param({}, {"Cookie": ""}, id="no-cookie"),
        pytest.param({"form": "0" * 64}, {}, id="forged-field"),
        pytest.param({}, {"Origin": "https://evil.example"}, id="foreign-origin"),
        pytest.param({}, {"Sec-Fetch-Site": "cross-site"}, id="foreign-site"),
    ],
)
def test_a_foreign_page_cannot_click_for_the_user(
    acme: Caller, banno: SimulatorControl, changes: dict[str, str], headers: dict[str, str]
) -> None:
    """A6."""
    her = begin(acme)
    (proof,) = re.findall(r'name="form" value="(\w+)"', her.browser.open(her.link).text)
    body = {"form": proof, "action": "continue", **changes}
    answer = her.browser.session.post(
        her.link, data=body, headers=headers, allow_redirects=False, timeout=30
    )

    assert (answer.status_code, banno.ledger()) == (400, [])
    assert her.state()["attempts"] == 0


@pytest.mark.usefixtures("banno")
def test_nothing_that_others_say_is_shown_or_passed_on(acme: Caller) -> None:
    """A13."""
    markup = "<script>alert(1)</script>"
    her = begin(acme, user_label=markup)
    shown = her.browser.open(her.link).text
    own = her.consent()
    denied = with_query(own, code=None, error="access_denied", error_description=markup)
    after = her.browser.open(denied)

    assert "<script" not in shown + after.text
    assert "&lt;script&gt;" in shown
    assert "Acme &lt;b&gt;Budget&lt;/b&gt;" in shown
    assert (after.url, her.state()["last_error"]["name"]) == (her.link, "access_denied")
    left = her.browser.submit(after, action="leave")
    assert query_of(left.url) == {
        "from": "freshet",
        "connect_session_id": her.id,
        "error": "access_denied",
    }


@pytest.mark.usefixtures("banno")
def test_every_answer_is_kept_framed_and_told_of_nowhere(running: System, acme: Caller) -> None:
    """A17."""
    her = begin(acme)
    own, http = her.consent(), her.browser.session
    options: dict[str, Any] = {"allow_redirects": False, "timeout": 30}
    answers = [
        http.get(her.link, **options),
        http.head(her.link, **options),
        http.post(her.link, **options),
        http.get(f"{her.link}x", **options),
        http.get(f"{running.api}/v1/connect/callbacks/none/none", **options),
        requests.get(own, timeout=30),
        http.get(own, **options),
        http.get(own, **options),
    ]

    assert [each.status_code for each in answers] == [200, 200, 400, 404, 404, 400, 303, 303]
    for each in answers:
        assert each.headers["Referrer-Policy"] == "no-referrer"
        assert each.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in each.headers["Content-Security-Policy"]
        assert "default-src 'none'" in each.headers["Content-Security-Policy"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_no_other_method_is_taken(acme: Caller, method: str) -> None:
    """A18."""
    her = begin(acme)

    assert requests.request(method, her.link, timeout=30).status_code in {401, 403, 404, 405}
    assert her.state()["version"] == 1


# --- fixation: A7 to A9, A24 --------------------------------------------------------------------


def test_who_completes_is_who_has_signed_in(acme: Caller, banno: SimulatorControl) -> None:
    """A7: the victim signs in by the attacker's link, and is back at the application."""
    link = begin(acme, user="ben")
    answer = link.complete(link.code(), external_id="the-victim")

    assert read_problem(answer) == (422, "connect-user-mismatch")
    assert (link.state()["status"], revocations(banno), ids(acme)) == ("cancelled", 1, [])


def test_a_link_that_a_stranger_used_is_ended_and_revoked(
    acme: Caller, banno: SimulatorControl
) -> None:
    """A8: the code never reaches the application of the link's owner."""
    link = begin(acme, user="cleo")
    code = link.code()
    acme.ask("POST", f"/v1/connect-sessions/{link.id}/cancel")

    assert (revocations(banno), ids(acme)) == (1, [])
    assert read_problem(link.complete(code)) == (409, "connect-session-ended")
    assert link.browser.open(link.link).status == 410


@pytest.mark.usefixtures("banno")
def test_only_the_latest_code_is_good_and_only_for_its_application(
    acme: Caller, bolt: Caller
) -> None:
    """A9."""
    her = begin(acme)
    own = her.consent()
    old, new = (code_of(her.browser.open(own)) for _ in range(2))

    assert her.complete(new, by=bolt).status_code == 404
    assert read_problem(her.complete(f"cnc_{'x' * 43}")) == (422, "connect-code-invalid")
    assert read_problem(her.complete(old)) == (422, "connect-code-invalid")
    assert ids(acme) == []
    assert her.complete(new).json() == her.complete(new).json()
    assert len(ids(acme)) == 1


def test_an_old_consent_is_not_enough(acme: Caller, banno: SimulatorControl) -> None:
    """A24: the bank asks, though the person has allowed the operator long ago."""
    her = begin(acme)
    page = her.start()

    assert (page.status, "allow" in page.text) == (200, True)
    (asked,) = [row for row in banno.ledger() if row["path"].endswith("/auth")]
    assert asked["query"]["prompt"] == "consent"
    assert exchanges(banno) == []


# --- what the provider says: A10, A11 -----------------------------------------------------------


@pytest.mark.parametrize(
    "iss", ["https://evil.example/oidc", "", "http://localhost/a/consumer/api/v0/oidc"]
)
def test_an_answer_of_another_server_is_not_taken_to_this_one(
    acme: Caller, banno: SimulatorControl, iss: str
) -> None:
    """A10."""
    her = begin(acme)
    page = her.browser.open(with_query(her.consent(), iss=iss))

    assert (page.url, her.state()["last_error"]["name"]) == (her.link, "provider_error")
    assert (exchanges(banno), ids(acme)) == ([], [])


def test_the_code_of_one_institution_never_goes_to_another(
    running: System, acme: Caller, banno: SimulatorControl
) -> None:
    """A10: the hostile one is at another host, and notes what it is sent."""
    banno.settings(redirect_uris=[running.redirect_uri("banno"), heath_callback(running)])
    honest = begin(acme)
    hostile = begin(acme, settings={"institution": "heath"})
    code = query_of(honest.consent())["code"]
    for url in (
        with_query(hostile.consent(), code=code),
        with_query(hostile.consent(), code=code, iss=None),
    ):
        hostile.browser.open(url.replace("/heath", "/garden"))
    assert exchanges(banno) == []
    assert ids(acme) == []


@pytest.mark.parametrize("flaw", [flaw for flaw in Flaw if flaw is not Flaw.NONE])
def test_an_id_token_with_a_flaw_connects_nobody(
    acme: Caller, banno: SimulatorControl, flaw: Flaw
) -> None:
    """A11. It does not say of which login its tokens are, so they are left to end by themselves."""
    banno.settings(id_token_flaw=flaw)
    her = begin(acme)
    page = her.finish()

    assert page.url == her.link
    assert her.state()["last_error"]["name"] == "provider_error"
    assert ids(acme) == []


# --- return addresses: A12 ----------------------------------------------------------------------


def test_no_address_but_the_operator_s_is_taken(acme: Caller) -> None:
    """A12. All forms are tried where the rule stands; these pass through the gateway, too."""
    for url in (
        "https://app.example.evil.example/connected",
        "https://evil.example/connected",
        "//app.example/connected",
        "https://app.example@evil.example/connected",
        "https://app.example/connected/../evil",
        "https://app.example:444/connected",
        "http://app.example/connected",
        "javascript:alert(1)",
        f"{RETURN_URL}#x",
        f"{RETURN_URL}&code=x",
        "https://app.example\\connected",
    ):
        body = {**BANNO, "external_id": "user-1", "return_url": url}
        answer = acme.send("POST", "/v1/connect-sessions", json=body)
        assert read_problem(answer) == (400, "invalid-request"), url


# --- connections that exist: A14, A15 -----------------------------------------------------------


def test_another_login_does_not_take_a_connection_over(
    acme: Caller, banno: SimulatorControl
) -> None:
    """A14: where that login has a connection, nothing of it is revoked."""
    bens, cleos = begin(acme, user="ben").connect(), begin(acme, user="cleo").connect()
    again = begin(acme, user="cleo", **EXISTING, connection_id=bens)
    page = again.finish()

    assert (page.url, again.state()["last_error"]["name"]) == (again.link, "wrong_account")
    assert revocations(banno) == 0
    for connection in (bens, cleos):
        refresh = acme.wait_until_ended(acme.refresh(connection)["refresh_id"])
        assert refresh["status"] in {"published", "partial"}


def test_a_library_is_never_deleted_for_another_login(
    acme: Caller, digime: SimulatorControl
) -> None:
    """A14 at digi.me, where to end a login is to delete what the person has."""
    connection = begin(acme, user="ada", **DIGIME).connect()
    again = begin(acme, user="cleo", **EXISTING, connection_id=connection)
    again.finish()

    assert again.state()["last_error"]["name"] == "wrong_account"
    assert [row for row in digime.ledger() if row["method"] == "DELETE"] == []


@pytest.mark.usefixtures("banno")
def test_another_tenant_s_connection_is_not_there(acme: Caller, bolt: Caller) -> None:
    """A15."""
    connection = begin(acme).connect()
    body = {"connection_id": connection, "return_url": RETURN_URL}

    assert bolt.send("POST", "/v1/connect-sessions", json=body).status_code == 404


# --- Endgrate: A16 ------------------------------------------------------------------------------


def test_a_forged_way_back_from_endgrate_only_makes_us_look(
    running: System, acme: Caller, endgrate: SimulatorControl
) -> None:
    """A16."""
    her = begin(acme, **ENDGRATE)
    her.start()
    back = running.redirect_uri("endgrate")
    strange = Browser(stops=APPLICATION).open(f"{back}?{urlencode({'session': her.id})}")
    page = her.browser.open(f"{back}?{urlencode({'session': her.id, 'success': 'true'})}")
    token = f"con_{uuid.uuid4().hex}.{'x' * 43}"
    forged = requests.post(f"{running.api}/v1/hooks/endgrate/{token}", json={}, timeout=30)

    assert strange.status == 400
    assert "not finished" in page.text
    assert her.state()["last_error"]["name"] == "not_finished"
    assert (forged.status_code, ids(acme)) == (404, [])
    assert endgrate.ledger("session_configured") == []


# --- what the function may do: A23 --------------------------------------------------------------


def test_the_function_for_browsers_cannot_delete_or_read_data(running: System) -> None:
    """A23: tried with the function's own role."""
    functions = running.client("lambda").list_functions()["Functions"]
    (role,) = {one["Role"] for one in functions if one["Handler"] == "functions.connect.handler"}
    told = running.client("sts").assume_role(RoleArn=role, RoleSessionName="attack")["Credentials"]
    attacker = boto3.Session(
        aws_access_key_id=told["AccessKeyId"],
        aws_secret_access_key=told["SecretAccessKey"],
        aws_session_token=told["SessionToken"],
        region_name=REGION,
    )
    key, bucket = {"connection_id": {"S": "con_1"}}, running.outputs["BucketName"]
    table = running.outputs["ConnectionsTableName"]
    tried: list[tuple[str, str, dict[str, Any]]] = [
        ("dynamodb", "delete_item", {"TableName": table, "Key": key}),
        ("dynamodb", "scan", {"TableName": table}),
        ("dynamodb", "scan", {"TableName": running.outputs["PushesTableName"]}),
        ("s3", "get_object", {"Bucket": bucket, "Key": "snapshots/con_1/x"}),
        ("s3", "list_object_versions", {"Bucket": bucket, "Prefix": "snapshots/"}),
    ]
    for service, call, asked in tried:
        make: Any = attacker.client
        client = make(service, endpoint_url=running.endpoint)
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(client, call)(**asked)
