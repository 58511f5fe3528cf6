"""The integration providers that end users can choose: invented ones, each with its types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from infra.local.simulators.endgrate.kinds import (
    COMPANY,
    CONTACT,
    CUSTOM,
    DEAL,
    KINDS,
    PAGE_VIEWS,
    TICKET,
    Kind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.local.simulators.endgrate.resources import Resource


class Method(StrEnum):
    """Which way a transfer goes: what the API calls pull and push."""

    IMPORT = "IMPORT"
    EXPORT = "EXPORT"


@dataclass(frozen=True, slots=True)
class Provider:
    """A system of the end user's that Endgrate integrates with."""

    name: str
    display: str
    auth_type: Literal["oauth", "api_key", "custom"]
    category: str
    kinds: tuple[str, ...]

    def supports(self, resources: Iterable[Resource]) -> bool:
        """Whether it has records of all these types; a customer's own are matched with anything."""
        return all(each.kind is None or each.kind.name in self.kinds for each in resources)

    def info(self) -> dict[str, object]:
        """The `provider_info` of several answers."""
        return {
            "name": self.name,
            "display_name": self.display,
            "url": f"https://{self.name}.example/",
            "image": f"https://{self.name}.example/logo.png",
            "auth_type": self.auth_type,
            "specific": {},
            "endgrate_provider_type": self.category,
        }

    def row(self) -> dict[str, object]:
        """The provider with its integrations, as the list of integrations has it."""
        known = [KINDS[name] for name in self.kinds]
        own = [CUSTOM] if self.category == CUSTOM.category else []
        return {"provider": self.info(), "integrations": [_row(kind) for kind in [*known, *own]]}


def _row(kind: Kind) -> dict[str, object]:
    return {
        "display_name": kind.display,
        "endgrate_type": kind.name,
        "supports_push": kind.pushable,
        "supports_pull": True,
        "is_custom_object": kind is CUSTOM,
        "supports_associations": bool(kind.associated),
    }


def integration_info(resource: Resource, method: Method) -> dict[str, object]:
    """The `integration_info` of several answers."""
    kind = resource.kind
    singular, plural = (kind.display, kind.plural) if kind else (resource.name, resource.name)
    verb = "Get" if method is Method.IMPORT else "Push"
    return {
        "name": f"{verb} {plural}".lower().replace(" ", "-"),
        "display_name": f"{verb} {plural}",
        "method": method.value,
        "endgrate_type": kind.name if kind else singular,
        "supports_associations": bool(kind and kind.associated),
    }


_ALL = (
    Provider("greenspot", "GreenSpot", "oauth", "CRM", (CONTACT, COMPANY, DEAL, TICKET)),
    Provider("saplingforce", "SaplingForce", "api_key", "CRM", (CONTACT, COMPANY, DEAL)),
    Provider("leafmetrics", "LeafMetrics", "oauth", "ANALYTICS", (PAGE_VIEWS,)),
)
PROVIDERS = {provider.name: provider for provider in _ALL}
