"""Whatever is refreshed in whatever order, each dataset's parts are those of its last fetch."""

from __future__ import annotations

from itertools import count
from typing import Final, NamedTuple

import hypothesis.strategies as st
from hypothesis import given
from msgspec.structs import replace

from functions.core.model import Dataset, Manifest, Part, PartState
from functions.core.refresh import snapshot
from tests.support.scripted_connector import a_refresh

NAMES: Final = ("accounts", "transactions", "cards")
DATASETS: Final = st.sets(st.sampled_from(NAMES), min_size=1).map(sorted).map(tuple)
EMPTY: Final = Dataset(refresh_id="", as_of=0, records=0, deletions=0, files=())
BEGAN: Final = 1_800_000_000
DATELESS: Final = {PartState.GONE, PartState.FAILED}


class Told(NamedTuple):
    """One refresh of these datasets, and the states of their parts."""

    datasets: tuple[str, ...]
    parts: list[Part]


@st.composite
def refreshes(draw: st.DrawFn) -> Told:
    datasets = draw(DATASETS)
    part = st.builds(
        Part,
        part=st.sampled_from(["p", "q", "r"]),
        state=st.sampled_from(PartState),
        as_of=st.integers(BEGAN - 9, BEGAN - 1),
        datasets=st.sets(st.sampled_from(datasets)).map(sorted).map(tuple),
    )
    return Told(datasets, draw(st.lists(part, unique_by=lambda one: one.part)))


def of(parts: list[Part] | tuple[Part, ...], name: str) -> list[tuple[str, PartState, float]]:
    """The parts of a dataset; a part that names none is of all."""
    return [(one.part, one.state, one.as_of) for one in parts if name in (one.datasets or NAMES)]


@given(st.lists(refreshes(), min_size=1, max_size=6))
def test_each_dataset_s_parts_are_those_of_its_last_fetch(course: list[Told]) -> None:
    manifest: Manifest | None = None
    known: dict[str, list[tuple[str, PartState, float]]] = {}
    ages: dict[str, float] = {}
    for at, (datasets, parts) in zip(count(BEGAN), course, strict=False):
        manifest = snapshot.build_manifest(
            a_refresh(f"ref_{at}", at=at, datasets=datasets, triggered_at=at),
            fetched=dict.fromkeys(datasets, replace(EMPTY, as_of=at)),
            parts=parts,
            labels={},
            before=manifest,
            at=at,
        )
        known |= {name: of(parts, name) for name in datasets}
        for name in datasets:
            dated = [age for _, state, age in known[name] if state not in DATELESS]
            ages[name] = min(dated, default=at)
        assert {name: of(manifest.parts, name) for name in known} == known
        assert {name: each.as_of for name, each in manifest.datasets.items()} == ages
        assert manifest.as_of == min(ages.values())
        own = snapshot.narrow(manifest, datasets)
        assert {name: of(own.parts, name) for name in datasets} == {
            name: known[name] for name in datasets
        }
        assert len(own.parts) == len(parts)
