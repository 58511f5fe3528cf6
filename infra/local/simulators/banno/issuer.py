"""The authorization server's names for itself: keys, scopes, proofs (DPoP), discovery document."""

from __future__ import annotations

import base64
import hashlib
import math
import threading
import uuid
from contextlib import suppress
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import request
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from infra.local.simulators.oauth import sign_with_text

if TYPE_CHECKING:
    from collections.abc import Callable

Algorithm: TypeAlias = Literal["ES256", "PS256", "RS256"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
"""With which an id token may be signed, in the order of a live tenant's discovery document."""
ALGORITHM: Algorithm = "ES256"


class Flaw(StrEnum):
    """A flaw of an id token; a client that accepts one of these can be deceived.

    `iss`, `aud`, `nonce` and `sub` are another's; `azp` names the right client among others, and
    another as the authorized one; `no_...` lacks the claim. `expired` and `future` are of another
    hour. `alg_none` and `hs256`, keyed with the public key's text, are unsigned in effect; `rs256`
    is by the published RSA key; `forged` is by a key that is not published; `unknown_kid` names
    no key. `step` has a subject that leads out of its place in an address, `large` is over 16 kB.
    """

    NONE = "none"
    ISS = "iss"
    AUD = "aud"
    AZP = "azp"
    NONCE = "nonce"
    NO_NONCE = "no_nonce"
    NO_SUB = "no_sub"
    STEP = "step"
    EXPIRED = "expired"
    FUTURE = "future"
    LARGE = "large"
    ALG_NONE = "alg_none"
    HS256 = "hs256"
    RS256 = "rs256"
    FORGED = "forged"
    UNKNOWN_KID = "unknown_kid"


_HOUR = 3600


def spoil(claims: dict[str, object], flaw: Flaw) -> dict[str, object]:
    """The claims of an id token with a flaw of theirs."""
    hours = {Flaw.EXPIRED: -_HOUR, Flaw.FUTURE: _HOUR}.get(flaw, 0)
    moved = {name: int(str(claims[name])) + hours for name in ("iat", "exp")}
    changed: dict[Flaw, dict[str, object]] = {
        Flaw.ISS: {"iss": "https://elsewhere.example"},
        Flaw.AUD: {"aud": "another"},
        Flaw.AZP: {"aud": [str(claims["aud"]), "another"], "azp": "another"},
        Flaw.NONCE: {"nonce": "another"},
        Flaw.STEP: {"sub": ".."},
        Flaw.LARGE: {"padding": "x" * 16_384},
    }
    absent = {Flaw.NO_NONCE: "nonce", Flaw.NO_SUB: "sub"}.get(flaw)
    spoilt = {**claims, **moved, **changed.get(flaw, {})}
    return {name: value for name, value in spoilt.items() if name != absent}


class Signer:
    """Signs tokens with a P-256 key or an RSA key, both published as a JWKS."""

    def __init__(self) -> None:
        """Makes the P-256 key; the other is made when it is asked for, as that takes a while."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._kid, self._rsa_kid = str(uuid.uuid4()), str(uuid.uuid4())

    @cached_property
    def _rsa(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(
        self,
        claims: dict[str, object],
        *,
        type_: str = "JWT",
        algorithm: Algorithm = ALGORITHM,
        flaw: Flaw = Flaw.NONE,
    ) -> str:
        """The claims as a compact JWT that names its key."""
        if flaw is Flaw.RS256:
            algorithm = "RS256"
        elliptic = algorithm == ALGORITHM
        headers = {"kid": self._kid if elliptic else self._rsa_kid, "typ": type_}
        key = self._key if elliptic else self._rsa
        match flaw:
            case Flaw.ALG_NONE:
                return jwt.encode(claims, "", "none", headers)
            case Flaw.HS256:
                public = key.public_key().public_bytes(
                    Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
                )
                return sign_with_text(claims, public.decode(), headers=headers)
            case Flaw.FORGED:
                key = ec.generate_private_key(ec.SECP256R1())
                algorithm = ALGORITHM
            case Flaw.UNKNOWN_KID:
                headers["kid"] = str(uuid.uuid4())
        return jwt.encode(claims, key, algorithm, headers)

    def jwks(self) -> dict[str, object]:
        """The public keys as a JSON Web Key Set; the RSA key is for both of its algorithms."""
        key = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        other = RSAAlgorithm.to_jwk(self._rsa.public_key(), as_dict=True)
        del other["key_ops"]
        return {
            "keys": [
                {**key, "kid": self._kid, "alg": ALGORITHM, "use": "sig"},
                {**other, "kid": self._rsa_kid, "use": "sig"},
            ]
        }


_WINDOW_SECONDS = 300
PROOF_ALGORITHMS = ("PS256", "PS384", "ES256", "ES256K", "ES384", "ES512", "EdDSA")
"""With which a proof may be signed, as a live tenant's discovery document lists them."""
_MEMBERS = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}
"""What of a key its thumbprint is of, in this order (RFC 7638 §3.2, RFC 8037)."""


class ProofError(Exception):
    """The request's DPoP proof is not good."""


class Proofs:
    """The proofs seen so far: each is good once, and for five minutes around its time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Starts with none; `clock` tells the seconds since 1970."""
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: set[str] = set()

    def accept(self, jti: str, issued: float) -> None:
        """Takes a proof for the first time.

        Raises:
            ProofError: it is stale, or has been seen.
        """
        with self._lock:
            if abs(self._clock() - issued) > _WINDOW_SECONDS or jti in self._seen:
                raise ProofError("stale or used")
            self._seen.add(jti)


def thumbprint(proofs: Proofs, *, token: str | None = None) -> str | None:
    """The thumbprint of the key that the current request proves; None without a proof.

    Args:
        proofs: those seen before.
        token: the access token that the proof must name, on calls that carry one.

    Raises:
        ProofError: there is a proof, and it is not good for this request.
    """
    proof = request.headers.get("DPoP")
    if proof is None:
        return None
    try:
        key, algorithm = _key(proof)
        claims = jwt.decode(
            proof,
            jwt.PyJWK(key, algorithm=algorithm),
            algorithms=[algorithm],
            options={"require": ["jti", "htm", "htu", "iat"], "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as problem:
        raise ProofError("not a proof") from problem
    expected = (request.method, request.base_url, token and _hash(token.encode()))
    if (claims["htm"], claims["htu"], claims.get("ath")) != expected:
        raise ProofError("for another request")
    if not claims["jti"]:
        raise ProofError("without an id")
    proofs.accept(claims["jti"], _instant(claims["iat"]))
    return _hash(msgspec.json.encode({name: key[name] for name in _MEMBERS[key["kty"]]}))


def _key(proof: str) -> tuple[dict[str, str], str]:
    """The public key that a proof carries, and the algorithm with which it says it is signed."""
    header = jwt.get_unverified_header(proof)
    key, algorithm = header.get("jwk"), header.get("alg")
    if header.get("typ") != "dpop+jwt" or not isinstance(key, dict) or "d" in key:
        raise ProofError("without its key")
    if algorithm not in PROOF_ALGORITHMS or key.get("kty") not in _MEMBERS:
        raise ProofError("by an algorithm that is not listed")
    return key, algorithm


def _instant(value: object) -> float:
    """A NumericDate: a finite JSON number (RFC 7519 §2)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if math.isfinite(value):
                return value
    raise ProofError("iat is not a number")


def _hash(text: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()


_PREFIX = "https://api.banno.com/consumer/auth/"
OPENID = ("openid",)
ACCOUNTS = (f"{_PREFIX}accounts.readonly", f"{_PREFIX}accounts.readwrite")
TRANSACTIONS = (f"{_PREFIX}transactions.detail.readonly",)
PROFILE = (f"{_PREFIX}user.profile.readonly",)
OFFLINE = f"{_PREFIX}offline_access"
_STANDARD = ("openid", "profile", "email", "address", "phone")
SUPPORTED = (*_STANDARD, OFFLINE, *ACCOUNTS, *TRANSACTIONS, *PROFILE)
INSTITUTION_CLAIM = "https://api.banno.com/consumer/claim/institution_id"
CLAIMS_OF = {
    "profile": ("name", "given_name", "family_name"),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
"""The claims that a scope asks for (OpenID Connect Core 1.0 §5.4)."""
CLAIMS = (*(claim for claims in CLAIMS_OF.values() for claim in claims), INSTITUTION_CLAIM)

SECURITY_LEVELS = tuple(
    f"https://api.banno.com/consumer/security-level/{level}"
    for level in ("standard", "enhanced", "high", "restricted")
)


def is_scope(scope: str) -> bool:
    """True if Banno could grant this: a standard scope, or any below its own prefix.

    The list of Banno's scopes grows, and a client may ask for more than the simulator serves.
    """
    return scope in _STANDARD or (scope.startswith(_PREFIX) and scope != _PREFIX)


API_PATH = "/a/consumer/api/v0"
_CLIENT_AUTHENTICATION = ["client_secret_basic", "client_secret_post", "none"]


def api_base(origin: str) -> str:
    """The base URL of the Consumer API at an origin such as `http://127.0.0.1:9001`."""
    return f"{origin}{API_PATH}"


def issuer_of(origin: str) -> str:
    """The issuer identifier at an origin."""
    return f"{api_base(origin)}/oidc"


def origin() -> str:
    """The origin that the current request was sent to."""
    return request.host_url.rstrip("/")


def discovery(*, tells_iss: bool) -> dict[str, object]:
    """The provider's metadata, as OpenID Connect Discovery 1.0 lays it out.

    Args:
        tells_iss: whether an authorization's answer says who gives it.
    """
    issuer = issuer_of(origin())
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/auth",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/me",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint": f"{issuer}/token/introspection",
        "revocation_endpoint": f"{issuer}/token/revocation",
        "pushed_authorization_request_endpoint": f"{issuer}/request",
        "end_session_endpoint": f"{issuer}/logout",
        "scopes_supported": list(SUPPORTED),
        "claims_supported": ["sub", *CLAIMS],
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "authorization_response_iss_parameter_supported": tells_iss,
        "acr_values_supported": list(SECURITY_LEVELS),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "introspection_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "revocation_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "dpop_signing_alg_values_supported": list(PROOF_ALGORITHMS),
    }
