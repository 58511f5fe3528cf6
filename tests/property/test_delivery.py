"""Whatever dies, is lost or doubled, all that has ended is told, and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.delivery.world import World


@settings(max_examples=60)
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_all_that_has_ended_is_told_on_the_bus_and_to_each_endpoint(seed: int) -> None:
    assert World(seed).run() == []


def test_an_index_that_lags_loses_deliveries() -> None:
    """What the world is for: it finds the fault that a global index would be."""
    found = {
        fault.partition(" is ")[2] for seed in range(30) for fault in World(seed, lags=True).run()
    }

    assert any(fault.startswith("pending at end_") for fault in found)
