"""MiniStack, patched, on a socket. Its settings have to be in the environment before."""

import asyncio
import socket

import hypercorn.asyncio
from hypercorn.config import Config
from ministack.app import app

from infra.local.emulator import access, executions, gateway, lambdas, objects, resources, schedules

PATCHES = (access, executions, gateway, lambdas, objects, resources, schedules)


def serve(server: socket.socket) -> None:
    """Answers requests until a signal ends the program.

    Raises:
        PatchOutdatedError: this is not the MiniStack that the patches were written for.
    """
    for patches in PATCHES:
        patches.apply()
    config = Config()
    config.bind = [f"fd://{server.detach()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    asyncio.run(hypercorn.asyncio.serve(app, config))
