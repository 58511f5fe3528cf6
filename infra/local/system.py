"""The whole system on this machine, for the time of a block: what `make run` and the tests use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import requests

from infra.local.aws import ROOT, api_url, emulator, session
from infra.local.deploy import deploy
from infra.local.issuer import AUDIENCE, TENANTS, Issuer, issuing
from infra.local.programs import free_port, running
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STACK: Final = "Freshet-local"
STAGE: Final = "local"
EMULATOR_PORT: Final = 4566
TENANT: Final = TENANTS[0]
APPLICATIONS: Final = {
    TENANT: {
        "name": "Freshet's demo",
        "return_urls": ["http://127.0.0.1/signed-in"],
        "provider_names": {"banno/garden": "Garden Community Bank"},
    }
}
RECEIVER: Final = "receiver"
USUAL_PORTS: Final = {"banno": 9001, "digime": 9002, "endgrate": 9003, RECEIVER: 9004}


class SynthesisError(RuntimeError):
    """The stack could not be synthesised; the text is what the synthesis said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A running system: where its parts are.

    ``endpoint`` is the local AWS, ``api`` the address of the API's stage (``…/v1/…`` follows),
    ``outputs`` the stack's, ``providers`` each simulator's facts by name, ``receiver`` those of the
    receiver of events.
    """

    endpoint: str
    api: str
    outputs: Mapping[str, str]
    issuer: Issuer
    providers: Mapping[str, Mapping[str, Any]]
    receiver: Mapping[str, Any]

    @property
    def console(self) -> str:
        """The address of the console."""
        return f"{self.api}/v1/console"

    def redirect_uri(self, provider: str) -> str:
        """Where a provider sends the browsers of users who have signed in."""
        return f"{self.api}/v1/connect/callbacks/{provider}/{DEMOS[provider].name}"

    def register(self, provider: str) -> None:
        """Register the redirect URI at a simulator that has a list of them, until its reset."""
        facts = self.providers[provider]
        if "redirect_uris" in facts:
            requests.post(
                f"{facts['base_url']}/_simulator/settings",
                json={"redirect_uris": [self.redirect_uri(provider)]},
                timeout=10,
            ).raise_for_status()

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """A client of the local AWS."""
        make: Any = session().client
        return make(service, endpoint_url=self.endpoint)


@contextmanager
def system(
    folder: Path, *, assembly: Path, iam: bool = False, usual_ports: bool = False
) -> Iterator[System]:
    """Run everything and deploy the stack.

    Args:
        folder: takes the logs.
        assembly: the synthesised stack.
        iam: whether the local AWS enforces the roles' policies.
        usual_ports: take the ports that the docs name, where they are free.
    """
    with ExitStack() as stack:
        issuer = stack.enter_context(issuing())
        port = free_port(EMULATOR_PORT if usual_ports else 0)
        endpoint = stack.enter_context(emulator(port, folder, iam=iam))
        simulators = {
            name: stack.enter_context(
                simulator(
                    name,
                    log=folder / f"{name}.log",
                    port=free_port(USUAL_PORTS.get(name, 0) if usual_ports else 0),
                )
            )
            for name in (*DEMOS, RECEIVER)
        }
        outputs = deploy(
            assembly,
            endpoint=endpoint,
            stack=STACK,
            parameters={
                "Issuer": issuer.url,
                "Audience": AUDIENCE,
                "JwksUrl": issuer.jwks_url,
            },
        )
        running_system = System(
            endpoint=endpoint,
            api=api_url(endpoint, outputs["ApiId"], stage=STAGE),
            outputs=outputs,
            issuer=issuer,
            receiver=simulators.pop(RECEIVER),
            providers=simulators,
        )
        _give_secrets(running_system)
        issuer.console = running_system.console
        yield running_system


def synthesise(assembly: Path) -> Path:
    """Write the cloud assembly of stage ``local`` and give its folder.

    Raises:
        SynthesisError: with what the synthesis said.
    """
    if shutil.which("node") is None:
        raise SynthesisError("Node.js 20 or newer is not on the PATH; the CDK runs on it.")
    # CloudFormation's own validation adds seconds to each synthesis; the tests run it.
    environment = {
        **os.environ,
        "CDK_OUTDIR": str(assembly),
        "CDK_VALIDATION": "false",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, ROOT / "app.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SynthesisError(done.stderr.strip() or done.stdout.strip())
    return assembly


@contextmanager
def simulator(name: str, *, log: Path, port: int) -> Iterator[dict[str, Any]]:
    """A simulator in a process of its own; yields its facts."""
    command = [sys.executable, "-m", "infra.local.simulators", name, "--json", "--port", str(port)]
    settings = {"PYTHONPATH": str(ROOT)}
    # It prints its facts once it listens; the rest of its output is for readers of the log.
    with running(command, log=log, ready=lambda: bool(_facts(log)), settings=settings):
        yield _facts(log)


def _facts(log: Path) -> dict[str, Any]:
    """The facts that a simulator has printed, a line of JSON; empty until then."""
    lines = log.read_text().splitlines(keepends=True)
    told = (line for line in lines if line.startswith("{") and line.endswith("\n"))
    facts: dict[str, Any] = json.loads(next(told, "{}"))
    return facts


def _give_secrets(running_system: System) -> None:
    """Put each provider's application secret where an operator would, and register there."""
    client = running_system.client("secretsmanager")
    hooks_url = f"{running_system.api}/v1/hooks"
    for name, facts in running_system.providers.items():
        own = {"hooks_url": hooks_url, "redirect_uri": running_system.redirect_uri(name)}
        client.put_secret_value(
            SecretId=running_system.outputs[f"{name.title()}SecretArn"],
            SecretString=json.dumps(DEMOS[name].secret({**facts, **own})),
        )
        running_system.register(name)
    client.put_secret_value(
        SecretId=running_system.outputs["ApplicationsSecretArn"],
        SecretString=json.dumps(APPLICATIONS),
    )
