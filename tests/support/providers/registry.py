"""Every provider's stand, for the connectors' suite: what is found in ``stands``.

A provider is a module there, or a folder with an ``__init__.py``, that has a ``STAND``.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from tests.contract import stands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.providers.case import Stand


def _found() -> Iterator[tuple[str, Stand]]:
    for there in iter_modules(stands.__path__):
        module = import_module(f"{stands.__name__}.{there.name}")
        if stand := getattr(module, "STAND", None):
            yield there.name, stand


STANDS: dict[str, Stand] = dict(_found())
WITH_TOKENS = [name for name, stand in STANDS.items() if stand.entry.credentials]
"""The providers whose connections have credentials of their own."""
