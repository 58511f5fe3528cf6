"""The local AWS as the programs of this folder and the tests use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import botocore.session
from botocore.config import Config

from infra.local.programs import HOST, require_free, running

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
REGION = "us-east-1"
ACCOUNT = "000000000000"
KEY = "test"  # id and secret; without IAM the emulator takes any


@contextmanager
def emulator(port: int, log_dir: Path, *, iam: bool = False) -> Iterator[str]:
    """Runs the local AWS for the time of the block; yields its endpoint.

    Args:
        port: of the loopback interface.
        log_dir: gets ``emulator.log`` and, for the time being, the emulator's files.
        iam: whether policies are enforced; otherwise anyone may do anything.

    Raises:
        PortInUseError: another program holds the port.
        ProgramError: it did not start; the message has the end of its log.
    """
    require_free(port)
    log_dir.mkdir(parents=True, exist_ok=True)
    command = [str(PYTHON), "-m", "infra.local.emulator", "--port", str(port)]
    with (
        TemporaryDirectory(dir=log_dir, ignore_cleanup_errors=True) as scratch,
        running(
            [*command, "--iam"] if iam else command,
            log=log_dir / "emulator.log",
            ready=lambda: healthy(port),
            settings={"PYTHONPATH": str(ROOT), "HOME": scratch, "TMPDIR": scratch},
        ),
    ):
        yield f"http://{HOST}:{port}"


def healthy(port: int) -> bool:
    """True if an emulator answers on the port."""
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200  # noqa: PLR2004 - OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def session() -> boto3.Session:
    """Credentials and region for clients of the emulator, whatever the user's own are."""
    direct = botocore.session.Session()
    direct.set_default_client_config(Config(proxies={}))
    return boto3.Session(
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY,
        region_name=REGION,
        botocore_session=direct,
    )


def api_url(endpoint: str, api_id: str, *, stage: str) -> str:
    """The address of a stage of a REST API; what follows is the path of a request."""
    return f"{endpoint}/_aws/execute-api/{api_id}/{stage}"
