"""The asset, synthesised in a clean copy of the repository with nothing else at hand."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
UNCHECKED_HASH = 0b01
"""The flags of byte-code that is valid whatever the source's times (PEP 552)."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("app.py", "cdk.json"):
        shutil.copy(ROOT / name, folder)
    for name in ("functions", "infra", "requirements"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "local")
        )
    for name in ("swagger-ui-dist", "preact", "htm", "oauth4webapi"):
        library = Path("node_modules", name)
        shutil.copytree(ROOT / library, folder / library)
    return folder


@pytest.fixture(scope="module")
def synthesise(checkout: Path) -> Callable[[], Path]:
    """Run the app as the Makefile does, but with Node alone on the PATH; gives the asset."""
    tools = checkout / "tools"
    tools.mkdir()
    (tools / "node").symlink_to(shutil.which("node") or "node")
    given = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("UV_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy", "XDG_"))
    }
    environment = given | {
        "PATH": str(tools),
        "HOME": os.environ["HOME"],
        "CDK_OUTDIR": str(checkout / "cdk.out"),
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }

    def synthesised() -> Path:
        ran = subprocess.run(
            [sys.executable, "app.py"],
            cwd=checkout,
            env=environment,
            umask=0o077,
            capture_output=True,
            check=False,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        environment["CDK_VALIDATION"] = "false"  # CloudFormation's own, and once is enough
        return _asset(checkout / "cdk.out")

    return synthesised


def _asset(assembly: Path) -> Path:
    files = json.loads((assembly / "Freshet-local.assets.json").read_text())["files"]
    (path,) = [f["source"]["path"] for f in files.values() if f["source"]["packaging"] == "zip"]
    return assembly / str(path)


@pytest.fixture(scope="module")
def asset(synthesise: Callable[[], Path]) -> Path:
    return synthesise()


def _compiled(asset: Path) -> Iterator[Path]:
    return asset.rglob("*.pyc")


def test_the_asset_holds_the_doors_and_what_they_import(asset: Path) -> None:
    for name in ("functions", "aws_lambda_powertools", "boto3", "jwt", "msgspec", "requests"):
        assert (asset / name).is_dir(), name
    assert not (asset / "infra").exists()
    assert not (asset / "bin").exists()


def test_the_asset_holds_what_the_page_names_and_the_licences_of_it(asset: Path) -> None:
    pages = asset / "functions" / "rest" / "page"
    held = {file.name for file in pages.iterdir() if file.is_file()}
    libraries = {file.name for file in (pages / "console").iterdir()} - {
        file.name for file in (ROOT / "functions" / "rest" / "page" / "console").iterdir()
    }

    assert libraries == {
        *("preact.js", "preact-hooks.js", "preact.LICENSE.txt"),
        *("htm.js", "htm.LICENSE.txt", "oauth4webapi.js", "oauth4webapi.LICENSE.txt"),
    }
    assert held == {
        *("connect.html", "index.html", "start.js", "swagger-ui-bundle.js", "swagger-ui.css"),
        *("LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"),
    }


def test_what_a_browser_loads_of_the_console_is_small(asset: Path) -> None:
    served = [
        file.read_bytes()
        for file in (asset / "functions" / "rest" / "page" / "console").iterdir()
        if file.suffix != ".txt"
    ]

    assert sum(len(gzip.compress(each, compresslevel=9)) for each in served) <= 150_000


def test_every_user_may_read_it_whatever_the_umask_was(asset: Path) -> None:
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in asset.rglob("*")}

    assert modes == {(True, 0o755), (False, 0o644)}


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import boto3, cryptography.fernet, isal.isal_zlib, jwt, tzdata, functions.core.contract
for service in ("dynamodb", "kms", "lambda", "s3", "scheduler", "secretsmanager", "stepfunctions"):
    boto3.client(service, region_name="us-east-1")
"""


def test_the_asset_needs_nothing_but_itself(asset: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-S", "-I", "-c", PROGRAM, asset],
        capture_output=True,
        check=False,
        text=True,
    )

    assert ran.returncode == 0, ran.stderr


def test_its_byte_code_stays_valid_whatever_a_zip_does_to_times(asset: Path) -> None:
    flags = {int.from_bytes(file.read_bytes()[4:8], "little") for file in _compiled(asset)}
    sources = sum(1 for _ in asset.rglob("*.py"))

    assert flags == {UNCHECKED_HASH}
    assert sum(1 for _ in _compiled(asset)) == sources


def test_it_names_no_folder_of_the_machine_that_made_it(asset: Path, checkout: Path) -> None:
    folder = str(checkout).encode()

    assert not [file for file in asset.rglob("*") if file.is_file() and folder in file.read_bytes()]


def test_nothing_is_built_again_until_something_in_it_changes(
    asset: Path, checkout: Path, synthesise: Callable[[], Path]
) -> None:
    built = asset.stat().st_mtime_ns
    same = synthesise()
    assert (same, same.stat().st_mtime_ns) == (asset, built)

    installed = sorted((checkout / ".local" / "assets").iterdir())
    (checkout / "functions" / "added.py").write_text("ADDED = True\n")
    other = synthesise()

    assert other != asset
    assert (other / "functions" / "added.py").exists()
    assert sorted((checkout / ".local" / "assets").iterdir()) == installed
