from __future__ import annotations

import base64
import hmac

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.structs import replace

from functions.aws.vault import Vault
from functions.core.delivery.model import Endpoint, SealedSecret
from functions.core.errors import InvalidRequest
from functions.outbound.sign import Keyring, SigningKeys, make_keys
from tests.support.fakes.kms import FakeKms, kms

NOW = 1_700_000_000.75
ENDPOINT = Endpoint(endpoint_id="end_1", tenant="acme", url="https://a.example", created_at=NOW)
CONTENT = b'evt_1.1700000000.{"a":"\xc3\xbc"}'
BODY = b'{"a":"\xc3\xbc"}'


class Signing:
    def __init__(self) -> None:
        self.kms = FakeKms()
        self.keyring = Keyring(Vault(kms(self.kms), key="key"))

    def endpoint(self, *keys: SigningKeys, until: float = 0) -> Endpoint:
        """The first of the keys is in use without end, the others until then."""
        sealed = [
            SealedSecret(
                sealed=self.keyring.seal(each, tenant="acme", endpoint_id="end_1"),
                until=until if place else 0,
            )
            for place, each in enumerate(keys)
        ]
        return replace(ENDPOINT, secrets=tuple(sealed))

    def signatures(self, endpoint: Endpoint) -> list[str]:
        headers = self.keyring.sign(endpoint, event_id="evt_1", body=BODY, at=NOW)
        assert set(headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
        assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("evt_1", "1700000000")
        return headers["webhook-signature"].split(" ")


@pytest.fixture
def signing() -> Signing:
    return Signing()


def shared(keys: SigningKeys) -> str:
    mac = hmac.new(keys.secret, CONTENT, "sha256").digest()
    return f"v1,{base64.b64encode(mac).decode()}"


def test_the_secret_signs_id_time_and_body(signing: Signing) -> None:
    keys = make_keys(asymmetric=False)

    assert signing.signatures(signing.endpoint(keys)) == [shared(keys)]
    assert keys.public_key == ""


def test_an_asymmetric_signature_stands_beside_it_and_verifies_by_the_public_key(
    signing: Signing,
) -> None:
    keys = make_keys(asymmetric=True)

    first, second = signing.signatures(signing.endpoint(keys))

    assert first == shared(keys)
    signature = base64.b64decode(second.removeprefix("v1a,"))
    public = Ed25519PublicKey.from_public_bytes(
        base64.b64decode(keys.public_key.removeprefix("whpk_"))
    )
    public.verify(signature, CONTENT)
    with pytest.raises(InvalidSignature):
        public.verify(signature, CONTENT + b" ")


def test_each_secret_that_is_in_use_signs_the_newest_first(signing: Signing) -> None:
    new, old = make_keys(asymmetric=False), make_keys(asymmetric=False)

    during = signing.signatures(signing.endpoint(new, old, until=NOW + 1))
    after = signing.signatures(signing.endpoint(new, old, until=NOW))

    assert during == [shared(new), shared(old)]
    assert after == [shared(new)]


def test_a_key_is_opened_once(signing: Signing) -> None:
    endpoint = signing.endpoint(make_keys(asymmetric=False))

    assert signing.signatures(endpoint) == signing.signatures(endpoint)
    assert signing.kms.opened == 1


@pytest.mark.parametrize("change", [{"tenant": "other"}, {"endpoint_id": "end_2"}])
def test_keys_moved_to_another_endpoint_do_not_open(
    signing: Signing, change: dict[str, str]
) -> None:
    moved = replace(signing.endpoint(make_keys(asymmetric=False)), **change)

    with pytest.raises(PermissionError):
        signing.signatures(moved)


@pytest.mark.parametrize("length", [24, 32, 64])
def test_an_application_may_bring_its_own_secret(length: int) -> None:
    text = "whsec_" + base64.b64encode(bytes(range(length))).decode()

    keys = make_keys(asymmetric=False, secret=text)

    assert keys.secret == bytes(range(length))
    assert keys.shared_secret == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        base64.b64encode(bytes(32)).decode(),
        "whsec_" + base64.b64encode(bytes(32)).decode().rstrip("="),
        "whsec_" + base64.b64encode(bytes(32)).decode() + "\n",
        "whsec_" + "-_" * 20,
        "whsec_ü" + base64.b64encode(bytes(32)).decode(),
    ],
)
def test_a_secret_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="24 to 64 random bytes in base64"):
        make_keys(asymmetric=False, secret=text)


def test_made_keys_differ_and_show_nothing_of_themselves() -> None:
    one, other = make_keys(asymmetric=True), make_keys(asymmetric=True)

    assert len({one.secret, other.secret, one.private_key, other.private_key}) == 4
    assert (len(one.secret), len(one.private_key)) == (32, 32)
    assert repr(one) == "SigningKeys()"
