"""The receiver accepts what the specifications allow, and nothing else."""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.local.simulators.receiver import create_app
from infra.local.simulators.receiver.verification import verify
from infra.local.simulators.server import serve
from tests.support.clients.receiver import ReceiverClient, new_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

ID = f"evt_{'5f' * 16}"
EVENT = {
    "specversion": "1.0",
    "id": ID,
    "source": "urn:freshet:events",
    "type": "refresh.published",
    "subject": "ref_1",
    "time": "2026-11-29T03:03:27.120Z",
    "datacontenttype": "application/json",
    "dataschema": "urn:freshet:event:refresh:1",
    "tenant": "acme",
    "data": {"refresh_id": "ref_1"},
}
SECRET, OTHER = new_secret(), new_secret()
PRIVATE_KEY = Ed25519PrivateKey.generate()
PUBLIC_KEY = f"whpk_{b64encode(PRIVATE_KEY.public_key().public_bytes_raw()).decode()}"


@pytest.fixture(scope="module")
def opened() -> Iterator[ReceiverClient]:
    with serve(create_app()) as base_url:
        client = ReceiverClient(base_url)
        with client.http:
            yield client


@pytest.fixture
def receiver(opened: ReceiverClient) -> ReceiverClient:
    opened.reset()
    opened.trust("a", SECRET)
    return opened


class Delivery:
    """A delivery as it must be; tests change it."""

    def __init__(self, event: dict[str, Any]) -> None:
        self.body = json.dumps(event).encode()
        self.headers = {
            "content-type": "application/json",
            "user-agent": "tests",
            "webhook-id": event["id"],
            "webhook-timestamp": str(int(time.time())),
        }
        self.headers["webhook-signature"] = self.sign(SECRET)

    @property
    def signed(self) -> bytes:
        id_, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        return f"{id_}.{at}.".encode() + self.body

    def sign(self, secret: str) -> str:
        key = b64decode(secret.removeprefix("whsec_"))
        return f"v1,{b64encode(hmac.digest(key, self.signed, 'sha256')).decode()}"

    def sign_asymmetric(self) -> str:
        return f"v1a,{b64encode(PRIVATE_KEY.sign(self.signed)).decode()}"

    def send(self, receiver: ReceiverClient, name: str = "a") -> Response:
        url = receiver.url(name)
        return receiver.http.post(url, data=self.body, headers=self.headers, timeout=10)


def test_the_specifications_own_example_is_verified() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signers = verify(
        headers, b'{"test": 2432232314}', secrets=[secret], public_key=None, now=1614265330
    )

    assert signers == [0]


def test_a_delivery_is_accepted_and_told(receiver: ReceiverClient) -> None:
    answers = [Delivery(EVENT).send(receiver) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    first, second = receiver.deliveries("a")
    assert (first["event"], first["secrets"], first["repeated"]) == (EVENT, [0], False)
    assert second["repeated"]
    assert receiver.events("a") == [EVENT]
    assert receiver.events("b") == []


def test_it_tells_which_of_its_secrets_have_signed(receiver: ReceiverClient) -> None:
    receiver.trust("a", OTHER, SECRET)
    delivery = Delivery(EVENT)
    for signatures in (delivery.sign(SECRET), f"{delivery.sign(SECRET)} {delivery.sign(OTHER)}"):
        delivery.headers["webhook-signature"] = signatures
        assert delivery.send(receiver).ok

    assert [row["secrets"] for row in receiver.deliveries("a")] == [[1], [0, 1]]


def test_where_it_has_a_public_key_the_private_key_must_have_signed(
    receiver: ReceiverClient,
) -> None:
    receiver.trust("a", SECRET, public_key=PUBLIC_KEY)
    delivery = Delivery(EVENT)
    alone = delivery.send(receiver)
    delivery.headers["webhook-signature"] += f" {delivery.sign_asymmetric()}"
    both = delivery.send(receiver)
    delivery.headers["webhook-signature"] = f"{delivery.sign(SECRET)} v1a,{'A' * 86}=="
    forged = delivery.send(receiver)

    assert [answer.status_code for answer in (alone, both, forged)] == [400, 200, 400]


def without(name: str) -> Callable[[Delivery], None]:
    def change(delivery: Delivery) -> None:
        del delivery.headers[name]

    return change


def with_header(name: str, value: str) -> Callable[[Delivery], None]:
    def change(delivery: Delivery) -> None:
        delivery.headers[name] = value

    return change


def at(seconds: int) -> Callable[[Delivery], None]:
    """Signed properly, at another time."""

    def change(delivery: Delivery) -> None:
        delivery.headers["webhook-timestamp"] = str(int(time.time()) + seconds)
        delivery.headers["webhook-signature"] = delivery.sign(SECRET)

    return change


def with_event(**members: object) -> Callable[[Delivery], None]:
    """Signed properly, with other members of the event."""

    def change(delivery: Delivery) -> None:
        delivery.body = json.dumps({**EVENT, **members}).encode()
        delivery.headers["webhook-signature"] = delivery.sign(SECRET)

    return change


def tampered(delivery: Delivery) -> None:
    delivery.body = delivery.body.replace(b"ref_1", b"ref_2")


def signed_by_another(delivery: Delivery) -> None:
    delivery.headers["webhook-signature"] = delivery.sign(OTHER)


def signed_in_a_version_of_its_own(delivery: Delivery) -> None:
    delivery.headers["webhook-signature"] += " v2,AAAA"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(tampered, id="tampered"),
        pytest.param(signed_by_another, id="another-secret"),
        pytest.param(signed_in_a_version_of_its_own, id="unknown-version"),
        pytest.param(at(-301), id="too-old"),
        pytest.param(at(302), id="from-the-future"),
        pytest.param(without("webhook-id"), id="no-id"),
        pytest.param(without("webhook-timestamp"), id="no-timestamp"),
        pytest.param(without("webhook-signature"), id="no-signature"),
        pytest.param(with_header("webhook-id", f"evt_{'00' * 16}"), id="another-id"),
        pytest.param(with_header("webhook-timestamp", "now"), id="no-number"),
        pytest.param(with_header("webhook-signature", "v1,*"), id="no-base64"),
        pytest.param(with_header("content-type", "text/plain"), id="no-json"),
        pytest.param(with_header("cookie", "a=b"), id="a-cookie"),
        pytest.param(with_header("authorization", "Bearer a"), id="a-token"),
        pytest.param(with_event(specversion="0.3"), id="another-specification"),
        pytest.param(with_event(type="refresh.begun"), id="an-unknown-type"),
        pytest.param(with_event(time="2026-11-29"), id="no-instant"),
        pytest.param(with_event(subject="ref_2"), id="another-subject"),
        pytest.param(with_event(more=1), id="an-unknown-member"),
        pytest.param(with_event(data={"refresh_id": "ref_1", "a": "x" * 20_000}), id="too-large"),
    ],
)
def test_what_is_not_as_it_must_be_is_refused(
    receiver: ReceiverClient, change: Callable[[Delivery], None]
) -> None:
    delivery = Delivery(EVENT)
    change(delivery)

    answer = delivery.send(receiver)

    (row,) = receiver.deliveries("a")
    assert answer.status_code == 400
    assert answer.json() == {"refused": row["refused"]}
    assert receiver.events("a") == []


def test_it_accepts_nothing_for_an_endpoint_of_which_it_has_no_secret(
    receiver: ReceiverClient,
) -> None:
    assert Delivery(EVENT).send(receiver, "b").status_code == 400


def test_a_fault_can_be_had_with_and_without_the_delivery(receiver: ReceiverClient) -> None:
    receiver.fault(kind="status", path="*/hooks/a", status=429, retry_after="7")
    receiver.fault(kind="status", path="*/hooks/a", status=500, processed=True)
    answers = [Delivery(EVENT).send(receiver) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 500, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert [row["repeated"] for row in receiver.deliveries("a")] == [False, True]


@pytest.mark.parametrize(
    "settings",
    [
        {"secrets": {"a": ["whsec_AAAA"]}},
        {"secrets": {"a": [SECRET.removeprefix("whsec_")]}},
        {"secrets": {"a": ["whsec_*"]}},
        {"public_keys": {"a": f"whpk_{'A' * 40}"}},
        {"public_keys": {"a": SECRET}},
    ],
)
def test_keys_that_are_not_as_the_specification_has_them_are_refused(
    receiver: ReceiverClient, settings: dict[str, Any]
) -> None:
    assert receiver.control("POST", "settings", settings).status_code == 400
