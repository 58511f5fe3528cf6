"""The CDK app: one stack, of the stage that the context names (``-c stage=…``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import aws_cdk as cdk

from infra import security
from infra.config import Stage
from infra.stack import FreshetStack

CONTEXT: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "cdk.json").read_text(encoding="utf-8")
)["context"]
"""What the CDK's command line reads too; it overrides this with its own ``-c``."""


def freshet(app: cdk.App) -> FreshetStack:
    """Add the stack of the app's stage, and the rules that it must meet."""
    stage = Stage.load(app.node)
    stack = FreshetStack(app, f"Freshet-{stage.name}", stage=stage)
    security.check(app, stack)
    return stack


if __name__ == "__main__":
    app = cdk.App(context=CONTEXT)
    freshet(app)
    app.synth()
