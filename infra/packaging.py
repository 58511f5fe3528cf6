"""The one asset that every door runs from: locked wheels, our package, byte-code; no Docker.

With it go the libraries of the pages that the API serves.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_

from infra import sdk_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from constructs import Construct

    from infra.config import Runtime

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "functions"
LOCK: Final = ROOT / "requirements" / "functions.txt"
CACHE: Final = ROOT / ".local" / "assets"

NODE_MODULES: Final = ROOT / "node_modules"
SWAGGER_FILES: Final = (
    "swagger-ui-bundle.js",
    "swagger-ui-bundle.js.LICENSE.txt",
    "swagger-ui.css",
    "LICENSE",
    "NOTICE",
)
LIBRARY_FILES: Final = {
    **{name: f"swagger-ui-dist/{name}" for name in SWAGGER_FILES},
    "console/preact.js": "preact/dist/preact.mjs",
    "console/preact-hooks.js": "preact/hooks/dist/hooks.mjs",
    "console/preact.LICENSE.txt": "preact/LICENSE",
    "console/htm.js": "htm/dist/htm.mjs",
    "console/htm.LICENSE.txt": "htm/LICENSE",
    "console/oauth4webapi.js": "oauth4webapi/build/index.js",
    "console/oauth4webapi.LICENSE.txt": "oauth4webapi/LICENSE.md",
}
"""What goes beside the pages' own files, and where npm has put it."""

PAGE: Final = Path("rest", "page")
"""Where ``functions.rest.pages`` and ``functions.rest.console`` look for them, in the package."""

UV_PLATFORMS: Final = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
"""What Amazon Linux 2023, the system under the runtimes, can load."""

BUILDERS: Final = (Path(__file__), Path(sdk_models.__file__))
"""Code that decides what an asset holds."""

NOT_SHIPPED: Final = shutil.ignore_patterns("__pycache__")


def code(scope: Construct, runtime: Runtime) -> lambda_.AssetCode:
    """The asset for ``runtime``; it is built only when something in it has changed.

    Without an interpreter of the runtime's version here, synthesis warns.
    """
    python = interpreter(runtime.python)
    if python is None:
        cdk.Annotations.of(scope).add_warning_v2(
            "freshet:byte-code",
            f"There is no Python {runtime.python} here, on the PATH or of uv or pyenv. So the "
            "functions ship without byte-code, and every cold start takes three times the CPU. "
            f"Install one, without touching your system: {sys.executable} -m uv python install "
            f"{runtime.python}",
        )
    return lambda_.Code.from_asset(
        str(PACKAGE),
        asset_hash=_digest(_sources(), runtime, compiled=python is not None),
        asset_hash_type=cdk.AssetHashType.CUSTOM,
        bundling=cdk.BundlingOptions(
            image=cdk.DockerImage.from_registry("docker-is-never-used"),
            local=_Bundling(runtime, python),
        ),
    )


@jsii.implements(cdk.ILocalBundling)
class _Bundling:
    """Puts the asset together in the folder that CDK names."""

    def __init__(self, runtime: Runtime, python: str | None) -> None:
        self._runtime = runtime
        self._python = python

    def try_bundle(self, output_dir: str, *_struct: object, **_options: object) -> bool:
        """Fill ``output_dir``. A failure raises, so that CDK never turns to Docker."""
        output = Path(output_dir)
        dependencies = _dependencies(self._runtime, self._python)
        shutil.copytree(dependencies, output, copy_function=_link, dirs_exist_ok=True)
        shutil.copytree(PACKAGE, output / PACKAGE.name, ignore=NOT_SHIPPED)
        for name, source in LIBRARY_FILES.items():
            shutil.copy(NODE_MODULES / source, output / PACKAGE.name / PAGE / name)
        _compile(output / PACKAGE.name, output, self._python)
        _make_readable(output)
        return True


def _dependencies(runtime: Runtime, python: str | None) -> Path:
    """The folder of installed wheels for this lock and runtime, filled when it is not there."""
    folder = CACHE / _digest([LOCK, *BUILDERS], runtime, compiled=python is not None)
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            filling = Path(work) / "filling"
            _install(runtime, filling)
            _strip(filling)
            _compile(filling, filling, python)
            _publish(filling, folder)
    return folder


def _install(runtime: Runtime, folder: Path) -> None:
    platform = [] if runtime.host else ["--python-platform", UV_PLATFORMS[runtime.architecture]]
    _run(
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--link-mode", "copy"),
        *("--require-hashes", "--only-binary", ":all:", "--python-version", runtime.python),
        *platform,
        *("--target", str(folder), "--requirements", str(LOCK)),
    )


def _strip(folder: Path) -> None:
    """Drop what Lambda has no use for: scripts, and models of what no function calls."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    sdk_models.trim(folder / "botocore" / "data")


def _compile(folder: Path, root: Path, python: str | None) -> None:
    """Write byte-code that no change of times can make stale, naming paths as Lambda has them."""
    if python is not None:
        _run(
            *(python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
            *("-s", str(root), "-p", "/var/task", str(folder)),
        )


def _make_readable(folder: Path) -> None:
    """Let every user read, whatever the umask here is: the functions run as another one.

    The asset's digest goes by contents. So an upload that cannot be read would stay for good.
    """
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _publish(filled: Path, folder: Path) -> None:
    """Move the folder into place; a concurrent synthesis may have been first."""
    try:
        filled.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def interpreter(version: str) -> str | None:
    """An interpreter of exactly this minor version that really runs."""
    probe = ("-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    return next(
        (each for each in _candidates(version) if _output_of(each, *probe) == version), None
    )


def _candidates(version: str) -> Iterator[str]:
    """This interpreter, those on the PATH, pyenv's and uv's own; one may be a shim of nothing."""
    yield sys.executable
    for folder in os.get_exec_path():
        yield str(Path(folder, f"python{version}"))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version}*/bin/python")))
    find = ("python", "find", "--managed-python", "--no-python-downloads", version)
    yield _output_of(sys.executable, "-m", "uv", *find)


def _output_of(*command: str) -> str:
    """The standard output of a program; empty if it cannot be run."""
    try:
        ran = subprocess.run(  # noqa: S603 - ourselves, or a Python of this machine
            command, capture_output=True, check=False, text=True
        )
    except OSError:
        return ""
    return ran.stdout.strip()


def _sources() -> list[Path]:
    files = (file for file in PACKAGE.rglob("*") if file.is_file())
    return [
        *sorted(file for file in files if file.parent.name != "__pycache__"),
        *(NODE_MODULES / source for source in LIBRARY_FILES.values()),
        *(LOCK, *BUILDERS),
    ]


def _digest(files: Iterable[Path], runtime: Runtime, *, compiled: bool) -> str:
    digest = hashlib.sha256(f"{runtime} {sys.platform if runtime.host else ''} {compiled}".encode())
    for file in files:
        digest.update(f"\0{file.relative_to(ROOT)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _link(source: str, target: str) -> None:
    """Share the file with the cache where the file system can, for it is never written again."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _run(*command: str) -> None:
    ran = subprocess.run(  # noqa: S603 - fixed commands
        command, capture_output=True, check=False, text=True
    )
    if ran.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{ran.stdout}{ran.stderr}")
