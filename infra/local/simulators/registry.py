"""The simulators there are, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from infra.local.simulators import banno, digime, endgrate
from infra.local.simulators.banno import bank as banno_demo
from infra.local.simulators.digime import sharing as digime_demo
from infra.local.simulators.endgrate import provider as endgrate_demo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask


class CreateApp(Protocol):
    """Makes a simulator with state of its own."""

    def __call__(self, *, clock: Callable[[], float] = ...) -> Flask:
        """Takes the seconds since 1970 from a clock, by default this machine's."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """How to make a simulator, and what to tell about one that is served at a base address."""

    create_app: CreateApp
    facts: Callable[[str], Mapping[str, object]]


SIMULATORS = {
    "banno": Simulator(banno.create_app, banno_demo.facts),
    "digime": Simulator(digime.create_app, digime_demo.facts),
    "endgrate": Simulator(endgrate.create_app, endgrate_demo.facts),
}
