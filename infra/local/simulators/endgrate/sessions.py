"""Sessions: what a user configures in one, and how one is found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from infra.local.simulators.endgrate.kinds import CUSTOM
from infra.local.simulators.endgrate.providers import (
    PROVIDERS,
    Method,
    Provider,
    Resource,
    custom_object,
    integration_info,
    resource_of,
)
from infra.local.simulators.endgrate.records import RecordStore
from infra.local.simulators.endgrate.replies import INVALID_SESSION, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from infra.local.simulators.endgrate.bodies import Initiate, Schema
    from infra.local.simulators.endgrate.providers import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The choices of an end user.

    Attributes:
        schemas: names of the schemas to use; None means all.
        fields: by schema, the names of the fields to use; all where nothing is said.
        custom_object: whether the user's own objects pass through.
    """

    provider: Provider
    schemas: Collection[str] | None = None
    fields: Mapping[str, Collection[str]] = field(default_factory=dict)
    custom_object: bool = False


@dataclass(slots=True, eq=False)
class Session:
    """One end user's session.

    Attributes:
        methods: which ways transfers may go.
        provider: the user's choice; None until the session is configured.
        authenticated: whether the user's credentials still work at the provider.
        positions: by resource, how far in the order of changes the last pull went.
    """

    id: str
    asked: Initiate
    methods: frozenset[Method]
    created: float
    provider: Provider | None = None
    authenticated: bool = True
    positions: dict[str, int] = field(default_factory=dict)
    stores: dict[str, RecordStore] = field(default_factory=dict)
    _offered: dict[str, Resource] = field(default_factory=dict)
    _in_use: dict[str, Resource] = field(default_factory=dict)

    @property
    def method(self) -> Method:
        """Pull, unless the session is for pushing only."""
        return Method.IMPORT if Method.IMPORT in self.methods else Method.EXPORT

    def set_schemas(self, schemas: Iterable[Schema]) -> None:
        """Takes new schemas; all are in use until the user chooses.

        Raises:
            ApiError: 400, no provider has all of the types, or not the one preselected.
        """
        before, passthrough = self._offered, bool(self.asked.passthrough_fields)
        resources = [resource_of(each, passthrough_fields=passthrough) for each in schemas]
        self._offered = {each.name: each for each in resources}
        if not self.possible_providers():
            self._offered = before
            errors = {"$.provider": "there is none that has all of the schemas"}
            raise ApiError("The body is not valid.", errors=errors)
        self._in_use = dict(self._offered)

    def resources(self) -> list[Resource]:
        """The resources of the session's schemas, chosen or not."""
        return [each for each in self._offered.values() if each.kind is not CUSTOM]

    def possible_providers(self) -> list[Provider]:
        """The providers that the user can choose from: the one preselected, or all that will do."""
        asked = self.asked.provider
        return [
            provider
            for provider in PROVIDERS.values()
            if asked in {None, provider.name} and provider.supports(self.resources())
        ]

    def choose(self, choice: Choice) -> None:
        """Configures the session.

        Raises:
            ApiError: 400, the provider is not one that the user can choose.
        """
        asked = self.asked
        if choice.provider not in self.possible_providers():
            raise ApiError("The provider does not support all schemas.")
        wanted = self._offered.keys() if choice.schemas is None else choice.schemas
        chosen = [each for each in self.resources() if each.name in wanted]
        if choice.custom_object or (asked.passthrough_schemas and not asked.schema_selection):
            chosen.append(custom_object())
            self._offered[CUSTOM.name] = chosen[-1]
        self.provider = choice.provider
        self._in_use = {
            each.name: each.narrow(choice.fields[each.name]) if each.name in choice.fields else each
            for each in chosen
        }

    def change_account(self) -> None:
        """Takes another of the user's accounts at the provider, which has records of its own."""
        for resources in (self._offered, self._in_use):
            for name, each in resources.items():
                resources[name] = replace(each, account=1 - each.account)
        self.stores.clear()
        self.positions.clear()

    def name_of(self, endgrate_type: str) -> str | None:
        """The name of the schema that a call means; None if it is not in use.

        Endgrate's guide on custom schemas: the title, where several share an `endgrate_type`.
        """
        if endgrate_type in self._in_use:
            return endgrate_type
        same = [each.name for each in self._in_use.values() if each.source == endgrate_type]
        return same[0] if len(same) == 1 else None

    def names(self) -> list[str]:
        """The names of all schemas in use."""
        return list(self._in_use)

    def start_anew(self, source: str) -> None:
        """Forgets what became of the user's records of a type."""
        del self.stores[source]
        self.positions.clear()

    def find_resource(self, name: str) -> Resource:
        """The resource with this name, with all of its fields."""
        return self._offered[name]

    def in_use(self, name: str) -> Resource:
        """The resource with this name, with the fields that the user chose."""
        return self._in_use[name]

    def store(self, resource: Resource, settings: Settings) -> RecordStore:
        """The user's records of a type."""
        source = resource.source
        if source not in self.stores:
            self.stores[source] = RecordStore(settings.records_of(source))
        return self.stores[source]

    def configuration(self) -> dict[str, object]:
        """The configuration as the API and the webhook show it."""
        provider = self.provider
        shown = {name: self._resource_json(each) for name, each in self._in_use.items()}
        custom = {name: shown.pop(name) for name in (CUSTOM.name,) if name in shown}
        return {
            "success": True,
            "session_id": self.id,
            "endgrate": {"provider": provider.name, "provider_info": provider.info()}
            if provider
            else {},
            "schemas": shown,
            "passthrough_schemas": custom,
        }

    def _resource_json(self, resource: Resource) -> dict[str, object]:
        info = integration_info(resource, self.method)
        return {
            "integration_info": {name: info[name] for name in ("name", "display_name", "method")},
            "integration": info["name"],
            "schema": {**resource.schema(), "session_method": self.method.value},
            "passthrough_fields": resource.passthrough(),
        }


class Sessions:
    """All sessions that there are."""

    def __init__(self, settings: Callable[[], Settings], *, clock: Callable[[], float]) -> None:
        """Starts with none."""
        self._settings = settings
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def open(self, session_id: str, asked: Initiate, *, methods: frozenset[Method]) -> Session:
        """Opens a session.

        Raises:
            ApiError: 400, no provider has all of the types, or not the one preselected.
        """
        session = Session(session_id, asked, methods, self._clock())
        session.set_schemas(asked.schema or ())
        self._sessions[session_id] = session
        return session

    def find(self, session_id: str | None) -> Session:
        """The session with this id.

        Raises:
            ApiError: 400, there is none, or it has expired.
        """
        session = self._sessions.get(session_id or "")
        if session is None or self._is_expired(session):
            raise ApiError(INVALID_SESSION)
        return session

    def close(self, session: Session) -> None:
        """Deletes a session with everything that it has."""
        del self._sessions[session.id]

    def all(self) -> list[Session]:
        """The sessions that have not expired."""
        return [each for each in self._sessions.values() if not self._is_expired(each)]

    def clear(self) -> None:
        """Deletes all sessions."""
        self._sessions.clear()

    def _is_expired(self, session: Session) -> bool:
        lasts = self._settings().session_seconds
        return not session.asked.save_session and self._clock() >= session.created + lasts
