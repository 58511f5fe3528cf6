"""What every room has: a clean environment, and no way out but loopback."""

from __future__ import annotations

import os
import tempfile

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

LOOPBACK = ["127.0.0.1", "localhost"]
OTHERS_SETTINGS = ("AWS_", "FRESHET_", "POWERTOOLS_", "CDK_")

pytest.register_assert_rewrite(
    "tests.fakes",
    "tests.contract.stores",
    "tests.contract.store_budgets",
    "tests.contract.store_bulks",
    "tests.contract.store_credentials",
    "tests.contract.store_files",
    "tests.contract.store_keys",
    "tests.contract.store_refreshes",
    "tests.contract.store_schedules",
)


def pytest_configure() -> None:
    """Forget whose machine this is: no account, no proxy, no settings of other stages."""
    for name in list(os.environ):
        if name.startswith(OTHERS_SETTINGS) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    set_hypothesis_home_dir(tempfile.gettempdir())
    hypothesis.settings.register_profile("suite", database=None, deadline=None, print_blob=True)
    hypothesis.settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sockets reach loopback only; the unit room has none at all."""
    for item in items:
        item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
