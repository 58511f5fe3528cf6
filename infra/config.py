"""The settings of a stage, read from the CDK context."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Annotated, Final, Literal

import aws_cdk as cdk
import msgspec
from aws_cdk import aws_logs as logs
from msgspec.structs import asdict

from functions.connectors.registry import Provider
from functions.core import schedules
from functions.core.budget import BudgetLimit
from functions.core.bulk.model import BulkOptions
from functions.core.bulk.run import check
from functions.core.contract import METRICS_NAMESPACE, Console, Variable
from functions.core.errors import InvalidRequest
from functions.core.freshness.receipt import PublicKey

if TYPE_CHECKING:
    from constructs import Construct, Node

Architecture = Literal["arm64", "x86_64"]
Origin = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?!http:.*:80$|https:.*:443$)https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?$"
    ),
]
"""Where a browser application is served from, as browsers write it: ``https://app.example.com``.
They write no path, no upper case and no port that is the scheme's own."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Address = Annotated[str, msgspec.Meta(pattern=r"^https://\S+$")]
"""By plain HTTP, what is on the way could sign tokens for any tenant."""
Word = Annotated[str, msgspec.Meta(pattern=r"^\S+$")]

UNSET: Final = {
    "issuer": "the API lets nothing in",
    "audience": "the API lets nothing in",
    "jwks_url": "the API lets nothing in",
    "alarm_email": "alarms are shown in CloudWatch and sent to no one",
    "protect": "the stack and its tables can be deleted by mistake; set it after the first "
    "deployment has succeeded, not before",
}
"""What follows while a stage does not set these."""


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
            schedules.check(self.expression)
            check(self.options, providers=tuple(Provider))
        except InvalidRequest as error:
            raise ValueError(str(error)) from None


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the console signs a person in at the stage's issuer.

    ``client_id`` is a public client there, ``scope`` what it asks for, and ``audience`` whom the
    token is to be for, at an issuer that wants to be told. ``connect`` are the origins of what the
    issuer has on other hosts than its own: its token endpoint, mostly.
    """

    client_id: Word
    scope: str = "openid"
    audience: Word | None = None
    connect: tuple[Origin, ...] = ()


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
    ``events`` there is no run by the clock.

    ``receipt_key`` is the number of the key that signs receipts: another number makes another key,
    see ``docs/operations.md``. ``retired_receipt_keys`` verify what earlier ones have signed.

    ``issuer``, ``audience`` and ``jwks_url`` name the issuer of the tokens that the API takes;
    without one of them it takes none. Where this machine is the runtime, they can be given at
    deployment instead.

    ``console`` says how the console signs a person in; where it is true, the person pastes a token,
    and where it is false, the stage has no console.

    With ``retain`` data and logs outlive the stack. ``protect`` has AWS refuse to delete the stack
    or a table. It is for a stack that is there: a first deployment that fails has to delete what it
    made, or the next one meets its leavings. ``account_log_role`` has the stack set the one role by
    which API Gateway writes logs for the whole account and region; without it there has to be one.
    """

    name: str
    log_retention: logs.RetentionDays
    requests_per_second: int
    burst: int
    tenant: BudgetLimit | None = None
    allowed_origins: tuple[Origin, ...] = ()
    bulk_concurrency: int = 50
    api_concurrency: Annotated[int, msgspec.Meta(ge=1)] | None = None
    nightly: Nightly | None = None
    receipt_key: Annotated[int, msgspec.Meta(ge=1)] = 1
    retired_receipt_keys: tuple[PublicKey, ...] = ()
    tenant_claim: Word = "tenant"
    issuer: Address | None = None
    audience: Word | None = None
    jwks_url: Address | None = None
    console: SignIn | bool = True
    runtime: Runtime = msgspec.field(default_factory=Runtime.of_host)
    log_level: LogLevel = "INFO"
    retain: bool = False
    protect: bool = False
    account_log_role: bool = True
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
    def webhooks_to_loopback(self) -> bool:
        """Whether events are sent to this machine's own addresses: only where it is the runtime."""
        return self.runtime.host

    @property
    def removal(self) -> cdk.RemovalPolicy:
        """Removal policy of data and logs. A creation that fails deletes them in any case."""
        kept = cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        return kept if self.retain else cdk.RemovalPolicy.DESTROY

    @property
    def unset(self) -> dict[str, str]:
        """Settings that the operator may have forgotten, and the effect; none on one machine."""
        fine = {"protect"} if not self.retain else set()
        return {
            name: effect
            for name, effect in UNSET.items()
            if not self.runtime.host and name not in fine and not getattr(self, name)
        }


def console_of(stage: Stage, *, issuer: str | None) -> Console | None:
    """What the function must know of the console; none where the stage has none.

    Without an issuer there is no client there either.
    """
    if stage.console is False:
        return None
    if stage.console is True or issuer is None:
        return Console(stage=stage.name, issuer=issuer)
    return Console(stage=stage.name, issuer=issuer, **asdict(stage.console))


def caller_tokens(scope: Construct, stage: Stage) -> dict[Variable, str]:
    """Environment of ``authorize``: the issuer of good tokens. What is not known is left out.

    On one machine the issuer's port is not known before it runs: there the stack has parameters
    for it. In an account a parameter would keep its first value whatever the stage says later.
    """
    asked = (
        (Variable.ISSUER, "Issuer", stage.issuer),
        (Variable.AUDIENCE, "Audience", stage.audience),
        (Variable.JWKS_URL, "JwksUrl", stage.jwks_url),
    )
    told = {Variable.TENANT_CLAIM: stage.tenant_claim}
    for variable, name, value in asked:
        if value is not None:
            told[variable] = value
        elif stage.runtime.host:
            told[variable] = cdk.CfnParameter(scope, name).value_as_string
    return told
