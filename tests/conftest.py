"""All tests: a clean environment, and no network but loopback."""

from __future__ import annotations

import fcntl
import os
import tempfile
from typing import TYPE_CHECKING

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from infra.local.system import synthesise

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = ["127.0.0.1", "localhost"]
OTHERS_SETTINGS = ("AWS_", "FRESHET_", "POWERTOOLS_", "CDK_")
OUR_SETTINGS = {"FRESHET_BROWSER", "FRESHET_REQUIRE_BROWSER", "FRESHET_SCREENSHOTS"}
LONGEST = [
    "test_asset.py",
    "test_template.py",
    "test_connector_outcomes.py",
    "test_digime_connector_tokens.py",
    "test_connector_contract.py",
    "test_deploying.py",
    "test_connector_faults.py",
    "test_banno_paging.py",
    "test_outages.py",
    "test_description.py",
    "test_engines.py",
    "test_schedules.py",
    "test_outcomes.py",
    "test_on_demand.py",
    "test_bulk.py",
    "test_stops.py",
    "test_every_view.py",
]
"""The files that take longest begin first, so that no worker is left alone with one at the end."""

pytest.register_assert_rewrite(
    "tests.support.browser.console",
    "tests.support.fakes.stores",
    "tests.support.objectives.fake",
    "tests.support.objectives.suite",
    "tests.support.stores.suite",
    "tests.support.stores.budgets",
    "tests.support.stores.bulks",
    "tests.support.stores.credentials",
    "tests.support.stores.events",
    "tests.support.stores.files",
    "tests.support.stores.keys",
    "tests.support.stores.refreshes",
    "tests.support.stores.schedules",
)


def pytest_configure() -> None:
    """Forget the machine's own settings: no account, no proxy, no settings of other stages."""
    for name in list(os.environ):
        ours = name in OUR_SETTINGS
        if (name.startswith(OTHERS_SETTINGS) and not ours) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    set_hypothesis_home_dir(tempfile.gettempdir())
    hypothesis.settings.register_profile("suite", database=None, deadline=None, print_blob=True)
    hypothesis.settings.load_profile("suite")


@pytest.hookimpl(trylast=True)  # after what puts them into a random order
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sockets reach loopback only; the unit room has none at all."""
    for item in items:
        item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthesised stack, the same for all workers: the first who needs it makes it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "cdk.out"
    with (shared / "cdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "manifest.json").exists():
            synthesise(folder)
    return folder
