"""The calls about connections and their schedules."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final

from msgspec import Meta

from functions.core.contract import Schedule
from functions.core.errors import (
    AnswerTooLarge,
    ConfigurationInvalid,
    Gone,
    KeyReused,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    Superseded,
    UnexpectedAnswer,
)
from functions.core.model import CONNECTION_PREFIX
from functions.rest import connections, registrations, schedules
from functions.rest.connection_models import (
    ConfigurationOut,
    ConnectionIn,
    ConnectionOut,
    ConnectionsOut,
    CredentialsIn,
)
from functions.rest.route import (
    LOCATION,
    REPLAYED,
    Answer,
    Parameter,
    Route,
    Tag,
    idempotency_key,
    limit,
)
from functions.rest.schedules import ScheduleIn

_CONNECTION: Final = "/v1/connections/<connection_id>"

_ASKS_PROVIDER: Final = (
    AnswerTooLarge,
    ConfigurationInvalid,
    ProviderRefusesApplication,
    ProviderRefusesConnection,
    ProviderUnavailable,
    RateLimited,
    UnexpectedAnswer,
)

_KEY: Final = idempotency_key(
    about="Your own name for this connection. The same body under the same key is the same"
    " connection, for a day.",
    example="sign-in-4711",
)

_CURSOR: Final = Parameter(
    name="cursor",
    about="The `next_cursor` of the page before.",
    type=Annotated[str, Meta(pattern=f"^{CONNECTION_PREFIX}")],
    example=f"{CONNECTION_PREFIX}5d2c8a1f4e7b4c0d8a9b0c1d2e3f4a5b",
)

ROUTES: Final[dict[str, dict[str, Route]]] = {
    "/v1/connections": {
        "POST": Route(
            call=registrations.create,
            name="create_connection",
            summary="Register a connection",
            tag=Tag.CONNECTIONS,
            about="Its credentials are written only. Where the provider lets Freshet begin a"
            " connection, leave out the `subject`: the answer says where the user signs in."
            " Repeat a request whose answer was lost under its `Idempotency-Key`; once its"
            " connection has been erased, that key answers 410.",
            headers=(_KEY,),
            body=ConnectionIn,
            answers=(
                Answer(
                    status=HTTPStatus.CREATED,
                    about="It is registered.",
                    model=ConnectionOut,
                    headers=(LOCATION, REPLAYED),
                ),
            ),
            problems=(*_ASKS_PROVIDER, Gone, KeyReused),
        ),
        "GET": Route(
            call=connections.listed,
            name="list_connections",
            summary="List your connections",
            tag=Tag.CONNECTIONS,
            query=(limit(default=connections.LIMIT, most=connections.MAX_LIMIT), _CURSOR),
            answers=(Answer(status=HTTPStatus.OK, about="A page of them.", model=ConnectionsOut),),
        ),
    },
    _CONNECTION: {
        "GET": Route(
            call=connections.read,
            name="read_connection",
            summary="Read a connection",
            tag=Tag.CONNECTIONS,
            answers=(Answer(status=HTTPStatus.OK, about="The connection.", model=ConnectionOut),),
        ),
        "DELETE": Route(
            call=connections.erase,
            name="erase_connection",
            summary="Erase a connection with all its data",
            tag=Tag.CONNECTIONS,
            about="Credentials, snapshots in every version, and the history of its refreshes.",
            answers=(Answer(status=HTTPStatus.NO_CONTENT, about="Nothing of it is left."),),
        ),
    },
    f"{_CONNECTION}/configuration": {
        "GET": Route(
            call=connections.configuration,
            name="read_configuration",
            summary="Read what the user has chosen at the provider",
            tag=Tag.CONNECTIONS,
            about="Asked there and now. Only for a provider where Freshet can begin connections.",
            answers=(
                Answer(status=HTTPStatus.OK, about="The user's choice.", model=ConfigurationOut),
            ),
            problems=_ASKS_PROVIDER,
        ),
    },
    f"{_CONNECTION}/credentials": {
        "PUT": Route(
            call=connections.replace_credentials,
            name="replace_credentials",
            summary="Replace the credentials",
            tag=Tag.CONNECTIONS,
            about="After the user has signed in at the provider again.",
            body=CredentialsIn,
            answers=(Answer(status=HTTPStatus.NO_CONTENT, about="They are in place."),),
            problems=(Superseded,),
        ),
    },
    f"{_CONNECTION}/pause": {
        "DELETE": Route(
            call=connections.allow,
            name="lift_pause",
            summary="Let a connection be refreshed before its `next_allowed_at`",
            tag=Tag.CONNECTIONS,
            about="Its provider asked for a pause. Lift it where you know better: the next refresh"
            " asks the provider, which may ask for a pause again.",
            answers=(Answer(status=HTTPStatus.NO_CONTENT, about="There is no pause."),),
        ),
    },
    f"{_CONNECTION}/schedule": {
        "PUT": Route(
            call=schedules.put,
            name="put_schedule",
            summary="Refresh a connection by a schedule",
            tag=Tag.SCHEDULES,
            body=ScheduleIn,
            answers=(
                Answer(status=HTTPStatus.OK, about="It replaced another.", model=Schedule),
                Answer(status=HTTPStatus.CREATED, about="It is the first.", model=Schedule),
            ),
            problems=(Superseded,),
        ),
        "DELETE": Route(
            call=schedules.remove,
            name="remove_schedule",
            summary="Refresh a connection only when it is asked for",
            tag=Tag.SCHEDULES,
            answers=(Answer(status=HTTPStatus.NO_CONTENT, about="There is no schedule."),),
        ),
    },
}
