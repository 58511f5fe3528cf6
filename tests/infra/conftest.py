"""One synthesis of each stage for the whole room."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest

from app import CONTEXT, freshet
from tests.support.cloudformation.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable

WITHOUT_ASSET: dict[str, list[str]] = {"aws:cdk:bundling-stacks": []}
"""What the asset holds is another test's matter."""


@pytest.fixture(scope="session")
def new_app() -> Callable[..., cdk.App]:
    """An app with values of its own in the context; another test has CDK validate it."""

    def made(**context: object) -> cdk.App:
        return cdk.App(
            context=CONTEXT | WITHOUT_ASSET | context, builtin_cloud_formation_validation=False
        )

    return made


@pytest.fixture(scope="session")
def synthesised(new_app: Callable[..., cdk.App]) -> Callable[..., Template]:
    """The template of a stage; that of the same context is made once."""
    made: dict[str, Template] = {}

    def synthesise(**context: object) -> Template:
        key = json.dumps(context, sort_keys=True)
        if key not in made:
            app = new_app(**context)
            freshet(app)
            (stack,) = app.synth().stacks
            made[key] = Template(stack.template)
        return made[key]

    return synthesise


@pytest.fixture(scope="session")
def local(synthesised: Callable[..., Template]) -> Template:
    return synthesised(stage="local")


@pytest.fixture(scope="session")
def prod(synthesised: Callable[..., Template]) -> Template:
    return synthesised(stage="prod")


@pytest.fixture(scope="session")
def stages() -> dict[str, Any]:
    """The stages of cdk.json."""
    return dict(CONTEXT["stages"])
