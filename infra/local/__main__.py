"""`make run`: the whole system here, the demo connections refreshed, what came of it shown."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError
from requests import RequestException

from freshet_client.errors import ReceiptInvalid
from freshet_client.receipts import describe, verify
from infra.local.aws import ROOT
from infra.local.caller import ENDED, LOOK_SECONDS, SUCCEEDED, Caller, CallerError
from infra.local.deploy import DeployError
from infra.local.programs import PortInUseError, ProgramError
from infra.local.progress import Row, show_rows
from infra.local.providers import DEMOS
from infra.local.shell_variables import COMMAND, variables, write_profile
from infra.local.sign_in.browser import Browser
from infra.local.sign_in.provider import NotSignedInError
from infra.local.subscription import Subscription
from infra.local.system import TENANT, SynthesisError, System, synthesise, system

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = ROOT / ".local"
USER = "cleo"  # who is connected through the page
SAMPLE = 2
WIDTH = 300
EVENTS_SECONDS = 60
DAY = 24 * 60 * 60

_FAULTS = (
    CallerError,
    DeployError,
    ReceiptInvalid,
    PortInUseError,
    ProgramError,
    NotSignedInError,
    SynthesisError,
    RequestException,
    BotoCoreError,
    ClientError,
)


def main() -> int:
    """Run the demo; the exit status is 0 only if every refresh succeeded."""
    parser = argparse.ArgumentParser(prog="make run")
    parser.add_argument("--once", action="store_true", help="end after the refreshes")
    once = parser.parse_args().once
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(once=once)
    except KeyboardInterrupt:
        print("\nEnded.")
        return 130
    except _FAULTS as fault:
        print(f"\nThis did not work: {fault}\nThe logs are in {FOLDER / 'logs'}.", file=sys.stderr)
        return 1


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _run(*, once: bool) -> int:
    began = time.monotonic()
    print("Synthesising the stack ...", flush=True)
    assembly = synthesise(FOLDER / "cdk.out")
    print("Starting the local AWS and the providers, deploying the stack ...", flush=True)
    with system(FOLDER / "logs", assembly=assembly, usual_ports=True) as running:
        token = running.issuer.token(TENANT)
        print(f"Up after {time.monotonic() - began:.0f} s.", flush=True)
        if not once:
            print(_invite(running, token))
            write_profile(FOLDER, api=f"{running.api}/v1", token=token)
        print("Refreshing:\n", flush=True)
        caller = Caller(running.api, token=token)
        subscription = Subscription(running.receiver, caller=caller)
        connections = _connect(running, caller)
        refreshes = _refresh(caller, connections)
        for label, refresh in refreshes.items():
            _tell(caller, label, refresh=refresh)
        _tell_events(subscription, about={each["refresh_id"] for each in refreshes.values()})
        succeeded = all(refresh["status"] in SUCCEEDED for refresh in refreshes.values())
        if not once:
            link = _begin_signing_in(caller, expires_in_seconds=DAY)["connect_url"]
            _tell_addresses(running, connections, link=link)
            while True:
                _print_events(subscription)
                time.sleep(1)
    return 0 if succeeded else 1


def _connect(running: System, caller: Caller) -> dict[str, str]:
    """Sign the demo users in: by themselves to be registered, but one by a connect session."""
    registered = {
        f"{provider}/{user}": caller.connect(demo.connection(running.providers[provider], user))
        for provider, demo in DEMOS.items()
        for user in demo.users(running.providers[provider])
    }
    return registered | {f"banno/{USER}": _sign_in(caller)}


def _begin_signing_in(caller: Caller, **more: object) -> dict[str, Any]:
    """A connect session at the bank, of a new user."""
    external_id = f"user-{uuid.uuid4().hex}"
    body = {"provider": "banno", "settings": {"institution": "garden"}, "external_id": external_id}
    return caller.ask("POST", "/v1/connect-sessions", json=body | more)


def _sign_in(caller: Caller) -> str:
    """Connect a user through the page, as a browser does; the connection's id."""
    session, browser = _begin_signing_in(caller, user_label=USER), Browser(user=USER)
    page = browser.submit(browser.open(session["connect_url"]), action="continue")
    browser.agree(page)
    told = caller.ask("GET", f"/v1/connect-sessions/{session['connect_session_id']}")
    if told["status"] != "connected":
        raise NotSignedInError(f"{USER}: {told['status']}, {told['last_error']}")
    return str(told["connection_id"])


def _refresh(caller: Caller, connections: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Refresh all connections at once and show how they get on."""
    rows = {label: Row(label) for label in connections}
    found = {label: caller.refresh(id_) for label, id_ in connections.items()}
    with show_rows(list(rows.values())) as show:
        waiting = set(connections)
        while waiting:
            for label in sorted(waiting):
                found[label] = caller.state(found[label]["refresh_id"])
                show(rows[label], found[label])
            waiting = {label for label in waiting if found[label]["status"] not in ENDED}
            time.sleep(LOOK_SECONDS)
    return found


def _tell(caller: Caller, label: str, *, refresh: dict[str, Any]) -> None:
    """Print what a refresh published, with a few records and its receipt, once it is verified."""
    print(f"\n{label}: {refresh['status']}")
    if refresh["status"] not in SUCCEEDED:
        if "error" in refresh:
            print(f"  {refresh['error']['detail']}")
        return
    path = f"/v1/connections/{refresh['connection_id']}/datasets"
    published = caller.ask("GET", path)
    coverage = ", ".join(f"{count} {state}" for state, count in published["coverage"].items())
    print(f"  parts: {coverage}; the oldest is as of {published['as_of']}")
    for dataset in published["datasets"]:
        print(f"  {dataset['name']}: {dataset['records']} records")
        page = caller.ask("GET", f"{path}/{dataset['name']}", params={"limit": SAMPLE})
        for record in page["records"]:
            print(f"    {json.dumps(record.get('data'), ensure_ascii=False)[:WIDTH]}")
    signed = caller.ask("GET", f"/v1/connections/{refresh['connection_id']}/receipt")
    keys = caller.ask("GET", "/v1/receipt-keys")
    print(f"  its receipt: {describe(verify(signed['receipt'], keys))}")


def _tell_events(subscription: Subscription, *, about: set[str]) -> None:
    """Print the events that came, until each of these refreshes has had its own.

    Raises:
        CallerError: one has not in a minute.
    """
    print(f"\nEvents that the receiver at {subscription.url} has verified:", flush=True)
    deadline = time.monotonic() + EVENTS_SECONDS
    while missing := about - _print_events(subscription):
        if time.monotonic() > deadline:
            raise CallerError(f"no event has come of {', '.join(sorted(missing))}")
        about = missing
        time.sleep(LOOK_SECONDS)


def _print_events(subscription: Subscription) -> set[str]:
    """Print the events that have come since the last call; what those verified are about."""
    about = set()
    for delivery in subscription.take_new():
        if delivery["refused"]:
            print(f"  REFUSED {delivery['id']}: {delivery['refused']}", flush=True)
            continue
        event = delivery["event"]
        print(f"  {event['time']} {event['type']} {event['subject']}", flush=True)
        about.add(event["subject"])
    return about


def _invite(running: System, token: str) -> str:
    return f"\nOpen this to see all of it, signed in:\n\n  {running.console}#token={token}\n"


def _tell_addresses(running: System, connections: Mapping[str, str], *, link: str) -> None:
    token = running.issuer.token(TENANT)
    print("\nIt stays up until Ctrl-C.")
    print(_invite(running, token))
    print(f"A page to try the calls: {running.api}/v1/docs\n")
    print(f"A link to sign in at the bank with, once: {link}\n")
    print(f"On the command line, in another shell: {COMMAND}\n")
    print("Or paste this there, and then the examples of README.md and docs/:\n")
    for name, value in variables(running, token=token, connections=connections).items():
        print(f"  {name}={shlex.quote(value)}")
    print()
    for name, facts in running.providers.items():
        print(f"  the {name} simulator: {facts['base_url']} (its switches: /_simulator/)")
    print(f"  the receiver of events: {running.receiver['base_url']} (likewise)")
    print(f"  the local AWS: {running.endpoint}")
    print(f"  logs: {FOLDER / 'logs'} (those of the Lambda functions: emulator.log)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
