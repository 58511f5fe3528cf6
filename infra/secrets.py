"""One secret for each provider: the application's own credentials there, never a user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from functions.connectors.registry import Provider

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

    from infra.config import Stage


class ProviderSecrets(Construct):
    """``by_provider``: each provider's secret, called ``prefix`` plus the provider's name.

    They are made as an empty JSON object that an operator replaces; a later deployment
    leaves what the operator wrote alone.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: kms.IKey) -> None:
        super().__init__(scope, id_)
        self.prefix = f"freshet/{stage.name}/providers/"
        self.by_provider = {
            provider: secretsmanager.Secret(
                self,
                provider.name.title(),
                secret_name=f"{self.prefix}{provider}",
                description=f"Freshet's own credentials at {provider}",
                secret_string_value=cdk.SecretValue.unsafe_plain_text("{}"),
                encryption_key=key,
                removal_policy=stage.removal,
            )
            for provider in Provider
        }
