"""The events that endpoints get, as the section ``webhooks`` of the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.core.events.model import CloudEvent, EventType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.rest.openapi.schemas import Schemas

ABOUT: Final = {
    EventType.REFRESH_PUBLISHED: "A refresh is published, and all that it was to fetch is fresh",
    EventType.REFRESH_PARTIAL: "A refresh is published, and some of it is not fresh",
    EventType.REFRESH_FAILED: "A refresh has failed; nothing of it is published",
    EventType.REFRESH_CANCELLED: "A refresh was cancelled; nothing of it is published",
    EventType.PUSH_DONE: "The provider has taken all records of a push",
    EventType.PUSH_INCOMPLETE: "The provider could not take some records of a push",
    EventType.PUSH_FAILED: "The provider has certainly not taken a push",
    EventType.PUSH_UNKNOWN_OUTCOME: "It is not known whether the provider has taken a push",
    EventType.CONNECTION_CONNECTED: "A connection is there",
    EventType.CONNECTION_RECONNECTED: "A connection has new credentials",
    EventType.CONNECTION_REAUTH_REQUIRED: "The user of a connection has to sign in again",
    EventType.CONNECTION_ERASED: "A connection is erased, with all its data and other events",
    EventType.FRESHNESS_BREACHED: "The data of a connection are older than its objective",
    EventType.FRESHNESS_RESTORED: "The data of a connection meet its objective again",
    EventType.ENDPOINT_DISABLED: "An endpoint is disabled; what comes meanwhile waits for it",
    EventType.ENDPOINT_PING: "A test, on request",
}

HEADERS: Final = {
    "webhook-id": ("The event's id, the same however often it comes.", "evt_8c1f0b6a"),
    "webhook-timestamp": ("When this attempt was made, in seconds since the epoch.", "1795339980"),
    "webhook-signature": (
        "Signatures of `{webhook-id}.{webhook-timestamp}.{body}`, see standardwebhooks.com.",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
}


def webhooks(schemas: Schemas, *, examples: Mapping[str, Any]) -> dict[str, Any]:
    """The section, with an example of each type."""
    return {str(type_): {"post": _operation(type_, schemas, examples)} for type_ in EventType}


def _operation(type_: EventType, schemas: Schemas, examples: Mapping[str, Any]) -> dict[str, Any]:
    of_type = {"properties": {"type": {"const": str(type_)}}}
    schema = {"allOf": [schemas.of(CloudEvent), of_type]}
    return {
        "operationId": f"on_{type_.replace('.', '_')}",
        "summary": ABOUT[type_],
        "description": "Sent to each endpoint that wants it, at least once, in no certain order.",
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": about,
                "schema": {"type": "string", "examples": [example]},
            }
            for name, (about, example) in HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schema,
                    "examples": {str(type_): {"value": examples[type_]}},
                }
            },
        },
        "responses": {
            "2XX": {"description": "Taken. After any other answer, or none, it comes again."},
            "410": {"description": "Never send anything here again: the endpoint is disabled."},
        },
    }
