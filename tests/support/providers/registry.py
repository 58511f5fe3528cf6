"""Finds every provider case in ``tests.contract.provider_cases``.

A provider is a module there, or a folder with an ``__init__.py``, that has a ``CASE``.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from tests.contract import provider_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.providers.case import ProviderCase


def _find_all() -> Iterator[tuple[str, ProviderCase]]:
    for there in iter_modules(provider_cases.__path__):
        module = import_module(f"{provider_cases.__name__}.{there.name}")
        if case := getattr(module, "CASE", None):
            yield there.name, case


CASES: dict[str, ProviderCase] = dict(_find_all())
WITH_TOKENS = [name for name, case in CASES.items() if case.entry.credentials]
"""The providers whose connections have credentials of their own."""
