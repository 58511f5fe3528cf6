"""What differs between two reads, by the digests of what was read."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.aws.objects.diff import ABSENT, DIGEST_BYTES, Mark, compare
from functions.core.errors import Gone

MILLION = """
from hashlib import blake2b
from benchmarks.measure import peak_mb
from functions.aws.objects.diff import compare

def marks(numbers, *, changed=0):
    for number in numbers:
        value = number + (number < changed)
        yield tuple(blake2b(b"%d" % each, digest_size=16).digest() for each in (number, value))

many = 1_000_000
old, new = range(many), reversed(range(5_000, many + 5_000))
changed, missing = compare(marks(old), marks(new, changed=15_000), most=200_000)
print(len(changed), len(missing), peak_mb())
"""


def digest(number: int) -> bytes:
    return number.to_bytes(DIGEST_BYTES, "big")


MARKS = st.lists(st.tuples(st.integers(0, 200).map(digest), st.integers(0, 3).map(digest)))
"""Few records, so that they come again; the value 0 is that of a deletion."""


def there(marks: list[Mark]) -> dict[bytes, tuple[bytes, int]]:
    last = {identity: (value, place) for place, (identity, value) in enumerate(marks)}
    return {identity: found for identity, found in last.items() if found[0] != ABSENT}


@given(old=MARKS, new=MARKS)
def test_the_places_are_those_of_the_last_marks_that_differ(
    old: list[Mark], new: list[Mark]
) -> None:
    before, after = there(old), there(new)
    changed, missing = compare(old, new, most=1000)
    assert changed == {
        place
        for identity, (value, place) in after.items()
        if before.get(identity, (b"",))[0] != value
    }
    assert missing == {place for identity, (_, place) in before.items() if identity not in after}


def test_more_than_the_most_is_not_told() -> None:
    old, new = ([(digest(number), digest(1)) for number in numbers] for numbers in ((1, 2), (2, 3)))
    assert compare(old, new, most=2) == ({1}, {0})
    with pytest.raises(Gone):
        compare(old, new, most=1)


def test_a_million_records_are_compared_in_a_hundred_megabytes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MILLION], capture_output=True, text=True, check=True, timeout=120
    )
    changed, missing, peak = done.stdout.split()
    assert (changed, missing) == ("15000", "5000")
    assert float(peak) < 100
