"""The rooms with sockets: they reach this machine and nothing else."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "169.254.169.254"])
def test_no_other_machine_is_reached(host: str) -> None:
    with (
        socket.socket() as way_out,
        pytest.raises((RuntimeError, UserWarning), match=r"tried to use socket"),
    ):
        way_out.connect((host, 80))
