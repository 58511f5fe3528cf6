"""What is measured of watches, against counting by hand."""

from __future__ import annotations

from random import Random
from statistics import quantiles

from functions.core.freshness.measure import MOST_AGES, Measured, measure
from functions.core.freshness.objectives import Watch

AT = 1_800_000_000.0


def a_watch(provider: str = "banno", *, age: float = 60, **changes: int) -> Watch:
    found: dict[str, float] = {"max_age_seconds": 900, "age_from": AT - age, **changes}
    return Watch(connection_id="con", tenant="acme", provider=provider, version=1, **found)  # type: ignore[arg-type]


def test_watches_are_counted_by_provider_and_breached_ones_among_them() -> None:
    watches = [a_watch(age=70), a_watch(age=1000, breached_at=int(AT)), a_watch("digime")]
    assert measure(watches, at=AT) == {
        "banno": Measured(watches=2, breached=1, ages=[70, 1000]),
        "digime": Measured(watches=1, breached=0, ages=[60]),
    }


def test_one_that_no_look_has_found_yet_does_not_count() -> None:
    assert measure([a_watch(max_age_seconds=0)], at=AT) == {}


def test_an_age_that_is_not_known_is_none_and_one_ahead_of_the_clock_is_0() -> None:
    unknown, ahead = a_watch(age_from=0, breached_at=1), a_watch(age=-3)
    assert measure([unknown, ahead], at=AT)["banno"] == Measured(watches=2, breached=1, ages=[0])


def test_few_ages_are_all_told() -> None:
    assert Measured(ages=[3, 1, 2]).sample_ages() == [1, 2, 3]
    assert Measured().sample_ages() == []


def test_the_percentiles_of_many_are_those_of_all() -> None:
    random = Random(7)  # noqa: S311 - a sample
    ages = [random.expovariate(1 / 3600) for _ in range(20_000)]
    told = Measured(ages=ages).sample_ages()
    assert len(told) == MOST_AGES
    below = [sum(one <= age for one in ages) / len(ages) for age in told]
    for share, place in zip(below, range(MOST_AGES), strict=True):
        assert abs(share - (place + 0.5) / MOST_AGES) < 0.01
    assert quantiles(told, n=20)[18] > quantiles(told, n=20)[9]
