"""The command ``freshet``."""

from __future__ import annotations

import click


@click.group()
@click.version_option(package_name="freshet-client")
def main() -> None:
    """Refresh, watch and read people's third-party data."""
