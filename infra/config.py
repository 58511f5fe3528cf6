"""What differs between stages: read from the CDK context, or asked for at deployment."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import aws_cdk as cdk
import msgspec
from aws_cdk import aws_logs as logs

from functions.connectors.registry import Provider
from functions.core.budget import Limit
from functions.core.bulk import BulkOptions
from functions.core.bulking import check
from functions.core.contract import METRICS_NAMESPACE, Variable
from functions.core.errors import InvalidRequest

if TYPE_CHECKING:
    from constructs import Construct, Node

Architecture = Literal["arm64", "x86_64"]
Origin = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/*?#]+$")]
"""Where a browser application is served from, without a path: ``https://app.example.com``."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Runtime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Lambda runtime that the asset is built for; ``host`` when it is this machine."""

    python: str
    architecture: Architecture
    host: bool = False

    @classmethod
    def of_host(cls) -> Runtime:
        """This interpreter on this machine, for a stage that runs on it."""
        arm = platform.machine().lower() in {"arm64", "aarch64"}
        return cls(
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            architecture="arm64" if arm else "x86_64",
            host=True,
        )


class Nightly(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When every tenant's connections are refreshed, and which; ``expression`` is EventBridge's."""

    expression: str
    options: BulkOptions = BulkOptions()

    def __post_init__(self) -> None:
        """Refuse a run that could not be started, as the other ways in do."""
        try:
            check(self.options, providers=tuple(Provider))
        except InvalidRequest as error:
            raise ValueError(str(error)) from None


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stage, as its entry under ``stages`` in cdk.json describes it.

    ``requests_per_second`` and ``burst`` are for all callers together, ``tenant`` is for each.
    API Gateway counts each method of each of its resources by itself, so that all callers together
    can get more than that; only ``tenant`` bounds a caller over all calls.
    ``allowed_origins`` are those from which a browser may call the API (CORS); without any, no
    page of another origin can.
    ``bulk_concurrency`` is how many refreshes a bulk run has under way at a time.
    ``api_concurrency`` is how many calls the API answers at a time, of the functions that the
    account may run at once; they are set aside for it, and without it none are. Without
    ``nightly`` there is no run by the clock.

    ``issuer``, ``audience`` and ``jwks_url`` are defaults of the stack's parameters: where
    they are None, whoever deploys has to give them.
    """

    name: str
    log_retention: logs.RetentionDays
    requests_per_second: int
    burst: int
    tenant: Limit | None = None
    allowed_origins: tuple[Origin, ...] = ()
    bulk_concurrency: int = 50
    api_concurrency: Annotated[int, msgspec.Meta(ge=1)] | None = None
    nightly: Nightly | None = None
    tenant_claim: str = "tenant"
    issuer: str | None = None
    audience: str | None = None
    jwks_url: str | None = None
    runtime: Runtime = msgspec.field(default_factory=Runtime.of_host)
    log_level: LogLevel = "INFO"
    retain: bool = False
    alarm_email: str | None = None

    @classmethod
    def load(cls, node: Node) -> Stage:
        """Read the stage that the context's ``stage`` names.

        Raises:
            ValueError: There is no such stage, or its entry has a wrong name or type in it.
        """
        name, stages = node.try_get_context("stage"), node.try_get_context("stages")
        if name not in stages:
            raise ValueError(f"no stage {name!r} in cdk.json; it has {', '.join(stages)}")
        return msgspec.convert({"name": name, **stages[name]}, cls)

    @property
    def metrics(self) -> str:
        """The namespace of the stage's own metrics."""
        return f"{METRICS_NAMESPACE}/{self.name}"

    @property
    def removal(self) -> cdk.RemovalPolicy:
        """What happens to data and logs when the stack goes."""
        return cdk.RemovalPolicy.RETAIN if self.retain else cdk.RemovalPolicy.DESTROY


def caller_tokens(scope: Construct, stage: Stage) -> dict[Variable, str]:
    """Declare the stack's parameters about callers' tokens, as environment of ``authorize``.

    They are parameters so that one template serves whatever issuer it is deployed with; on
    one machine the issuer's port is not known before it runs.
    """
    # Whoever is on the way of plain HTTP could sign tokens for any tenant.
    url = r"https?://\S+" if stage.runtime.host else r"https://\S+"
    asked = (
        (Variable.ISSUER, "Issuer", stage.issuer, url, "The exact iss of callers' tokens"),
        (Variable.AUDIENCE, "Audience", stage.audience, r"\S+", "The exact aud of callers' tokens"),
        (Variable.JWKS_URL, "JwksUrl", stage.jwks_url, url, "Where the issuer's keys are"),
        (Variable.TENANT_CLAIM, "TenantClaim", stage.tenant_claim, r"\S+", "The tenant's claim"),
    )
    return {
        variable: cdk.CfnParameter(
            scope, name, default=default, allowed_pattern=pattern, description=description
        ).value_as_string
        for variable, name, default, pattern, description in asked
    }
