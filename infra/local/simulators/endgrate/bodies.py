"""The JSON bodies of Endgrate's API, by its API description and guides.

Optional members may also be null, as the vendor's generated clients send them. Members that are not
known are let through: the description allows more of them, and newer guides name some.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from flask import request
from msgspec import Meta

from infra.local.simulators.endgrate.kinds import KINDS, UNSPECIFIED
from infra.local.simulators.endgrate.replies import ApiError
from infra.local.simulators.endgrate.schemas import flaw

if TYPE_CHECKING:
    from collections.abc import Iterable

_Body = TypeVar("_Body", bound=msgspec.Struct)
_Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """The address to post an event to: `endpoint`, or `url` as one page of the guides has it.

    `metadata` is echoed in each payload. `continuous` is for the data webhook of a session.
    """

    endpoint: str | None = None
    url: str | None = None
    metadata: Any = None
    continuous: bool | None = None

    def __post_init__(self) -> None:
        """Refuses what can't be posted to from this machine alone."""
        if not _is_loopback(self.address):
            raise ValueError("endpoint must be an address on loopback: this is a simulator")

    @property
    def address(self) -> str:
        """The URL to post to."""
        return self.endpoint or self.url or ""


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """A schema of a session: one of Endgrate's own by its type, or a JSON schema with a title."""

    endgrate_type: _Name | None = None
    title: _Name | None = None
    type: Literal["object"] | None = None
    properties: dict[str, Any] | None = None
    required: tuple[str, ...] | None = None
    associations: bool | None = None

    def __post_init__(self) -> None:
        """Refuses types that there are not, and JSON schemas that leave something open."""
        custom = self.endgrate_type in {None, UNSPECIFIED}
        if not custom and self.endgrate_type not in KINDS:
            raise ValueError("endgrate_type is not a valid one")
        if custom and not (self.title and self.properties):
            raise ValueError("without an endgrate_type, title and properties are required")
        if self.type and not self.properties:
            raise ValueError("an object needs properties")
        if problem := flaw({"type": "object", "properties": self.properties or {}}):
            raise ValueError(problem)

    @property
    def name(self) -> str:
        """The `endgrate_type` of later calls: the title if there is one."""
        return self.title or self.endgrate_type or ""


class Hooked(msgspec.Struct, frozen=True, kw_only=True):
    """The webhooks that a session can name, and each transfer again."""

    completed_webhook: Webhook | None = None
    configuration_webhook: Webhook | None = None
    data_webhook: Webhook | None = None
    error_webhook: Webhook | None = None
    webhook_concurrency: bool | None = None


class Initiate(Hooked, frozen=True, kw_only=True):
    """Opens a session; the guides on general options and on each option explain the members."""

    schema: tuple[Schema, ...] | None = None
    provider: _Name | None = None
    redirect_url: str | None = None
    save_session: bool | None = None
    sync: bool | None = None
    passthrough_fields: bool | None = None
    passthrough_schemas: bool | None = None
    field_selection: bool | None = None
    resource_selection: bool | None = None
    schema_selection: bool | None = None
    statistics: bool | None = None
    bypass_ui: bool | None = None
    prepopulate: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuses schemas that can't be told apart, and a way back that is no web address."""
        _require_names(self.schema or ())
        if self.redirect_url is not None and not _is_web(self.redirect_url):
            raise ValueError("redirect_url is not a web address")


class Pull(Hooked, frozen=True, kw_only=True):
    """Triggers a pull."""

    session_id: str
    endgrate_type: _Name
    params: dict[str, Any] | None = None
    associations: dict[str, bool] | None = None
    synchronous: bool | None = None
    bypass_rate_limit: bool | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record to push; associated records are given whole, or by their ids."""

    id: _Name | None = None
    internal_id: _Name | None = None
    data: dict[str, Any]
    associations: dict[str, tuple[Item | str, ...]] | None = None


class Push(Hooked, frozen=True, kw_only=True):
    """Triggers a push."""

    session_id: str
    endgrate_type: _Name
    transfer_data: tuple[Item, ...]
    synchronous: bool | None = None
    bypass_rate_limit: bool | None = None


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """Deletes a session."""

    session_id: str


class SetSchemas(msgspec.Struct, frozen=True, kw_only=True):
    """Gives a session its schemas afterwards."""

    session_id: str
    data: tuple[Schema, ...]

    def __post_init__(self) -> None:
        """Refuses schemas that can't be told apart."""
        _require_names(self.data)


def read(kind: type[_Body]) -> _Body:
    """The body of the current request.

    Raises:
        ApiError: 400, it is not JSON, or not laid out like this.
    """
    if request.mimetype != "application/json":
        raise ApiError("The body must be application/json.")
    try:
        return msgspec.json.decode(request.get_data(), type=kind)
    except msgspec.ValidationError as problem:
        what, _, where = str(problem).partition(" - at ")
        errors = {where.strip("`") or "$": what}
        raise ApiError("The body is not valid.", errors=errors) from None
    except msgspec.DecodeError:
        raise ApiError("The body is not JSON.") from None
    except RecursionError:
        raise ApiError("The body is nested too deeply.") from None


def _require_names(schemas: Iterable[Schema]) -> None:
    """Later calls name one schema: by its title where several share an `endgrate_type`."""
    names = [schema.name for schema in schemas]
    if len(set(names)) < len(names):
        raise ValueError("schemas of the same endgrate_type need titles of their own")


def _is_web(text: str) -> bool:
    try:
        address = urlsplit(text)
    except ValueError:
        return False
    return address.scheme in {"http", "https"} and bool(address.hostname)


def _is_loopback(text: str) -> bool:
    """Addresses that two parsers could read differently are no good either."""
    if not _is_web(text) or "@" in text or "\\" in text:
        return False
    host = urlsplit(text).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
