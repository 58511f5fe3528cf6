"""What another shell needs to call a running system: variables, and settings of the client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from infra.local.aws import ROOT
from infra.local.providers import DEMOS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.local.system import System

USER: Final = "ben"
"""Who has just signed in at Banno, and can be registered as one more connection."""

PROFILE: Final = "profile.toml"
TOKEN: Final = "token"  # noqa: S105 - the name of a file
COMMAND: Final = f"FRESHET_CONFIG={ROOT}/.local/{PROFILE} {ROOT}/.venv/bin/freshet connections"


def variables(running: System, *, token: str, connections: Mapping[str, str]) -> dict[str, str]:
    """The variables of the docs' examples by name.

    Args:
        running: the system.
        token: of the tenant that has the connections.
        connections: ids by what they are of, a provider and its user.
    """
    signed_in = DEMOS["banno"].connection(running.providers["banno"], USER)
    return {
        "API": f"{running.api}/v1",
        "TOKEN": token,
        "CONNECTION": connections["banno/ada"],
        "ENDGRATE": connections["endgrate/fern"],
        "SUBJECT": signed_in["subject"],
        "ACCESS_TOKEN": signed_in["credentials"]["access_token"],
        "REFRESH_TOKEN": signed_in["credentials"]["refresh_token"],
        "RECEIVER": running.receiver["base_url"],
    }


def write_profile(folder: Path, *, api: str, token: str) -> None:
    """Write a profile, and beside it the token, each for its owner only."""
    told = f'[profile.local]\napi = {json.dumps(api)}\ntoken_file = "{TOKEN}"\n'
    for name, text in ((PROFILE, told), (TOKEN, token)):
        path = folder / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
