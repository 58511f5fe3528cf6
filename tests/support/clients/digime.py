"""A client of the digi.me simulator, written from digi.me's documents, for the tests to use."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import secrets
import time
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)

from infra.local.simulators.digime import create_app
from infra.local.simulators.digime.sharing import facts
from infra.local.simulators.server import serve
from tests.support.simulator_control import SimulatorControl

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

REDIRECT_URI = "http://127.0.0.1:8123/callback"
VERIFIER = "a-verifier-of-the-tests-that-is-long-enough-43"
TIMEOUT = 15
OAEP = padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)  # noqa: S303 - the provider's format
BROTLI = import_module("brotli")  # brotli has no type stubs

Json = dict[str, Any]


class Clock:
    """A clock that goes only where it is put, so that each moment of a refresh can be seen."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class OpenError(Exception):
    """An envelope that is not sound."""


@dataclass(frozen=True)
class File:
    """A file as it was downloaded and opened."""

    told: Json
    content: bytes

    @property
    def metadata(self) -> Json:
        metadata: Json = self.told["metadata"]
        return metadata

    @property
    def objects(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Tokens:
    """The claims of a token reply's JWT."""

    claims: Json

    @property
    def access(self) -> str:
        return str(self.claims["access_token"]["value"])

    @property
    def refresh(self) -> str:
        return str(self.claims["refresh_token"]["value"])


class DigimeClient(SimulatorControl):
    """An application with its contract, seen from outside of digi.me."""

    def __init__(self, base_url: str, clock: Clock) -> None:
        told = facts(base_url)
        super().__init__(base_url)
        self.clock = clock
        self.api = str(told["api_base"])
        self.web = str(told["web_client"])
        self.contract_id = str(told["contract_id"])
        self.client_id = f"{told['application_id']}_{self.contract_id}"
        key = load_pem_private_key(str(told["private_key"]).encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self.key = key

    def to_push(self) -> DigimeClient:
        """The same application under its contract to push."""
        told = facts(self.base_url)
        other = copy(self)
        other.client_id = f"{told['application_id']}_{told['push_contract_id']}"
        key = load_pem_private_key(str(told["push_private_key"]).encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        other.key = key
        return other

    def claims(self, **changes: object) -> Json:
        """The claims of every request, with changes; None leaves one out."""
        claims: Json = {
            "client_id": self.client_id,
            "nonce": secrets.token_hex(16),
            "redirect_uri": REDIRECT_URI,
            "timestamp": int(self.clock() * 1000),
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims: Json) -> str:
        return jwt.encode(claims, self.key, "PS512")

    def send(
        self, method: str, path: str, token: str, body: object = None, **headers: str
    ) -> requests.Response:
        sent = {"Authorization": f"Bearer {token}", "Accept": "application/json", **headers}
        url = f"{self.api}{path}"
        return self.http.request(method, url, json=body, headers=sent, timeout=TIMEOUT)

    def post(self, path: str, body: object = None, **claims: object) -> requests.Response:
        return self.send("POST", path, self.sign(self.claims(**claims)), body)

    def authorize(self, body: object = None, **changes: object) -> requests.Response:
        claims = {
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "response_mode": "query",
            "response_type": "code",
            "state": "a-state",
            **changes,
        }
        return self.post("oauth/authorize", body, **claims)

    def visit(self, page: str, **query: str) -> dict[str, str]:
        """Sends the user to the web client; what comes back to the callback."""
        answer = self.http.get(
            f"{self.web}{page}", params=query, allow_redirects=False, timeout=TIMEOUT
        )
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    def code(self, user: str = "ada") -> str:
        preauthorised = self.opened(self.authorize())["preauthorization_code"]
        return self.visit("authorize", code=preauthorised, callback=REDIRECT_URI, user=user)["code"]

    def redeem(self, code: str, **changes: object) -> requests.Response:
        claims = {"grant_type": "authorization_code", "code_verifier": VERIFIER, **changes}
        return self.post("oauth/token", code=code, **claims)

    def refresh(self, refresh_token: str) -> requests.Response:
        return self.post("oauth/token", grant_type="refresh_token", refresh_token=refresh_token)

    def connect(self, user: str = "ada") -> Tokens:
        return Tokens(self.opened(self.redeem(self.code(user))))

    def opened(self, answer: requests.Response) -> Json:
        """The claims of a response token, verified with the key that digi.me publishes."""
        assert answer.ok, answer.text
        token = answer.json()["token"]
        kid = jwt.get_unverified_header(token)["kid"]
        keys = self.http.get(f"{self.api}jwks/oauth", timeout=TIMEOUT).json()["keys"]
        pem = next(key["pem"] for key in keys if key["kid"] == kid)
        claims: Json = jwt.decode(token, pem, ["PS512"])
        return claims

    def trigger(self, access_token: str, body: object = None, **more: object) -> requests.Response:
        claims = {"access_token": access_token, **more}
        return self.post("permission-access/trigger", body, **claims)

    def session(self, access_token: str, body: object = None) -> str:
        answer = self.trigger(access_token, body)
        assert answer.ok, answer.text
        key: str = answer.json()["session"]["key"]
        return key

    def push(
        self,
        postbox: dict[str, str],
        content: bytes,
        described: Json,
        *,
        access_token: str | None = None,
        claims: Json | None = None,
    ) -> requests.Response:
        """Pushes as the Node SDK does: one key and vector for the content and its description."""
        secret, vector = secrets.token_bytes(32), secrets.token_bytes(16)
        public = load_pem_public_key(postbox["publicKey"].encode())
        assert isinstance(public, rsa.RSAPublicKey)
        said = self.claims(
            access_token=access_token,
            iv=vector.hex(),
            metadata=b64(encrypt(json.dumps(described).encode(), secret, vector)),
            symmetrical_key=b64(public.encrypt(secret, OAEP)),
        )
        return self.http.post(
            f"{self.api}permission-access/postbox/{postbox['postboxId']}",
            headers={
                "Authorization": f"Bearer {self.sign(said | (claims or {}))}",
                "Accept": "application/json",
            },
            files={"file": ("receipt.json", encrypt(content, secret, vector))},
            timeout=TIMEOUT,
        )

    def list(self, session: str) -> requests.Response:
        url = f"{self.api}permission-access/query/{session}"
        return self.http.get(url, headers={"Accept": "application/json"}, timeout=TIMEOUT)

    def download(self, session: str, name: str) -> requests.Response:
        url = f"{self.api}permission-access/query/{session}/{name}"
        accept = {"Accept": "application/octet-stream"}
        return self.http.get(url, headers=accept, timeout=TIMEOUT)

    def read(self, session: str, name: str) -> File:
        answer = self.download(session, name)
        assert answer.status_code == 200, answer.text
        told = metadata_of(answer)
        payload = open_envelope(answer.content, self.key)
        match told.get("compression"):
            case "gzip":
                payload = gzip.decompress(payload)
            case "brotli":
                payload = BROTLI.decompress(payload)
        return File(told, payload)


def metadata_of(answer: requests.Response) -> Json:
    text = answer.headers["x-metadata"]
    told: Json = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return told


def open_envelope(sealed: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """The payload; digi.me's rules for size, key, padding and hash."""
    if len(sealed) < 352 or len(sealed) % 16:
        raise OpenError("size not valid")
    try:
        secret = key.decrypt(sealed[:256], OAEP)
    except ValueError:
        raise OpenError("key not ours") from None
    if len(secret) != 32:
        raise OpenError("key of another length")
    decryptor = Cipher(algorithms.AES(secret), modes.CBC(sealed[256:272])).decryptor()
    plain = decryptor.update(sealed[272:]) + decryptor.finalize()
    gap = plain[-1]
    if not 1 <= gap <= 16 or plain[-gap:] != bytes([gap]) * gap:
        raise OpenError("padding not valid")
    digest, payload = plain[:64], plain[64:-gap]
    if hashlib.sha512(payload).digest() != digest:
        raise OpenError("hash not valid")
    return payload


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def encrypt(content: bytes, secret: bytes, vector: bytes) -> bytes:
    gap = 16 - len(content) % 16
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(vector)).encryptor()
    return encryptor.update(content + bytes([gap]) * gap) + encryptor.finalize()


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_error(answer: requests.Response, status: int, code: str) -> bool:
    """True if this is digi.me's error object, in the body and in the headers alike."""
    error = answer.json()["error"]
    headers = {name: answer.headers[f"X-Error-{name.title()}"] for name in error}
    return (
        answer.status_code == status
        and set(error) == {"code", "message", "reference"}
        and error["code"] == code
        and headers == error
    )


@contextmanager
def open_digime() -> Iterator[DigimeClient]:
    """A simulator of its own, with a clock that stands still until it is put on."""
    clock = Clock()
    with serve(create_app(clock=clock)) as base_url:
        application = DigimeClient(base_url, clock)
        with application.http:
            yield application
