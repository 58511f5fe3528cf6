"""The HTTP API: everything under ``/v1`` goes to one door, after another has let it in.

Three things are not let in by anyone. Webhooks have a door of their own, which looks at the token
in their address. So have the browsers of end users who sign in. The API's description, the page to
try it and the keys that verify receipts say nothing of any tenant; they are read without a token.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigateway import ResponseType
from constructs import Construct

from functions.core.gateway import GATEWAY_PROBLEMS

if TYPE_CHECKING:
    from aws_cdk.aws_apigateway import RestApi

    from infra.config import Stage
    from infra.function import DoorFunction

HEADERS: Final = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}


READABLE: Final = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}
"""The gateway's answers hold nothing of a tenant's, so that a page of any origin may read them."""


def answer_with_problems(api: RestApi, *, shared: bool) -> None:
    """Replace every answer of the gateway's own; ``shared`` lets browser applications read it."""
    common = HEADERS | (READABLE if shared else {})
    for each in GATEWAY_PROBLEMS:
        api.add_gateway_response(
            each.response.title().replace("_", ""),
            type=ResponseType.of(each.response),
            status_code=str(int(each.status)) if each.status else None,
            response_headers={
                name: f"'{value}'" for name, value in {**common, **each.headers}.items()
            },
            # The gateway looks for this key; what the body is, the header says.
            templates={"application/json": json.dumps(each.body, separators=(",", ":"))},
        )


HOOKS: Final = "v1/hooks/{provider}/{token}"
SIGN_IN: Final = {
    "v1/connect/{token}": ("GET", "HEAD", "POST"),
    "v1/connect/callbacks/{provider}/{name}": ("GET",),
}
"""Addresses for the browsers of end users who sign in, and their methods."""

PAGES: Final = (
    *("v1/openapi.json", "v1/docs", "v1/docs/{file}", "v1/errors", "v1/receipt-keys"),
    *("v1/console", "v1/console/config.json", "v1/console/{file}"),
)
ANY_BELOW: Final = "v1/{proxy+}"
METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""What ``ANY`` stands for. The gateway has a stage's settings for each of them, not for all."""

OPEN_SHARE: Final = 4
"""The part of the stage's rate that an address without a token may use up by any one method, so
that its callers cannot keep the tenants out."""

CONSOLE_FILES: Final = "/v1/console/{file}/GET"
"""A browser that opens the console for the first time asks for a dozen files at once. The page is
broken if one of them is refused."""

BEARER: Final = r"^[Bb][Ee][Aa][Rr][Ee][Rr] +[A-Za-z0-9._~+/-]+=*$"
"""RFC 6750's credentials. Whatever else stands in the header is 401 without asking a door."""

AUTHORIZED_SECONDS: Final = 60
"""How long the gateway remembers what ``authorize`` said about a token."""

COMPRESSED_BYTES: Final = 1024
"""From how many bytes on the gateway compresses an answer, for a client that takes gzip or deflate.
What came with a ``Content-Encoding`` it would leave as it is; no function sends one."""

ACCESS_LOG: Final = {
    "request_id": "$context.requestId",
    "trace_id": "$context.xrayTraceId",
    "epoch_milliseconds": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "resource": "$context.resourcePath",
    "status": "$context.status",
    "error": "$context.error.responseType",
    "milliseconds": "$context.responseLatency",
    "bytes": "$context.responseLength",
}
"""No address, user agent, caller or path: they would tell which user was asked about."""


class Api(Construct):
    """``rest_api``, deployed as its one stage."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        door: DoorFunction,
        webhook: DoorFunction,
        connect: DoorFunction,
        authorize: DoorFunction,
        stage: Stage,
    ) -> None:
        super().__init__(scope, id_)
        self.rest_api = apigateway.RestApi(
            self,
            "Rest",
            rest_api_name=f"Freshet-{stage.name}",
            description=f"Freshet, stage {stage.name}",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            min_compression_size=cdk.Size.bytes(COMPRESSED_BYTES),
            # One role for the whole account writes every API's access log: it outlives us.
            cloud_watch_role=stage.account_log_role,
            cloud_watch_role_removal_policy=cdk.RemovalPolicy.RETAIN
            if stage.account_log_role
            else None,
            deploy_options=self._deployment(stage),
            default_integration=apigateway.LambdaIntegration(
                door.function, allow_test_invoke=False
            ),
        )
        self.rest_api.node.try_remove_child("Endpoint")  # an output that the stack names itself
        version = self.rest_api.root.add_resource("v1")
        authorizer = self._authorizer(authorize)
        version.add_method("ANY", authorizer=authorizer)
        version.resource_for_path("{proxy+}").add_method("ANY", authorizer=authorizer)
        self.hooks = self._webhooks(version, webhook)
        self.sign_in = self._sign_in(version, connect)
        self.pages = self._pages(version)
        self.preflights = [self._preflight(version)] if stage.allowed_origins else []
        answer_with_problems(self.rest_api, shared=bool(stage.allowed_origins))

    def _webhooks(self, version: apigateway.Resource, webhook: DoorFunction) -> apigateway.Method:
        address = version.resource_for_path(HOOKS.removeprefix("v1/"))
        return address.add_method(
            "POST", apigateway.LambdaIntegration(webhook.function, allow_test_invoke=False)
        )

    def _sign_in(
        self, version: apigateway.Resource, connect: DoorFunction
    ) -> list[apigateway.Method]:
        return [
            version.resource_for_path(address.removeprefix("v1/")).add_method(
                method, apigateway.LambdaIntegration(connect.function, allow_test_invoke=False)
            )
            for address, methods in SIGN_IN.items()
            for method in methods
        ]

    def _pages(self, version: apigateway.Resource) -> list[apigateway.Method]:
        return [
            version.resource_for_path(page.removeprefix("v1/")).add_method(
                "ANY", authorization_type=apigateway.AuthorizationType.NONE
            )
            for page in PAGES
        ]

    def _preflight(self, version: apigateway.Resource) -> apigateway.Method:
        """Send OPTIONS to the door without a token: a browser's preflight never has one."""
        return version.resource_for_path(ANY_BELOW.removeprefix("v1/")).add_method(
            "OPTIONS", authorization_type=apigateway.AuthorizationType.NONE
        )

    def _deployment(self, stage: Stage) -> apigateway.StageOptions:
        log_group = logs.LogGroup(
            self, "Logs", retention=stage.log_retention, removal_policy=stage.removal
        )
        rate = max(1, stage.requests_per_second // OPEN_SHARE)
        share = apigateway.MethodDeploymentOptions(
            throttling_rate_limit=rate,
            throttling_burst_limit=max(1, stage.burst // OPEN_SHARE),
            metrics_enabled=True,
        )
        at_once = apigateway.MethodDeploymentOptions(
            throttling_rate_limit=rate,
            throttling_burst_limit=stage.burst,
            metrics_enabled=True,
        )
        return apigateway.StageOptions(
            stage_name=stage.name,
            access_log_destination=apigateway.LogGroupLogDestination(log_group),
            access_log_format=apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG)),
            throttling_rate_limit=stage.requests_per_second,
            throttling_burst_limit=stage.burst,
            # The gateway's traces would have addresses in them, and so ids and tokens; each
            # door is traced.
            tracing_enabled=False,
            metrics_enabled=True,
            method_options={**dict.fromkeys(_open_methods(stage), share), CONSOLE_FILES: at_once},
        )

    def _authorizer(self, authorize: DoorFunction) -> apigateway.TokenAuthorizer:
        return apigateway.TokenAuthorizer(
            self,
            "Authorizer",
            handler=authorize.function,
            identity_source=apigateway.IdentitySource.header("Authorization"),
            validation_regex=BEARER,
            results_cache_ttl=cdk.Duration.seconds(AUTHORIZED_SECONDS),
        )


def _open_methods(stage: Stage) -> list[str]:
    """Every way to call the API without a token, as a stage's settings name it."""
    sign_in = [f"/{address}/{method}" for address, by in SIGN_IN.items() for method in by]
    pages = [f"/{page}/{method}" for page in PAGES for method in METHODS]
    preflights = [f"/{ANY_BELOW}/OPTIONS"] if stage.allowed_origins else []
    return [f"/{HOOKS}/POST", *sign_in, *pages, *preflights]
