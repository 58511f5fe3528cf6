"""Builds the request that opens a session, and explains why Endgrate refuses one.

After the guides on general options, schemas, passthrough fields and schemas and UX customization,
and the API description.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from functions.connectors.endgrate.api import Refused
from functions.core.errors import FreshetError, InvalidRequest

if TYPE_CHECKING:
    from functions.connectors.endgrate.api import Api
    from functions.core.model import Connection

MAX_PREPOPULATE_BYTES: Final = 8 * 1024
"""The largest ``prepopulate``, which no document describes."""

_Name = Annotated[str, Meta(min_length=1, max_length=200)]


class OwnSchema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A schema of the application's own.

    With an ``endgrate_type`` it is what the application wants of that type; without one its
    ``title`` stands for it.
    """

    title: _Name | UnsetType = UNSET
    endgrate_type: _Name | UnsetType = UNSET
    type: Literal["object"] = "object"
    properties: dict[str, msgspec.Raw]
    required: tuple[str, ...] | UnsetType = UNSET
    associations: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse a schema without a name."""
        if not self.name:
            raise ValueError("a schema needs a title or an endgrate_type")

    @property
    def name(self) -> str:
        """What transfers call it."""
        return self.title or self.endgrate_type or ""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an application may ask of a session, beside its datasets.

    ``schemas`` are for datasets of the connection; the rest Endgrate takes under the same names,
    ``integration_provider`` as ``provider``. ``prepopulate`` is passed on.
    """

    integration_provider: _Name | UnsetType = UNSET
    passthrough_fields: bool | UnsetType = UNSET
    passthrough_schemas: bool | UnsetType = UNSET
    schema_selection: bool | UnsetType = UNSET
    field_selection: bool | UnsetType = UNSET
    resource_selection: bool | UnsetType = UNSET
    prepopulate: dict[str, msgspec.Raw] | UnsetType = UNSET
    schemas: tuple[OwnSchema, ...] = ()

    def __post_init__(self) -> None:
        """Refuse to pass on too much, and schemas that cannot be told apart."""
        if len(msgspec.json.encode(self.prepopulate or {})) > MAX_PREPOPULATE_BYTES:
            raise ValueError(f"prepopulate may have at most {MAX_PREPOPULATE_BYTES} bytes")
        if len(self.own) < len(self.schemas):
            raise ValueError("schemas must have different names")

    @property
    def own(self) -> dict[str, OwnSchema]:
        """The schemas by name."""
        return {each.name: each for each in self.schemas}


def build_body(connection: Connection, options: Options) -> dict[str, object]:
    """The request that opens a session, without our addresses.

    By the guide on passthrough schemas their user has to choose schemas, so that goes with them
    unless it is given. Without ``save_session`` the session would end after 72 hours.

    Raises:
        InvalidRequest: a schema is for no dataset of the connection.
    """
    titles = [connection.title(name) for name in connection.datasets]
    if unknown := options.own.keys() - set(titles):
        told = f"The options' schemas are for datasets of the connection, not: {min(unknown)}."
        raise InvalidRequest(told)
    taken = msgspec.structs.asdict(options)
    del taken["schemas"]
    taken["provider"] = taken.pop("integration_provider")
    if options.passthrough_schemas and options.schema_selection is UNSET:
        taken["schema_selection"] = True
    return {
        "schema": [options.own.get(title) or {"endgrate_type": title} for title in titles],
        "save_session": True,
        **{name: value for name, value in taken.items() if value is not UNSET},
    }


def explain_refusal(api: Api, connection: Connection, options: Options) -> str | None:
    """A text that names what Endgrate does not have; None where it does not say."""
    try:
        known = api.integrations()
    except (Refused, FreshetError):
        return None
    types = {each.endgrate_type for one in known for each in one.types}
    titles = [connection.title(name) for name in connection.datasets]
    asked = [own.endgrate_type if (own := options.own.get(one)) else one for one in titles]
    if unknown := ", ".join(each for each in asked if each and each not in types):
        return f"The provider has no such dataset: {unknown}. Check its name."
    wanted = options.integration_provider
    if wanted and wanted not in {one.integration_provider for one in known}:
        return f"The provider has no such integration: {wanted}. Check its name."
    return None
