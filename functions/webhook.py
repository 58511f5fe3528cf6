"""Door: webhooks from providers, at ``POST /v1/hooks/{provider}/{token}``, without sign-in.

A webhook makes its refresh look at the provider now, see ``core.webhooks``. It resumes a push
whose outcome is unknown. A webhook without the token of its job gets 404 and changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from functions.aws.boundary import door
from functions.connectors.registry import REGISTRY, read_webhook
from functions.core import webhooks
from functions.core.errors import CallerError, FreshetError, NotFound
from functions.core.model import CONNECTION_PREFIX
from functions.core.push.advance import is_about, take_webhook
from functions.core.push.model import PUSH_PREFIX
from functions.rest.problems import refusal
from functions.wiring.services import prepare, wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.core.webhooks import Webhook

TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{43}")

prepare(lambda here: (here.connections, here.refreshes))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Acknowledge a webhook that carries a known token; answer 404 to any other."""
    try:
        _take(event, context)
    except CallerError:
        return refusal(NotFound())
    except FreshetError as error:
        return refusal(error)
    return {
        "statusCode": HTTPStatus.OK,
        "headers": {"Content-Type": "application/json"},
        "body": "{}",
    }


@door
def _take(event: dict[str, Any], _context: LambdaContext) -> None:
    path = event["pathParameters"]
    provider, token = path["provider"], path["token"]
    entry = REGISTRY.get(provider)
    if entry is None or not entry.webhooks or not TOKEN.fullmatch(token):
        raise NotFound
    webhook = read_webhook(entry, _body(event))
    if webhook.token != token:
        raise NotFound
    if webhooks.owner(token).startswith(PUSH_PREFIX):
        _resume_push(webhook, provider=provider)
        return
    refresh_id = _find_refresh(webhook, provider=provider)
    if refresh_id:
        wiring().wake(refresh_id, by=webhooks.digest(token))


def _resume_push(webhook: Webhook, *, provider: str) -> None:
    """Resume a push of unknown outcome, now that the provider is known to have taken it.

    Raises:
        NotFound: its token was not made for it.
    """
    here = wiring()
    push = here.pushes.get(webhooks.owner(webhook.token))
    if push is None or push.provider != provider or not is_about(push, webhook):
        raise NotFound
    connection = here.connections.get(push.connection_id)
    if connection is None or connection.subject != webhook.subject:
        raise NotFound
    found = take_webhook(push, webhook, pushes=here.pushes, at=here.clock())
    if found:
        here.push_executions.start(found)


def _find_refresh(webhook: Webhook, *, provider: str) -> str | None:
    """The refresh that should look now; None where it has ended.

    Raises:
        NotFound: its token was not made for it.
    """
    owner = webhooks.owner(webhook.token)
    if owner.startswith(CONNECTION_PREFIX):
        connection = wiring().connections.get(owner)
        if connection is None or connection.provider != provider:
            raise NotFound
        if not webhooks.is_about_connection(connection, webhook):
            raise NotFound
        return connection.running.refresh_id if connection.running else None
    refresh = wiring().refreshes.get(owner)
    if (
        refresh is None
        or refresh.provider != provider
        or not webhooks.is_about_refresh(refresh, webhook)
    ):
        raise NotFound
    return None if refresh.status.has_ended else refresh.refresh_id


def _body(event: dict[str, Any]) -> bytes:
    body = (event.get("body") or "").encode(errors="surrogatepass")
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise NotFound from None
