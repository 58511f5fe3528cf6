"""Starts the local AWS on a port of the loopback interface, until a signal ends it."""

import argparse
import errno
import importlib
import os
import socket

HOST = "127.0.0.1"


def listening(port: int) -> socket.socket:
    """A socket bound to the port.

    Raises:
        SystemExit: the port is in use, with what to do.
    """
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((HOST, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        message = f"port {port} of {HOST} is in use: end what listens there or choose another"
        raise SystemExit(message) from None
    return server


def settings(port: int, *, iam: bool) -> dict[str, str]:
    """The variables by which MiniStack is set up, which it reads when it is imported."""
    return {
        "GATEWAY_PORT": str(port),
        "AUTH": str(iam).lower(),
        "IOT_MTLS_ENABLED": "0",  # would listen on every interface
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(prog="infra.local.emulator", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help=f"of {HOST}")
    parser.add_argument("--iam", action="store_true", help="enforce IAM policies")
    arguments = parser.parse_args()
    server = listening(arguments.port)
    os.environ.update(settings(arguments.port, iam=arguments.iam))
    importlib.import_module("infra.local.emulator.server").serve(server)


if __name__ == "__main__":
    main()
