"""Refreshing and reading a library, and pushing to it: `permission-access/*`.

After digi.me's guides Sync, Session and Querying Data; pushing, after what its SDKs send. Reading
takes no credentials but the session key, which is why it expires.
"""

from __future__ import annotations

import base64
import fnmatch
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn, TypeVar

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from infra.local.simulators.digime import library
from infra.local.simulators.digime.claims import SessionOptions, TriggerClaims, WriteClaims
from infra.local.simulators.digime.contract import new_key, the_contract, the_write_contract
from infra.local.simulators.digime.envelope import Compression, Damage, DamageKind, compress, seal
from infra.local.simulators.digime.library import CYCLE, LibraryFile, accounts_file
from infra.local.simulators.digime.oauth import body, check_headers, verify
from infra.local.simulators.digime.replies import ApiError, alter
from infra.local.simulators.digime.sessions import State, account_details
from infra.local.simulators.digime.settings import SessionKeys
from infra.local.simulators.digime.sharing import API_PATH, the_sharing
from infra.local.simulators.replies import reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.simulators.digime.claims import Claims
    from infra.local.simulators.digime.contract import Contract
    from infra.local.simulators.digime.envelope import Damage
    from infra.local.simulators.digime.library import PushedFile
    from infra.local.simulators.digime.people import Account, Person
    from infra.local.simulators.digime.sessions import Listed, Session, Sync


def seal_file(
    file: LibraryFile | PushedFile, compression: Compression, *, version: int, damage: Damage | None
) -> bytes:
    """A file of the library in its envelope; those alike in size are sealed once for all."""
    if isinstance(file, LibraryFile) and file.size is not None and damage is None:
        return _seal_size(file.account, file.size, compression)
    return seal_content(file.content(version=version), compression, damage=damage)


def seal_content(plain: bytes, compression: Compression, *, damage: Damage | None) -> bytes:
    """Any content in its envelope, sound or damaged."""
    kind = damage.kind if damage else None
    if damage and kind is DamageKind.BOMB:
        plain = b" " * damage.at
    if kind is DamageKind.NOT_JSON:
        plain = b'[{"entityid": '
    if kind is not DamageKind.NOT_COMPRESSED:
        plain = compress(plain, compression)
    key = new_key() if kind is DamageKind.KEY else the_contract().key
    return seal(plain, key.public_key(), damage=damage)


def metadata_header(
    metadata: dict[str, object], compression: Compression, *, damage: Damage | None
) -> str | None:
    """The header `x-metadata`: base64url of JSON; None where damage has taken it away."""
    kind = damage.kind if damage else None
    if kind is DamageKind.NO_METADATA:
        return None
    told: dict[str, object] = {"metadata": metadata}
    if compression is not Compression.NONE:
        told["compression"] = compression
    text = b"{" if kind is DamageKind.BAD_METADATA else msgspec.json.encode(told)
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@lru_cache(maxsize=8)
def _seal_size(account: Account, size: int, compression: Compression) -> bytes:
    return seal_content(library.make_sized(account, size=size), compression, damage=None)


T = TypeVar("T")

access = Blueprint("access", __name__, url_prefix=f"{API_PATH}/permission-access")
_TRIGGER = msgspec.json.Decoder(TriggerClaims)
_WRITE = msgspec.json.Decoder(WriteClaims)
_JSON, _BYTES = "application/json", "application/octet-stream"
_FILES = frozenset({"access.read_accounts", "access.read_file"})


@access.before_request
def want_what_there_is() -> None:
    """Files are bytes, and a form where they are pushed; all else is JSON."""
    if request.endpoint == "access.write_to_postbox":
        check_headers(_JSON, sent="multipart/form-data")
    else:
        check_headers(_BYTES if request.endpoint in _FILES else _JSON)


@access.post("/trigger")
def trigger() -> Response:
    """Begins to refresh the user's library, and gives the session to read it with."""
    claims, options = verify(_TRIGGER), body(SessionOptions)
    sharing = the_sharing()
    _require(sharing.contract, claims)
    person = sharing.tokens.holder(claims.access_token)
    session = _session(claims.session_key, options, person=person)
    sharing.sessions.begin(session, person)
    settings = sharing.settings
    if not settings.trigger_body:
        return Response(status=settings.trigger_status)
    return reply({"session": session.to_json()}, status=settings.trigger_status)


@access.post("/postbox/<id_>")
def write_to_postbox(id_: str) -> Response:
    """Takes a file into a user's postbox, from where the next synchronisation imports it.

    Without an access token that is good it is `pending` there, as the Node SDK expects; the iOS SDK
    expects a session. What `expires` means is not documented.
    """
    claims, sharing = verify(_WRITE), the_sharing()
    contract = the_write_contract()
    _require(contract, claims)
    box, file = sharing.postboxes.find(id_), request.files.get("file")
    if file is None:
        raise ApiError(400, "ValidationErrors", message="file: the form has none")
    content, described = box.decrypt(claims, file.read())
    described |= {"appid": contract.application_id, "contractid": contract.contract_id}
    sharing.postboxes.push(box, file.filename or "", content, described=described)
    known = sharing.tokens.is_good(claims.access_token, person=box.person)
    session = sharing.sessions.open(SessionOptions()).to_json()
    status = "delivered" if known else "pending"
    return reply({"status": status, "expires": session["expiry"], "session": session})


@access.get("/query/<key>")
def list_files(key: str) -> Response:
    """The state of the refresh, and the files so far."""
    sharing, session = the_sharing(), the_sharing().sessions.find(key)
    now, sync = sharing.clock(), session.sync
    if sync is None or sync.state(now) is State.PENDING:
        return reply({"status": {"state": State.PENDING}})
    status = {
        "state": sync.state(now),
        "details": account_details(sync, now, settings=sharing.settings),
    }
    return reply({"status": status, "fileList": [_row(each) for each in sync.list_files(now)]})


@access.get("/query/<key>/accounts.json")
def read_accounts(key: str) -> Response:
    """The accounts of the user, sealed like any file."""
    session = the_sharing().sessions.find(key)
    sync = _running(session)
    settings, count = the_sharing().settings, len(sync.accounts)
    compression = session.compression(settings, otherwise=CYCLE[count % len(CYCLE)])
    ids = [{"accountid": account.id} for account in sync.accounts]
    metadata: dict[str, object] = {"mimetype": "application/json", "accounts": ids}
    damage = _damage("accounts.json")
    consent_id, odd = sync.person.consent_id, settings.odd_accounts
    plain = accounts_file(sync.accounts, consent_id=consent_id, odd=odd)
    return _file(
        seal_content(plain, compression, damage=damage),
        metadata_header(metadata, compression, damage=damage),
    )


@access.get("/query/<key>/<name>")
def read_file(key: str, name: str) -> Response:
    """One file, sealed for the contract, in the state in which it is listed now."""
    sharing, session = the_sharing(), the_sharing().sessions.find(key)
    now = sharing.clock()
    listed = _running(session).find(name, now)
    if listed is None or now < listed.since + sharing.settings.file_ready_seconds:
        _not_there()
    file, damage = listed.file, _damage(name)
    compression = session.compression(sharing.settings, otherwise=file.compression)
    return _file(
        seal_file(file, compression, version=listed.version, damage=damage),
        metadata_header(file.metadata(version=listed.version), compression, damage=damage),
    )


def _session(key: str | None, options: SessionOptions, *, person: Person) -> Session:
    """The guide Sync has the session named by `session_key`; the SDKs are told of a new one."""
    sharing = the_sharing()
    settings = sharing.settings
    if key is None and settings.require_session_key:
        message = "Parameter validation errors: claims: session_key is missing"
        raise ApiError(406, "ValidationErrors", message=message)
    named = sharing.sessions.renew(key, options, person=person) if key else None
    refuses = settings.session_keys is SessionKeys.REFUSED or settings.require_session_key
    if key and named is None and (refuses or not settings.trigger_body):
        message = "session_key names no session of the user"
        raise ApiError(settings.session_error_status, "SessionInvalid", message=message)
    return named or sharing.sessions.open(options)


def _require(contract: Contract, claims: Claims) -> None:
    """Refuses a request under a contract that is for something else."""
    if claims.client_id != contract.client_id:
        message = "The contract does not allow this"
        raise ApiError(403, "InsufficientScope", message=message)


def _row(listed: Listed) -> dict[str, object]:
    settings = the_sharing().settings
    row: dict[str, object] = {
        "name": listed.file.name,
        "updatedDate": int((listed.updated + settings.dates_ahead_seconds) * 1000),
    }
    if isinstance(listed.file, LibraryFile) and not listed.file.raw:
        row["objectVersion"] = listed.file.account.service.object_version
    return alter(row, _by_name(settings.odd_rows, listed.file.name) or {})


def _running(session: Session) -> Sync:
    sync = session.sync
    if sync is None or sync.state(the_sharing().clock()) is State.PENDING:
        _not_there()
    return sync


def _damage(name: str) -> Damage | None:
    return _by_name(the_sharing().settings.corrupt, name)


def _by_name(set_: Mapping[str, T | None], name: str) -> T | None:
    """The setting for a file, by its name or the first glob that matches."""
    found = (value for glob, value in set_.items() if fnmatch.fnmatchcase(name, glob))
    return next(filter(None, found), None)


def _file(content: bytes, metadata: str | None) -> Response:
    time.sleep(the_sharing().settings.file_delay_seconds)
    headers = {} if metadata is None else {"x-metadata": metadata}
    return Response(content, content_type=_BYTES, headers=headers)


def _not_there() -> NoReturn:
    raise ApiError(404, "NotFound", message="There is no such file, or not yet")
