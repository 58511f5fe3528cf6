"""Serves one simulator until it is told to stop: `python -m infra.local.simulators banno`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import TYPE_CHECKING

import msgspec

from infra.local.simulators.registry import SIMULATORS
from infra.local.simulators.server import PortUnavailableError, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_HIGHEST_PORT = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until Ctrl-C or SIGTERM; the exit status is 2 if the port can't be had."""
    asked = _parser().parse_args(arguments)
    simulator, stop = SIMULATORS[asked.name], threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with serve(simulator.create_app(), port=asked.port) as base_url:
            _tell(asked.name, simulator.facts(base_url), as_json=asked.json)
            stop.wait()
    except PortUnavailableError as problem:
        print(f"The {asked.name} simulator can't listen on {problem}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local.simulators",
        description="A provider, or a receiver of events, on loopback.",
    )
    parser.add_argument("name", choices=sorted(SIMULATORS), help="which one")
    parser.add_argument("--port", type=_port, default=0, help="0, the default, takes any free one")
    parser.add_argument("--json", action="store_true", help="tell the facts in one line of JSON")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"from 0 to {_HIGHEST_PORT}")
    return port


def _tell(name: str, facts: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode({"name": name, **facts}).decode(), flush=True)
    else:
        print("\n".join([f"{name} simulator; Ctrl-C ends it", *_lines(facts)]), flush=True)


def _lines(facts: Mapping[str, object]) -> Iterator[str]:
    for name, value in facts.items():
        if isinstance(value, list):
            yield f"\n{name.replace('_', ' ')}:"
            yield from (f"  {_line(each)}" for each in value)
        else:
            yield f"{name.replace('_', ' '):>16}  {value}"


def _line(value: object) -> str:
    return "  ".join(map(str, value.values())) if isinstance(value, dict) else str(value)


if __name__ == "__main__":
    sys.exit(main())
