"""digi.me's two kinds of JWT: what we sign, and what of digi.me's we believe."""

from __future__ import annotations

import base64
import hmac
import re
from typing import TYPE_CHECKING, Any

import jwt
import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from functions.connectors.digime.tokens import ALGORITHM, application, keys, random_text, read_key
from functions.connectors.key_sets import COOL_DOWN_SECONDS, KEYS_SECONDS, Keys
from functions.core.errors import ConfigurationInvalid, ProviderUnavailable, UnexpectedAnswer
from tests.support.digime_samples import another, key, pem_of, public_pem_of

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = {
    "base_url": "https://api.example/v1.6",
    "application_id": "app",
    "contract_id": "contract",
    "redirect_uri": "https://app.example/callback",
}
AT = 1_800_000_000.1234


def a_secret(**changes: object) -> bytes:
    return msgspec.json.encode(SECRET | {"private_key": pem_of(key())} | changes)


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, what is signed, and the signature."""
    header, claims, signature = token.split(".")
    return (
        msgspec.json.decode(unpacked(header)),
        msgspec.json.decode(unpacked(claims)),
        f"{header}.{claims}".encode(),
        unpacked(signature),
    )


def unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


# --- ours --------------------------------------------------------------------------------------


def test_a_request_says_exactly_what_is_documented() -> None:
    header, claims, _, _ = parts(application(a_secret()).sign({"access_token": "t"}, at=AT))
    assert header == {"alg": "PS512", "typ": "JWT"}
    nonce = claims.pop("nonce")
    assert re.fullmatch(r"[a-zA-Z0-9]{32}", nonce)
    assert claims == {
        "client_id": "app_contract",
        "redirect_uri": "https://app.example/callback",
        "access_token": "t",
        "timestamp": 1_800_000_000_123,
    }


def test_a_request_is_signed_with_pss_and_a_salt_of_64_bytes() -> None:
    _, _, said, signature = parts(application(a_secret()).sign({}, at=AT))
    public = key().public_key()
    public.verify(signature, said, padding.PSS(padding.MGF1(SHA512()), 64), SHA512())
    with pytest.raises(InvalidSignature):
        public.verify(signature, said, padding.PSS(padding.MGF1(SHA512()), 32), SHA512())


def test_no_claim_can_take_the_place_of_the_nonce_or_the_time() -> None:
    signed = application(a_secret()).sign({"nonce": "mine", "timestamp": "0"}, at=AT)
    claims = parts(signed)[1]
    assert claims["nonce"] != "mine"
    assert claims["timestamp"] == 1_800_000_000_123


def test_every_attempt_has_a_nonce_of_its_own() -> None:
    ours = application(a_secret())
    signed = [parts(ours.sign({}, at=AT))[1]["nonce"] for _ in range(50)]
    assert len(set(signed)) == 50
    assert len({random_text(32) for _ in range(20_000)}) == 20_000


def test_the_key_of_a_secret_is_parsed_once() -> None:
    first = application(a_secret())
    assert application(a_secret()) is first
    assert application(a_secret(contract_id="another")) is not first


def test_an_application_shows_nothing_of_its_key() -> None:
    ours = application(a_secret())
    assert not [line for line in pem_of(key()).splitlines() if line in repr((ours, vars(ours)))]


def ec_pem() -> str:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return pem.decode()


def pkcs8() -> str:
    pem = key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


@pytest.mark.parametrize("pem", [pem_of(key()), pkcs8()], ids=["pkcs1", "pkcs8"])
@pytest.mark.parametrize(
    "pasted",
    [
        pytest.param(lambda pem: pem.replace("\n", "\\n"), id="backslash-n"),
        pytest.param(lambda pem: pem.replace("\n", "\\r\\n"), id="backslash-r-backslash-n"),
        pytest.param(lambda pem: pem.replace("\n", "\\\\n"), id="escaped-twice"),
        pytest.param(lambda pem: pem.replace("\n", "\\\n"), id="continued-lines"),
        pytest.param(lambda pem: pem.replace("\n", "\r\n"), id="crlf"),
        pytest.param(lambda pem: pem.replace("\n", "\r"), id="cr"),
        pytest.param(lambda pem: pem.replace("\n", " "), id="one-line"),
        pytest.param(lambda pem: pem.strip(), id="no-last-break"),
        pytest.param(lambda pem: f" \n\t{pem}\n \n", id="blanks-around"),
        pytest.param(lambda pem: pem.replace("\n", "\n    "), id="indented"),
        pytest.param(lambda pem: f'"{pem}"', id="quoted"),
        pytest.param(lambda pem: f"\ufeff{pem}", id="with-a-byte-order-mark"),
    ],
)
def test_a_key_is_read_as_people_paste_it(pasted: Callable[[str], str], pem: str) -> None:
    signed = application(a_secret(private_key=pasted(pem))).sign({}, at=AT)
    _, _, said, signature = parts(signed)
    pss = padding.PSS(padding.MGF1(SHA512()), 64)
    key().public_key().verify(signature, said, pss, SHA512())


@pytest.mark.parametrize("breaks", [b"\n", b"\r\n"])
def test_a_key_is_read_that_was_pasted_into_the_json_with_its_line_breaks(breaks: bytes) -> None:
    secret = b"\xef\xbb\xbf" + a_secret().replace(b"\\n", breaks)
    assert application(secret).key.private_numbers() == key().private_numbers()


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(lambda: b"", id="empty"),
        pytest.param(lambda: b"[" * 100_000, id="deep"),
        pytest.param(lambda: b"\xff", id="no-text"),
        pytest.param(lambda: b"[]", id="another-shape"),
        pytest.param(lambda: msgspec.json.encode(SECRET), id="no-key"),
        pytest.param(lambda: a_secret(base_url=""), id="no-address"),
        pytest.param(lambda: a_secret(redirect_uri=None), id="no-redirect"),
        pytest.param(lambda: a_secret(private_key="key"), id="no-pem"),
        pytest.param(lambda: a_secret(private_key=public_pem_of(key())), id="a-public-key"),
        pytest.param(lambda: a_secret(private_key=ec_pem()), id="another-kind"),
        pytest.param(lambda: a_secret(private_key=pem_of(another(1024))), id="too-small"),
        pytest.param(lambda: a_secret(private_key=pem_of(key())[:-400]), id="cut"),
    ],
)
def test_a_secret_that_is_not_whole_is_a_fault_of_the_configuration(
    secret: Callable[[], bytes],
) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        application(secret())
    assert str(caught.value) == ConfigurationInvalid.text


# --- digi.me's ---------------------------------------------------------------------------------


class Said(msgspec.Struct):
    word: str


SOUND = {"kid": "k1", "pem": public_pem_of(key())}


def no_keys() -> Keys:
    """As a process begins."""
    return Keys(ALGORITHM, read_key)


class Published:
    """The keys at the pinned address; counts how often they are read."""

    def __init__(self, *published: object) -> None:
        self.keys = [msgspec.Raw(msgspec.json.encode(each)) for each in published or (SOUND,)]
        self.read, self.away = 0, False

    def __call__(self) -> list[msgspec.Raw]:
        self.read += 1
        if self.away:
            raise ProviderUnavailable
        return self.keys


def token(word: str = "sound", **headers: Any) -> str:
    return jwt.encode({"word": word}, key(), "PS512", {"kid": "k1", **headers})


def believed(signed: str, published: Published, *, kept: Keys | None = None, at: float = AT) -> str:
    return (kept or no_keys()).claims(signed, Said, fetch=published, at=at).word


def test_what_digi_me_has_signed_is_believed() -> None:
    assert believed(token(), Published()) == "sound"


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_where_a_token_says_its_key_is_makes_no_difference(name: str) -> None:
    values = {"jwk": jwt.algorithms.RSAAlgorithm.to_jwk(another(2048).public_key(), as_dict=True)}
    headers: dict[str, Any] = {name: values.get(name, "https://evil.example/keys")}
    assert believed(token(**headers), Published()) == "sound"
    forged = jwt.encode({"word": "evil"}, another(2048), "PS512", {"kid": "k1", **headers})
    with pytest.raises(UnexpectedAnswer):
        believed(forged, Published())


def hs256() -> str:
    """Keyed with the public key's text, which PyJWT itself refuses to do."""
    said = f"{packed({'alg': 'HS256', 'typ': 'JWT', 'kid': 'k1'})}.{packed({'word': 'evil'})}"
    mac = hmac.digest(public_pem_of(key()).encode(), said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def unsigned(alg: str) -> str:
    return f"{packed({'alg': alg, 'typ': 'JWT', 'kid': 'k1'})}.{packed({'word': 'evil'})}."


def with_salt(length: int) -> str:
    said = token().rpartition(".")[0]
    pss = padding.PSS(padding.MGF1(SHA512()), length)
    signature = key().sign(said.encode(), pss, SHA512())
    return f"{said}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_the_salt_of_digi_me_s_signature_is_64_bytes_long() -> None:
    assert believed(with_salt(64), Published()) == "sound"


@pytest.mark.parametrize(
    "signed",
    [
        pytest.param(lambda: unsigned("none"), id="none"),
        pytest.param(lambda: unsigned("None"), id="none-in-capitals"),
        pytest.param(lambda: unsigned("PS512"), id="no-signature"),
        pytest.param(hs256, id="hs256-with-the-public-key"),
        pytest.param(lambda: jwt.encode({"word": "x"}, key(), "RS512", {"kid": "k1"}), id="rs512"),
        pytest.param(lambda: jwt.encode({"word": "x"}, key(), "PS256", {"kid": "k1"}), id="ps256"),
        pytest.param(lambda: with_salt(32), id="another-salt"),
        pytest.param(lambda: token()[:-8], id="cut"),
        pytest.param(lambda: token().replace(".", ".e", 1), id="changed"),
        pytest.param(lambda: token(kid="k2"), id="unknown-kid"),
        pytest.param(lambda: jwt.encode({"word": "x"}, key(), "PS512"), id="no-kid"),
        pytest.param(lambda: token(crit=["b64"], b64=False), id="critical"),
        pytest.param(lambda: "", id="empty"),
        pytest.param(lambda: "a.b", id="two-parts"),
        pytest.param(lambda: "\u00e9.\u00e9.\u00e9", id="not-ascii"),
        pytest.param(lambda: jwt.encode({"w": 1}, key(), "PS512", {"kid": "k1"}), id="claims"),
    ],
)
def test_what_digi_me_has_not_signed_so_is_outside_the_contract(
    signed: Callable[[], str],
) -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        believed(signed(), Published())
    assert str(caught.value) == UnexpectedAnswer.text


UNUSABLE = [
    pytest.param(SOUND | {"pem": "no pem"}, id="no-pem"),
    pytest.param(SOUND | {"pem": None}, id="pem-null"),
    pytest.param(SOUND | {"pem": 5}, id="pem-a-number"),
    pytest.param({"kid": "k1"}, id="pem-absent"),
    pytest.param({"pem": SOUND["pem"]}, id="kid-absent"),
    pytest.param(SOUND | {"kid": None}, id="kid-null"),
    pytest.param(SOUND | {"kty": "EC"}, id="kty"),
    pytest.param(SOUND | {"use": "enc"}, id="use"),
    pytest.param(SOUND | {"use": []}, id="use-a-list"),
    pytest.param(SOUND | {"alg": "RS256"}, id="alg"),
    pytest.param(SOUND | {"pem": pem_of(key())}, id="a-private-key"),
    pytest.param(SOUND | {"pem": public_pem_of(another(1024))}, id="too-small"),
    pytest.param(None, id="null"),
    pytest.param("k1", id="a-text"),
    pytest.param([SOUND], id="a-list"),
]


@pytest.mark.parametrize("published", UNUSABLE)
def test_a_published_key_that_is_not_for_this_is_no_key(published: object) -> None:
    with pytest.raises(UnexpectedAnswer):
        believed(token(), Published(published))
    with pytest.raises(UnexpectedAnswer):
        no_keys().warm(Published(published), at=AT)


@pytest.mark.parametrize("unusable", UNUSABLE)
def test_a_published_key_that_is_none_costs_only_itself(unusable: object) -> None:
    for published in (Published(unusable, SOUND), Published(SOUND, unusable)):
        assert believed(token(), published) == "sound"
        for forged in (hs256(), unsigned("none"), token(kid="None"), token(kid="k2")):
            with pytest.raises(UnexpectedAnswer):
                believed(forged, published)


@pytest.mark.parametrize("name", ["kty", "use", "alg"])
def test_what_a_published_key_leaves_unsaid_it_may_say_with_null(name: str) -> None:
    assert believed(token(), Published(SOUND | {name: None})) == "sound"


def test_keys_that_are_known_do_where_what_is_published_has_none() -> None:
    kept, published = no_keys(), Published()
    kept.warm(published, at=AT)
    published.keys = []
    kept.warm(published, at=AT + KEYS_SECONDS)
    assert believed(token(), published, kept=kept, at=AT + KEYS_SECONDS) == "sound"


def test_the_keys_are_read_again_after_a_quarter_of_an_hour() -> None:
    kept, published = no_keys(), Published()
    for seconds, times in ((0, 1), (KEYS_SECONDS - 1, 1), (KEYS_SECONDS, 2)):
        kept.warm(published, at=AT + seconds)
        assert published.read == times


def test_old_keys_do_where_new_ones_cannot_be_had() -> None:
    kept, published = no_keys(), Published()
    kept.warm(published, at=AT)
    published.away = True
    kept.warm(published, at=AT + 10 * KEYS_SECONDS)
    assert believed(token(), published, kept=kept, at=AT + 10 * KEYS_SECONDS) == "sound"


def test_without_any_keys_digi_me_is_away() -> None:
    published = Published()
    published.away = True
    with pytest.raises(ProviderUnavailable):
        no_keys().warm(published, at=AT)


def test_a_flood_of_strange_keys_asks_once_in_a_while() -> None:
    kept, published = no_keys(), Published()
    kept.warm(published, at=AT)
    for number in range(200):
        with pytest.raises(UnexpectedAnswer):
            believed(token(kid=f"k-{number}"), published, kept=kept, at=AT + number)
    assert published.read == 1 + (200 - 1) // COOL_DOWN_SECONDS
    assert believed(token(), published, kept=kept, at=AT + 200) == "sound"


def test_a_process_keeps_the_keys_of_each_address_apart() -> None:
    assert keys("https://one.example") is keys("https://one.example")
    assert keys("https://one.example") is not keys("https://two.example")
