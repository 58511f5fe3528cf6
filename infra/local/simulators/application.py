"""The parts that every simulator's application has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from infra.local.simulators.control import attach
from infra.local.simulators.replies import refuse_http
from infra.local.simulators.settings import switches_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Blueprint
    from werkzeug.wrappers import Response

    from infra.local.simulators.ledger import Ledger
    from infra.local.simulators.replies import ErrorBody
    from infra.local.simulators.settings import Provider, SettingsT

    Refusal = tuple[type[Exception], Callable[[Any], Response]]

PROVIDER = "simulated"
"""Under which of an application's extensions its provider is."""


def application(
    provider: Provider[SettingsT],
    *,
    ledger: Ledger,
    error_body: ErrorBody = lambda status: {"error": status},
    refusals: Iterable[Refusal] = (),
    blueprints: Iterable[Blueprint] = (),
) -> Flask:
    """A provider's application with everything that control takes: faults, ledger and switches.

    It answers to loopback's names only, and OPTIONS only where an endpoint says so.

    Args:
        provider: what is simulated.
        ledger: where its requests are noted.
        error_body: the provider's own error body for a status.
        refusals: exceptions, each with what makes the answer that it stands for; an HTTPException
            that is not among them is answered with `error_body`.
        blueprints: the provider's endpoints.
    """
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.extensions[PROVIDER] = provider
    attach(app, ledger=ledger, reset=provider.reset, error_body=error_body)
    for blueprint in (switches_of(provider), *blueprints):
        app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, lambda problem: refuse_http(problem, error_body))
    for problem, refuse in refusals:
        app.register_error_handler(problem, refuse)
    return app
