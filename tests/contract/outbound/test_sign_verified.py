"""Deliveries as they are signed, before three verifiers that others have made.

They are the libraries ``standardwebhooks`` for Python and for Node, and ``svix`` for Node in its last
version that has a verifier of its own; those after it, and that for Python, call the first two. None
of them knows ``v1a``: Node's own crypto verifies that.
"""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import time
import unicodedata
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook

from functions.aws.vault import Vault
from functions.core.delivery.model import Endpoint, SealedSecret
from functions.core.events.model import EventType, build_event
from functions.outbound.sign import Keyring, SigningKeys, make_keys
from tests.support.fakes.kms import kms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PROGRAM = Path(__file__).with_name("verify.cjs")
DELIVERIES = 1000
WORDS = (
    "plain",
    "ü",
    "Zoë",
    "日本",
    "\U0001f600",
    '"quoted"',
    "back\\slash",
    "line\nbreak",
    "a.b",
    "",
)


class Signed(NamedTuple):
    """A delivery, and the keys by which its receiver verifies it."""

    headers: dict[str, str]
    body: bytes
    keys: SigningKeys
    others: SigningKeys


class Deliveries:
    """Signs as ``deliver`` does; what is drawn follows from the seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - test data
        self._keyring = Keyring(Vault(kms(), key="key"))

    def make(self, number: int) -> Signed:
        """Each is of another endpoint; the receiver has the newest or the oldest of its secrets."""
        at = time.time() + self._random.uniform(-200, 200)
        own = base64.b64encode(self._random.randbytes(self._random.randint(24, 64))).decode()
        secrets = (None, f"whsec_{own}", None)
        keys = [
            make_keys(asymmetric=self._random.random() < 0.5, secret=secret)
            for secret in secrets[: self._random.randint(1, 3)]
        ]
        tenant, id_ = f"tenant-{number % 7}", f"end_{number}"
        sealed = [
            SealedSecret(sealed=self._keyring.seal(each, tenant=tenant, endpoint_id=id_))
            for each in keys
        ]
        retired = make_keys(asymmetric=False)
        old = SealedSecret(
            sealed=self._keyring.seal(retired, tenant=tenant, endpoint_id=id_), until=at - 1
        )
        endpoint = Endpoint(
            endpoint_id=id_,
            tenant=tenant,
            url="https://hooks.example.com/",
            created_at=at,
            secrets=(*sealed, old),
        )
        event = build_event(
            self._random.choice(list(EventType)),
            tenant=tenant,
            subject=f"ref_{number}",
            version=number,
            at=at,
            data={"reason": self._random.choice(WORDS), "records": number, "empty": None},
        )
        headers = self._keyring.sign(endpoint, event_id=event.event_id, body=event.document, at=at)
        return Signed(headers, event.document, self._random.choice(keys), retired)


def verdicts(given: Iterable[Signed]) -> list[dict[str, bool]]:
    """What each verifier says of each delivery."""
    told = list(given)
    lines = [
        json.dumps(
            {
                "secret": each.keys.shared_secret,
                "publicKey": each.keys.public_key,
                "headers": each.headers,
                "body": each.body.decode("utf-8", "surrogateescape"),
            }
        )
        for each in told
    ]
    answer = subprocess.run(
        ["node", PROGRAM],  # noqa: S607 - wherever this machine has it
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    by_node = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(by_node) == len(told)
    return [
        {"PyPI standardwebhooks": accepted(each), **others}
        for each, others in zip(told, by_node, strict=True)
    ]


def accepted(signed: Signed) -> bool:
    try:
        Webhook(signed.keys.shared_secret).verify(signed.body, signed.headers)
    except Exception:  # noqa: BLE001 - each of them means that it is refused
        return False
    return True


def test_three_verifiers_accept_every_delivery() -> None:
    deliveries = Deliveries(seed=1)

    told = verdicts(deliveries.make(number) for number in range(DELIVERIES))

    assert [each for each in told if not all(each.values())] == []
    assert len(told) == DELIVERIES
    names = {"PyPI standardwebhooks", "npm standardwebhooks", "npm svix"}
    assert all(names <= set(each) for each in told)
    asymmetric = [each for each in told if set(each) - names == {"node:crypto, ed25519"}]
    assert DELIVERIES / 4 < len(asymmetric) < DELIVERIES * 3 / 4


def signature(key: bytes, content: bytes, hash_: str = "sha256") -> str:
    return base64.b64encode(hmac.new(key, content, hash_).digest()).decode()


def content(signed: Signed) -> bytes:
    head = f"{signed.headers['webhook-id']}.{signed.headers['webhook-timestamp']}."
    return head.encode() + signed.body


def body(change: Callable[[bytes], bytes]) -> Callable[[Signed], Signed]:
    return lambda signed: signed._replace(body=change(signed.body))


def flip(raw: bytes, place: int) -> bytes:
    changed = bytearray(raw)
    changed[place] ^= 1
    return bytes(changed)


def header(name: str, change: Callable[[str], str | None]) -> Callable[[Signed], Signed]:
    def mangle(signed: Signed) -> Signed:
        headers = {**signed.headers}
        changed = change(headers.pop(f"webhook-{name}"))
        if changed is not None:
            headers[f"webhook-{name}"] = changed
        return signed._replace(headers=headers)

    return mangle


def sign(make: Callable[[Signed], str]) -> Callable[[Signed], Signed]:
    return lambda signed: header("signature", lambda _: make(signed))(signed)


def each_signature(change: Callable[[str], str]) -> Callable[[Signed], Signed]:
    """Change the signatures, and keep their versions."""

    def mangle(text: str) -> str:
        parts = (each.split(",", 1) for each in text.split(" "))
        return " ".join(f"{version},{change(value)}" for version, value in parts)

    return header("signature", mangle)


def later(seconds: int) -> Callable[[str], str]:
    return lambda text: str(int(text) + seconds)


def shifted(signed: Signed) -> Signed:
    """The same bytes are signed, with the border between id and time elsewhere."""
    id_, timestamp = signed.headers["webhook-id"], signed.headers["webhook-timestamp"]
    moved = {"webhook-id": f"{id_}.{timestamp[:5]}", "webhook-timestamp": timestamp[5:]}
    return signed._replace(headers={**signed.headers, **moved})


def reordered(raw: bytes) -> bytes:
    members: dict[str, Any] = json.loads(raw)
    return json.dumps(dict(reversed(members.items())), separators=(",", ":")).encode()


MANGLINGS: dict[str, Callable[[Signed], Signed]] = {
    "first byte": body(lambda raw: flip(raw, 0)),
    "byte within": body(lambda raw: flip(raw, len(raw) // 2)),
    "last byte": body(lambda raw: flip(raw, -1)),
    "space after the body": body(lambda raw: raw + b" "),
    "space before the body": body(lambda raw: b" " + raw),
    "line after the body": body(lambda raw: raw + b"\n"),
    "byte order mark": body(lambda raw: b"\xef\xbb\xbf" + raw),
    "cut off": body(lambda raw: raw[:-1]),
    "no body": body(lambda _: b""),
    "empty object": body(lambda _: b"{}"),
    "doubled body": body(lambda raw: raw * 2),
    "other order": body(reordered),
    "other spacing": body(lambda raw: raw.replace(b":", b": ", 1)),
    "other number": body(lambda raw: raw.replace(b'"records":', b'"records":1', 1)),
    "other tenant": body(lambda raw: raw.replace(b'"tenant":"', b'"tenant":"x', 1)),
    "member doubled": body(lambda raw: raw[:-1] + b',"tenant":"other"}'),
    "composed otherwise": body(
        lambda raw: unicodedata.normalize("NFD", raw.decode() + "é").encode()
    ),
    "upper case": body(bytes.upper),
    "other id": header("id", lambda _: "evt_00000000000000000000000000000000"),
    "id in upper case": header("id", str.upper),
    "longer id": header("id", lambda text: text + "0"),
    "shorter id": header("id", lambda text: text[:-1]),
    "empty id": header("id", lambda _: ""),
    "no id": header("id", lambda _: None),
    "border shifted": shifted,
    "a second later": header("timestamp", later(1)),
    "a second earlier": header("timestamp", later(-1)),
    "too old": header("timestamp", later(-1000)),
    "too new": header("timestamp", later(1000)),
    "time of 1970": header("timestamp", lambda _: "0"),
    "milliseconds": header("timestamp", lambda text: text + "000"),
    "no number": header("timestamp", lambda _: "now"),
    "not a number": header("timestamp", lambda _: "NaN"),
    "empty time": header("timestamp", lambda _: ""),
    "no time": header("timestamp", lambda _: None),
    "no signature": header("signature", lambda _: None),
    "empty signature": header("signature", lambda _: ""),
    "version alone": each_signature(lambda _: ""),
    "first character": each_signature(lambda text: ("B" if text[0] == "A" else "A") + text[1:]),
    "character within": each_signature(
        lambda text: text[:9] + ("B" if text[9] == "A" else "A") + text[10:]
    ),
    "signature cut off": each_signature(lambda text: text[:-8]),
    "signature reversed": each_signature(lambda text: text[::-1]),
    "other case": each_signature(str.swapcase),
    "version two": header(
        "signature", lambda text: text.replace("v1a,", "v2,").replace("v1,", "v2,")
    ),
    "no version": header("signature", lambda text: text.replace("v1a,", "").replace("v1,", "")),
    "only as v1a": sign(lambda one: f"v1a,{signature(one.keys.secret, content(one))}"),
    "secret that has ended": sign(lambda one: f"v1,{signature(one.others.secret, content(one))}"),
    "secret of zeros": sign(lambda one: f"v1,{signature(bytes(32), content(one))}"),
    "no secret": sign(lambda one: f"v1,{signature(b'', content(one))}"),
    "secret as it is written": sign(
        lambda one: f"v1,{signature(one.keys.shared_secret.encode(), content(one))}"
    ),
    "body alone signed": sign(lambda one: f"v1,{signature(one.keys.secret, one.body)}"),
    "hash without a key": sign(
        lambda one: f"v1,{base64.b64encode(sha256(content(one)).digest()).decode()}"
    ),
    "SHA-1": sign(lambda one: f"v1,{signature(one.keys.secret, content(one), 'sha1')}"),
    "SHA-512": sign(lambda one: f"v1,{signature(one.keys.secret, content(one), 'sha512')}"),
    "hexadecimal": sign(
        lambda one: f"v1,{hmac.new(one.keys.secret, content(one), 'sha256').hexdigest()}"
    ),
}


def test_there_are_many_manglings() -> None:
    assert len(MANGLINGS) >= 40


def test_each_mangling_is_refused_by_every_verifier() -> None:
    deliveries = Deliveries(seed=2)
    mangled = [
        (name, mangle(signed))
        for number in range(5)
        for signed in [deliveries.make(number)]
        for name, mangle in MANGLINGS.items()
    ]

    told = verdicts(each for _, each in mangled)

    taken = {
        (name, verifier)
        for (name, _), verdict in zip(mangled, told, strict=True)
        for verifier, yes in verdict.items()
        if yes
    }
    assert taken == set()


def test_a_delivery_for_another_endpoint_is_refused() -> None:
    deliveries = Deliveries(seed=3)
    one, other = deliveries.make(1), deliveries.make(2)

    told = verdicts([one._replace(keys=other.keys), other._replace(keys=one.keys)])

    assert not any(any(each.values()) for each in told)


@pytest.mark.parametrize("overlap", [True, False])
def test_while_secrets_overlap_a_receiver_may_have_either(*, overlap: bool) -> None:
    keyring, at = Keyring(Vault(kms(), key="key")), time.time()
    new, old = make_keys(asymmetric=False), make_keys(asymmetric=False)
    endpoint = Endpoint(
        endpoint_id="end_1", tenant="acme", url="https://hooks.example.com/", created_at=at
    )
    until = {new: 0.0, old: at + 1 if overlap else at}
    sealed = [
        SealedSecret(sealed=keyring.seal(keys, tenant="acme", endpoint_id="end_1"), until=ends)
        for keys, ends in until.items()
    ]
    headers = keyring.sign(
        replace(endpoint, secrets=tuple(sealed)), event_id="evt_1", body=b"{}", at=at
    )

    told = verdicts(Signed(headers, b"{}", keys, old) for keys in (new, old))

    assert [set(each.values()) for each in told] == [{True}, {overlap}]
