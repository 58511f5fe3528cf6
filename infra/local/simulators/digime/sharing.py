"""The simulated digi.me as a whole, what it has for a demo, and the endpoints of its switches."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import msgspec
from flask import Blueprint, current_app, request
from werkzeug.wrappers import Response

from infra.local.simulators.application import PROVIDER
from infra.local.simulators.control import PREFIX, refuse_body
from infra.local.simulators.digime.contract import Signer, the_contract, the_write_contract
from infra.local.simulators.digime.grants import Grants, Tokens
from infra.local.simulators.digime.library import Postboxes
from infra.local.simulators.digime.people import PEOPLE, SERVICES, person
from infra.local.simulators.digime.sessions import Sessions
from infra.local.simulators.digime.settings import Settings
from infra.local.simulators.oauth import challenge_of
from infra.local.simulators.replies import reply
from infra.local.simulators.settings import Provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.simulators.digime.people import Person
    from infra.local.simulators.ledger import Ledger

API_PATH = "/v1.6"
WEB_CLIENT_PATH = "/apps/saas"


class Nonces:
    """Which nonces there were; the vendor's own test server refuses each a second time."""

    def __init__(self) -> None:
        """Starts with none."""
        self._lock = threading.Lock()
        self._spent: set[str] = set()

    def spend(self, nonce: str) -> bool:
        """Spend a nonce; True if it was new."""
        with self._lock:
            new = nonce not in self._spent
            self._spent.add(nonce)
        return new

    def clear(self) -> None:
        """Forgets all."""
        with self._lock:
            self._spent.clear()


class Sharing(Provider[Settings]):
    """Everything that the endpoints share."""

    def __init__(self, *, clock: Callable[[], float], ledger: Ledger) -> None:
        """Opens for business; `clock` tells the seconds since 1970."""
        self.clock, self.ledger = clock, ledger
        self.contract = the_contract()
        self.settings = Settings()
        self.signer = Signer()
        self.nonces = Nonces()
        self.grants = Grants(clock)
        self.tokens = Tokens(lambda: self.settings, clock=clock)
        self.postboxes = Postboxes(clock)
        self.sessions = Sessions(
            lambda: self.settings,
            clock=clock,
            ledger=ledger,
            pushed=lambda person: self.postboxes.of(person).files,
        )

    def reset(self) -> None:
        """Puts everything back to the beginning, but for the keys."""
        self.settings = Settings()
        self.nonces.clear()
        self.grants.clear()
        self.tokens.clear()
        self.postboxes.clear()
        self.sessions.clear()

    def tell_status(self, response: Response) -> Response:
        """The API's answer with what its header says of the API's own status, if anything."""
        status = self.settings.sdk_status
        if status is not None and request.path.startswith(API_PATH):
            response.headers["x-digi-sdk-status"] = status
            response.headers["x-digi-sdk-status-message"] = "Please look at our announcements."
        return response

    def sign(self, claims: dict[str, object]) -> str:
        """A response token, as sound as the settings have it."""
        jku = f"{request.host_url.rstrip('/')}{API_PATH}/jwks/oauth"
        settings = self.settings
        return self.signer.sign(claims, jku=settings.evil_jku or jku, flaw=settings.token_flaw)


def the_sharing() -> Sharing:
    """The one that the current request is about."""
    return cast("Sharing", current_app.extensions[PROVIDER])


switches = Blueprint("switches", __name__, url_prefix=PREFIX)
switches.register_error_handler(msgspec.DecodeError, refuse_body)


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user: str


@switches.post("/revoke")
def revoke_refresh_tokens() -> Response:
    """Makes all refresh tokens of a user void, as if consent had been withdrawn."""
    user = _user()
    dropped = the_sharing().tokens.drop("refresh", person=user)
    return reply({"user": user.name, "refresh_tokens": dropped})


@switches.post("/expire")
def expire_access_tokens() -> Response:
    """Makes all access tokens of a user expire now."""
    user = _user()
    dropped = the_sharing().tokens.drop("access", person=user)
    return reply({"user": user.name, "access_tokens": dropped})


@switches.post("/expire_sessions")
def expire_sessions() -> Response:
    """Makes all sessions of a user expire now."""
    user = _user()
    return reply({"user": user.name, "sessions": the_sharing().sessions.drop(user)})


class _Pushed(_Named, frozen=True, forbid_unknown_fields=True):
    name: str
    content: str
    mimetype: str = "application/json"


@switches.post("/push")
def push() -> Response:
    """Puts a file into a user's postbox, as an application with a contract to push does."""
    given = msgspec.json.decode(request.get_data(), type=_Pushed)
    user, boxes = _find_person(given.user), the_sharing().postboxes
    described = {"mimetype": given.mimetype, "accounts": [{"accountid": user.id}]}
    content = given.content.encode()
    pushed = boxes.push(boxes.of(user), given.name, content, described=described)
    return reply({"user": user.name, "name": pushed.name})


@switches.post("/rotate_keys")
def rotate_keys() -> Response:
    """Makes digi.me sign with a new key; the one before the last is forgotten."""
    the_sharing().signer.rotate()
    return reply({"keys": the_sharing().signer.jwks()})


@switches.get("/private_key")
def read_private_key() -> Response:
    """The demo contract's private key in PEM, for trying things out from a shell."""
    return Response(the_sharing().contract.private_key_pem, content_type="application/x-pem-file")


def _user() -> Person:
    return _find_person(msgspec.json.decode(request.get_data(), type=_Named).user)


def _find_person(name: str) -> Person:
    user = person(name)
    if user is None:
        raise msgspec.ValidationError("no such user")
    return user


_VERIFIER = "a-verifier-for-trying-things-out-by-hand-0123456789"
_HEADER = '{"alg":"PS512","typ":"JWT"}'
_SIGN = "openssl dgst -sha512 -sign $KEY -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64"
_AUTHORIZE = (
    '"response_type":"code","response_mode":"query","state":"s1",'
    f'"code_challenge_method":"S256","code_challenge":"{challenge_of(_VERIFIER)}"'
)
_REDEEM = f'"grant_type":"authorization_code","code_verifier":"{_VERIFIER}","code":"'
_TRIGGER = '"access_token":"'


def facts(base_url: str) -> dict[str, object]:
    """The facts about a simulator served at a base address, by name; `try` are shell lines."""
    contract = the_contract()
    return {
        "base_url": base_url,
        "api_base": f"{base_url}{API_PATH}/",
        "web_client": f"{base_url}{WEB_CLIENT_PATH}/",
        "jwks_url": f"{base_url}{API_PATH}/jwks/oauth",
        "application_id": contract.application_id,
        "contract_id": contract.contract_id,
        "push_contract_id": the_write_contract().contract_id,
        "redirect_uris": list(contract.redirect_uris),
        "redirect_ports": "any port will do on 127.0.0.1; more in the setting redirect_uris",
        "users": [{"name": user.name, "id": user.id, "what": user.special} for user in PEOPLE],
        "services": [{"id": service.id, "name": service.name} for service in SERVICES],
        "control": [
            f"GET|POST {PREFIX}/settings",
            f"GET|POST|DELETE {PREFIX}/faults",
            f"GET|DELETE {PREFIX}/ledger",
            f"POST {PREFIX}/revoke, {PREFIX}/expire, {PREFIX}/expire_sessions (user)",
            f"POST {PREFIX}/push (user, name, content, mimetype): a file into the user's postbox",
            f"POST {PREFIX}/rotate_keys, {PREFIX}/reset",
            f"GET {PREFIX}/private_key",
        ],
        "try": _lines(base_url),
        "private_key": contract.private_key_pem,
        "push_private_key": the_write_contract().private_key_pem,
    }


def _lines(base_url: str) -> list[str]:
    outcome = '{"outcome": {"ada": "failed"}, "sync_seconds": 0.5}'
    fault = '{"method": "GET", "path": "*/query/*", "kind": "status", "status": 503}'
    return [
        f"SIMULATOR={base_url}{PREFIX} API={base_url}{API_PATH} WEB={base_url}{WEB_CLIENT_PATH}",
        "KEY=$(mktemp); curl -s $SIMULATOR/private_key > $KEY",
        "b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }",
        f"claims() {{ echo '{{{_same_claims()}'$1'}}' | b64; }}",
        f"sign() {{ printf $1 | {_SIGN} | b64; }}",
        f"jwt() {{ B=$(echo '{_HEADER}' | b64).$(claims $1); echo $B.$(sign $B); }}",
        'post() { curl -s -X POST -H "Authorization: Bearer $(jwt $2)" $API/$1; }',
        """value() { grep -o "\\"$1\\":[^,]*" | tr -d '{}"' | sed 's/.*://'; }""",
        "claim() { cut -d. -f2 | tr '_-' '/+' | base64 -d 2>&- | value $1; }",
        f"PREAUTHORISED=$(post oauth/authorize '{_AUTHORIZE}' | claim preauthorization_code)",
        'GO="$WEB/authorize?code=$PREAUTHORISED&user=ada"',
        "CODE=$(curl -so /dev/null -w '%{redirect_url}' $GO | sed 's/.*code=//')",
        f"TOKEN=$(post oauth/token '{_REDEEM}'$CODE'\"' | claim access_token)",
        f"SESSION=$(post permission-access/trigger '{_TRIGGER}'$TOKEN'\"' | value key)",
        "curl -s $API/permission-access/query/$SESSION",
        f"curl -s $SIMULATOR/settings -d '{outcome}'",
        f"curl -s $SIMULATOR/faults -d '{fault}'",
        "curl -s $SIMULATOR/ledger",
    ]


def _same_claims() -> str:
    contract = the_contract()
    return (
        f'"client_id":"{contract.client_id}","redirect_uri":"{contract.redirect_uris[0]}",'
        """"timestamp":'$(date +%s)000',"nonce":"'$(openssl rand -hex 16)'","""
    )
