"""What a stage says of itself. No token is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freshet_client.exchange import Call
from freshet_client.methods import Calls, Operation
from freshet_client.models import ConsoleOut, ErrorNamesOut

if TYPE_CHECKING:
    from freshet_client.flows.effects import Flow


class Stage(Calls):
    """Calls about the stage."""

    @Operation
    def list_errors(self) -> Flow[ErrorNamesOut]:
        """List all errors, with who has to do what."""
        return self.exchange.send(Call("GET", "/errors", ErrorNamesOut, is_open=True))

    @Operation
    def read_console_config(self) -> Flow[ConsoleOut]:
        """Read which issuer the stage's console signs people in at; 404 where it has none."""
        return self.exchange.send(Call("GET", "/console/config.json", ConsoleOut, is_open=True))

    @Operation
    def read_description(self) -> Flow[dict[str, Any]]:
        """Read the OpenAPI document of the API."""
        return self.exchange.send(Call("GET", "/openapi.json", dict[str, Any], is_open=True))
