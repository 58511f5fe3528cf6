"""Every provider's stand, for the connectors' suite. A new provider is one entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.connectors.registry import Provider
from tests.contract.banno_stand import BANNO
from tests.contract.digime_stand import DIGIME

if TYPE_CHECKING:
    from tests.contract.stand import Stand

STANDS: dict[str, Stand] = {Provider.BANNO: BANNO, Provider.DIGIME: DIGIME}
