"""A receiver of events. ``README.md`` beside it says how to run it."""

from __future__ import annotations

import os
from typing import Final

from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError

app = Flask(__name__)
webhook: Final = Webhook(os.environ["SECRET"])
taken: Final = set[str]()  # in an application of your own, a table


@app.post("/events")
def take_event() -> tuple[str, int]:
    """Take an event once, however often it comes."""
    try:
        event = webhook.verify(request.get_data(), dict(request.headers))
    except (WebhookVerificationError, ValueError):
        return "", 400
    if event["id"] not in taken:
        print(event["type"], event["subject"])
        taken.add(event["id"])
    return "", 204
