from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from freshet_client.cli.commands.freshness import CAUSES, VERDICTS, WHO
from freshet_client.cli.statuses import Status
from freshet_client.models import Action, Cause, Verdict
from tests.support.clients.spoken_api import example

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.support.clients.spoken_api import SpokenApi

    Freshet = Callable[..., Result]

FRESHNESS = "GET /connections/con_1/freshness"


def test_it_says_in_sentences_why_who_acts_and_what_to_do(api: SpokenApi, freshet: Freshet) -> None:
    api.say(FRESHNESS, example("FreshnessOut"))

    told = freshet("freshness", "con_1").stdout.splitlines()

    assert told[:5] == [
        "Only some of the data are fresh.",
        "The oldest are 2 d 14 h old.",
        "Why: The user has to sign in at the source of a part. Since 2026-11-22 09:31:04Z.",
        "Who acts: the end user, at the provider.",
        "What to do: " + example("FreshnessOut")["what_to_do"],
    ]
    assert any(example("FreshnessOut")["not_fresh"][0]["label"] in line for line in told)


def test_where_all_is_fresh_nothing_is_to_be_done(api: SpokenApi, freshet: Freshet) -> None:
    fresh: dict[str, Any] = {"verdict": "fresh", "cause": "fresh", "action": None, "not_fresh": []}
    api.say(FRESHNESS, example("FreshnessOut", **fresh))

    told = freshet("freshness", "con_1", "--check")

    assert told.exit_code == 0
    assert "Who acts" not in told.stdout
    assert "Why" not in told.stdout


def test_a_check_ends_with_the_status_of_what_is_partial(api: SpokenApi, freshet: Freshet) -> None:
    api.say(FRESHNESS, example("FreshnessOut"))

    done = freshet("freshness", "con_1", "--check", "--max-age", "1h", "--json")

    assert done.exit_code == Status.PARTIAL
    assert json.loads(done.stdout)["cause"] == "source_reauth"
    assert dict(api.requests[0].url.params) == {"max_age_seconds": "3600"}


def test_every_verdict_cause_and_action_has_its_words() -> None:
    assert set(VERDICTS) == set(Verdict)
    assert set(CAUSES) == set(Cause) - {Cause.FRESH}
    assert set(WHO) == set(Action)


def test_a_receipt_is_printed_alone(api: SpokenApi, freshet: Freshet) -> None:
    api.say("GET /connections/con_1/receipt", example("ReceiptOut"))

    done = freshet("receipt", "get", "con_1", "--refresh", "ref_1")

    assert done.stdout == example("ReceiptOut")["receipt"] + "\n"
    assert dict(api.requests[0].url.params) == {"refresh_id": "ref_1"}


KEY = ec.generate_private_key(ec.SECP256R1())
KEYS = {"keys": [{**ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "old"}]}
NOW = 1_800_000_000.0
CLAIMS = example("ReceiptOut")["claims"] | {
    "datasets": {
        "accounts": {"files": 1, "files_sha256": sha256(sha256(b"a").digest()).hexdigest()}
    }
}
FRESH = {**CLAIMS["parts"][0], "state": "fresh", "as_of": "2027-01-15T07:58:20.000Z"}
STALE = {**FRESH, "state": "stale", "as_of": "2027-01-15T07:51:40.000Z"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A receipt, its keys and the files that were published."""
    (tmp_path / "files" / "accounts").mkdir(parents=True)
    (tmp_path / "files" / "accounts" / "00000.gz").write_bytes(b"a")
    (tmp_path / "keys.json").write_text(json.dumps(KEYS))
    return tmp_path


def a_receipt(**claims: Any) -> str:
    header = {"kid": "old", "typ": "freshet-receipt+jwt"}
    return jwt.encode(CLAIMS | claims, KEY, algorithm="ES256", headers=header)


@pytest.mark.parametrize(
    ("parts", "options", "status"),
    [
        pytest.param([FRESH, STALE], [], 0, id="valid-at-any-age"),
        pytest.param([FRESH], ["--max-age", "200s"], 0, id="fresh-enough"),
        pytest.param([FRESH, STALE], ["--max-age", "200s"], 10, id="a-part-is-older"),
        pytest.param([FRESH, STALE], ["--max-age", "15m"], 0, id="a-stale-part-counts-by-its-age"),
        pytest.param([FRESH, {**FRESH, "state": "gone"}], ["--max-age", "200"], 0, id="gone"),
        pytest.param([{**FRESH, "state": "incomplete"}], ["--max-age", "200"], 10, id="incomplete"),
        pytest.param([{**FRESH, "state": "failed"}], ["--max-age", "200"], 10, id="failed"),
        pytest.param([{**FRESH, "as_of": None}], ["--max-age", "200"], 10, id="an-unknown-age"),
        pytest.param([], ["--max-age", "200"], 10, id="no-parts"),
        pytest.param([FRESH], ["--files", "{folder}/files"], 0, id="its-files"),
        pytest.param([FRESH], ["--files", "{folder}"], 1, id="other-files"),
        pytest.param([FRESH], ["--keys", "{folder}/receipt.jws"], 2, id="keys-that-are-no-json"),
        pytest.param([FRESH], ["--keys", "{folder}/none"], 2, id="no-keys"),
    ],
)
def test_the_status_says_what_a_receipt_proves(
    folder: Path,
    parts: list[dict[str, Any]],
    options: list[str],
    status: int,
    freshet: Freshet,
    api: SpokenApi,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "receipt.jws").write_text(a_receipt(parts=parts) + "\n")
    monkeypatch.setattr("time.time", lambda: NOW)
    given = [each.format(folder=folder) for each in options]

    done = freshet(
        "receipt", "verify", f"{folder}/receipt.jws", "--keys", f"{folder}/keys.json", *given
    )

    assert done.exit_code == status
    assert done.stdout.startswith("Valid: con_") == (status in {0, 10})
    assert done.stderr.startswith("Not valid: ") == (status == 1)
    assert api.requests == []  # offline


def test_a_changed_receipt_is_not_valid(folder: Path, freshet: Freshet) -> None:
    header, claims, signature = a_receipt().split(".")
    (folder / "receipt.jws").write_text(f"{header}.{claims[:-4]}AAAA.{signature}")

    done = freshet("receipt", "verify", f"{folder}/receipt.jws", "--keys", f"{folder}/keys.json")

    assert (done.exit_code, done.stdout) == (Status.DEFECT, "")


def test_keys_are_read_from_the_stage_unless_they_are_given(
    folder: Path, api: SpokenApi, freshet: Freshet
) -> None:
    api.say(
        "GET /receipt-keys",
        KEYS | {"keys": [{"alg": "ES256", "use": "sig"} | each for each in KEYS["keys"]]},
    )
    (folder / "receipt.jws").write_text(a_receipt())

    done = freshet("receipt", "verify", f"{folder}/receipt.jws", "--json")

    assert json.loads(done.stdout)["sub"] == CLAIMS["sub"]
    assert "Authorization" not in api.requests[0].headers
