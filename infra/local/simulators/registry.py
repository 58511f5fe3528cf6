"""Finds the simulators there are, by name: what is here and has ``create_app`` and ``facts``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Protocol

from infra.local import simulators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask import Flask


class CreateApp(Protocol):
    """Makes a simulator with state of its own."""

    def __call__(self, *, clock: Callable[[], float] = ...) -> Flask:
        """Takes the seconds since 1970 from a clock, by default this machine's."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """The factory of a simulator, and its facts once it is served at a base address."""

    create_app: CreateApp
    facts: Callable[[str], Mapping[str, object]]


def _find_all() -> Iterator[tuple[str, Simulator]]:
    names = (there.name for there in iter_modules(simulators.__path__))
    for name in names:
        if not name.startswith("_"):
            module = import_module(f"{simulators.__name__}.{name}")
            if hasattr(module, "create_app") and hasattr(module, "facts"):
                yield name, Simulator(module.create_app, module.facts)


SIMULATORS = dict(_find_all())
