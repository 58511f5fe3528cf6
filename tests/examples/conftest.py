"""The running system of the end-to-end tests, for examples that need packages of their own."""

from tests.e2e.conftest import banno, relay, running

__all__ = ["banno", "relay", "running"]
