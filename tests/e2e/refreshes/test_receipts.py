"""A receipt, from a refresh to those who verify it without us: on the stack, signed in KMS."""

from __future__ import annotations

import base64
import json
import subprocess
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests

from infra.local.caller import Caller
from tests.support.clients.command_line import CLIENT, PROGRAM
from tests.support.clients.jose import verify_with_jose
from tests.support.system.outages import Fault, Outage, outages

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.system import System
    from tests.e2e.conftest import Connect

pytestmark = pytest.mark.usefixtures("banno")


def keys_of(running: System) -> dict[str, Any]:
    """The public keys, as any caller reads them."""
    answer = requests.get(f"{running.api}/v1/receipt-keys", timeout=10)
    assert answer.status_code == 200, answer.text
    keys: dict[str, Any] = answer.json()
    return keys


def claims_of(running: System, receipt: str) -> dict[str, Any]:
    """The claims, once PyJWT has verified them."""
    keys = jwt.PyJWKSet.from_dict(keys_of(running))
    kid = jwt.get_unverified_header(receipt)["kid"]
    found: dict[str, Any] = jwt.decode(receipt, keys[kid], algorithms=["ES256"])
    return found


def read(caller: Caller, connection: str, **query: str) -> str:
    told = caller.ask("GET", f"/v1/connections/{connection}/receipt", params=query)
    return str(told["receipt"])


def refresh(caller: Caller, connection: str) -> dict[str, Any]:
    return caller.wait_until_ended(caller.refresh(connection)["refresh_id"])


def download(caller: Caller, connection: str, folder: Path) -> None:
    """Store the published files of all datasets, as the guide says."""
    path = f"/v1/connections/{connection}/datasets"
    for dataset in caller.ask("GET", path)["datasets"]:
        (folder / dataset["name"]).mkdir(parents=True)
        page = caller.ask("GET", f"{path}/{dataset['name']}/files")
        for number, file in enumerate([*page["files"], *page["blobs"]]):
            content = requests.get(file["url"], timeout=10).content
            (folder / dataset["name"] / f"{number:05}.gz").write_bytes(content)


def run_command(*options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, "receipt", "verify", *options],
        env={"PYTHONPATH": CLIENT},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_publication_is_proven_to_whoever_has_the_public_keys(
    running: System, caller: Caller, connect: Connect, tmp_path: Path
) -> None:
    connection = connect("cleo")  # some of whose accounts are stale
    refused = caller.send("GET", f"/v1/connections/{connection}/receipt")
    assert refused.status_code == 404, refused.text
    ended = refresh(caller, connection)

    receipt = read(caller, connection)
    claims = claims_of(running, receipt)
    assert verify_with_jose([receipt], keys_of(running)) == [claims]
    assert claims["jti"] == ended["refresh_id"]
    assert (claims["sub"], claims["iss"]) == (connection, "urn:freshet:local")
    assert (claims["coverage"], claims["as_of"]) == (ended["coverage"], ended["as_of"])
    assert claims["verdict"] == "partly_fresh"
    published = caller.ask("GET", f"/v1/connections/{connection}/datasets")
    names = [part["part"] for part in published["parts"]]
    digests = {sha256(f"{connection}\0{name}".encode()).digest()[:16] for name in names}
    assert {base64.urlsafe_b64decode(part["part"] + "==") for part in claims["parts"]} == digests
    assert not [name for name in names if name in json.dumps(claims)]
    assert {part["evidence"] for part in claims["parts"]} == {"dated"}

    (tmp_path / "receipt.jws").write_text(receipt)
    (tmp_path / "keys.json").write_text(json.dumps(keys_of(running)))
    download(caller, connection, tmp_path / "files")
    options: list[str | Path] = [tmp_path / "receipt.jws", "--keys", tmp_path / "keys.json"]
    done = run_command(*options, "--files", tmp_path / "files")
    assert done.returncode == 0, done.stderr
    assert f"{connection} at banno was partly_fresh as of {ended['as_of']}" in done.stdout
    assert run_command(*options, "--max-age", "600").returncode == 10
    first = min((tmp_path / "files" / "transactions").iterdir())
    first.write_bytes(first.read_bytes() + b" ")
    assert run_command(*options, "--files", tmp_path / "files").returncode == 1


def test_a_receipt_names_the_one_before_and_each_stays_readable(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("ben")
    first, second = (refresh(caller, connection) for _ in range(2))
    before = read(caller, connection, refresh_id=first["refresh_id"])
    payload = base64.urlsafe_b64decode(before.split(".")[1] + "==")
    assert claims_of(running, before)["previous"] is None
    assert claims_of(running, read(caller, connection))["previous"] == {
        "refresh_id": first["refresh_id"],
        "claims_sha256": sha256(payload).hexdigest(),
    }
    named = read(caller, connection, refresh_id=second["refresh_id"])
    assert claims_of(running, named) == claims_of(running, read(caller, connection))


def test_a_stranger_reads_no_receipt(running: System, caller: Caller, connect: Connect) -> None:
    connection, own = connect("ben"), connect("dora")
    theirs = refresh(caller, connection)["refresh_id"]
    stranger = Caller(running.api, token=running.issuer.token("stranger"))
    path = f"/v1/connections/{connection}/receipt"
    assert stranger.send("GET", path, params={"refresh_id": theirs}).status_code == 404
    other = caller.send("GET", f"/v1/connections/{own}/receipt", params={"refresh_id": theirs})
    assert other.status_code == 404


def test_where_nothing_can_be_signed_it_is_published_all_the_same_and_signed_later(
    running: System, caller: Caller, connect: Connect
) -> None:
    connection = connect("ben")
    (key,) = keys_of(running)["keys"]
    with outages(running) as planned:
        outage = planned.plan(
            Outage(service="kms", fault=Fault.BROKEN, seconds=600, about={key["kid"]})
        )
        ended = refresh(caller, connection)
        assert ended["status"] == "published"
        caller.until(
            lambda: {"refused": outage.refused}, lambda found: found["refused"] > 0, seconds=30
        )
        assert caller.send("GET", f"/v1/connections/{connection}/receipt").status_code == 503
        planned.lift(outage)
        claims = claims_of(running, read(caller, connection))
    assert claims["jti"] == ended["refresh_id"]
    assert claims_of(running, read(caller, connection)) == claims


def test_an_erasure_leaves_no_receipt(running: System, caller: Caller, connect: Connect) -> None:
    connection = connect("ben")
    refresh(caller, connection)
    read(caller, connection)
    s3, bucket = running.client("s3"), running.outputs["BucketName"]
    below = {"Bucket": bucket, "Prefix": f"receipts/{connection}/"}
    assert s3.list_object_versions(**below)["Versions"]
    caller.ask("DELETE", f"/v1/connections/{connection}")
    caller.until(
        lambda: s3.list_object_versions(**below), lambda found: "Versions" not in found, seconds=10
    )
