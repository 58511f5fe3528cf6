"""The unit room itself."""

from __future__ import annotations

import os
import socket

import pytest


def test_no_socket_can_be_opened() -> None:
    with pytest.raises((RuntimeError, UserWarning), match=r"tried to use socket"):
        socket.socket()


def test_no_account_is_at_hand() -> None:
    names = [name for name in os.environ if name.startswith(("FRESHET_", "AWS_"))]
    assert sorted(names) == [
        "AWS_CONFIG_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_SHARED_CREDENTIALS_FILE",
        "FRESHET_ALLOWED_ORIGINS",
        "FRESHET_CONSOLE",
        "FRESHET_TENANT_LIMIT",
    ]
