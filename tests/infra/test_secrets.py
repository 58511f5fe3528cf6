"""Which door may read which provider's secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.connectors.registry import Provider
from functions.core.contract import Door
from tests.infra.template import flat, listed

if TYPE_CHECKING:
    from tests.infra.template import Template


def _readable_secrets(template: Template, door: Door) -> list[Any]:
    (statement,) = [
        each
        for each in template.statements(f"{door.title().replace('_', '')}DoorRole")
        if each["Action"] == "secretsmanager:GetSecretValue"
    ]
    return listed(statement["Resource"])


def test_a_door_that_speaks_to_a_provider_may_read_every_provider_s_secret(local: Template) -> None:
    assert len(_readable_secrets(local, Door.TRIGGER)) == len(Provider)


@pytest.mark.parametrize(
    ("door", "providers"),
    [
        pytest.param(Door.API, ["Banno", "Endgrate"], id="who-checks-settings-and-begins-connections"),
        pytest.param(Door.PUSH, ["Endgrate"], id="who-pushes"),
    ],
)  # fmt: skip
def test_another_door_may_read_the_secrets_that_it_needs(
    local: Template, door: Door, providers: list[str]
) -> None:
    secrets = [flat(each) for each in _readable_secrets(local, door)]
    assert len(secrets) == len(providers)
    assert all(name in secret for name, secret in zip(providers, secrets, strict=True))
