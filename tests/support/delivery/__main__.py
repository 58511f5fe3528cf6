"""Runs the world of ``tests.support.delivery.world`` many times and prints what has happened.

``python -m tests.support.delivery --runs 2000`` ends with 0 if nothing is wrong. ``--lags`` has what
is due found by an index that lags, as a global one does: that loses deliveries.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.support.delivery.world import World


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--lags", action="store_true")
    given = parser.parse_args()
    counts, killed, bad = Counter[str](), Counter[str](), dict[int, list[str]]()
    for seed in range(given.first_seed, given.first_seed + given.runs):
        world = World(seed, lags=given.lags)
        if wrong := world.run():
            bad[seed] = wrong
        counts += world.sum_up()
        killed += world.killed
    out = sys.stdout.write
    out(f"{given.runs} runs, {len(bad)} of them bad\n")
    for name, number in sorted(counts.items()):
        out(f"  {number:>8} {name}\n")
    out("calls killed, by the step before or after which they died\n")
    for name, number in sorted(killed.items()):
        out(f"  {number:>8} {name}\n")
    for seed, wrong in list(bad.items())[:10]:
        out(f"seed {seed}: {'; '.join(wrong[:3])}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
