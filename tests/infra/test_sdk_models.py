"""botocore's data, trimmed as in the asset: every call that the functions make is there."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import botocore.session
import pytest
from botocore import xform_name
from botocore.stub import Stubber

from infra import sdk_models

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DATA = Path(botocore.__file__).parent / "data"
SERVICES = [pytest.param(name, id=name) for name in sdk_models.CALLS]


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("botocore") / "data"
    folder.mkdir()
    for each in DATA.iterdir():
        if each.is_file():
            shutil.copy(each, folder)
        elif each.name in {*sdk_models.CALLS, "ec2"}:
            shutil.copytree(each, folder / each.name)
    sdk_models.trim(folder)
    return folder


def session_of(data: Path | None) -> botocore.session.Session:
    session = botocore.session.Session()
    if data is not None:
        loader: Any = session.get_component("data_loader")
        loader.search_paths.clear()
        loader.search_paths.append(str(data))
    session.set_credentials("key", "secret")
    return session


def names_in_code() -> set[str]:
    """Every attribute and every text of the only package that speaks to AWS."""

    def names(tree: ast.AST) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                yield node.attr
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value

    files = (ROOT / "functions/aws").rglob("*.py")
    return {name for file in files for name in names(ast.parse(file.read_text()))}


def test_the_operations_are_those_that_the_code_calls() -> None:
    session, found = session_of(None), names_in_code()
    calls = {xform_name(call) for calls in sdk_models.CALLS.values() for call in calls}
    known = {
        xform_name(operation)
        for service in sdk_models.CALLS
        for operation in session.get_service_model(service).operation_names
    }
    assert calls == (found & known) - {"encrypt"}  # that of the vault's own cipher


@pytest.mark.parametrize("service", SERVICES)
def test_a_trimmed_client_makes_the_same_requests_and_reads_the_same_answers(
    trimmed: Path, service: str
) -> None:
    whole, short = session_of(None), session_of(trimmed)
    for call in sdk_models.CALLS[service]:
        for shape in ("input_shape", "output_shape"):
            described = [
                _described(getattr(one.get_service_model(service).operation_model(call), shape))
                for one in (whole, short)
            ]
            assert described[0] == described[1]
    clients = [one.create_client(service, region_name="eu-central-1") for one in (whole, short)]
    assert clients[0].meta.endpoint_url == clients[1].meta.endpoint_url


def _described(shape: Any, *above: str) -> Any:
    """Everything of a shape but its prose, to where it comes again within itself."""
    if shape is None or shape.name in above:
        return shape and shape.name
    path = (*above, shape.name)
    said = {k: v for k, v in shape.serialization.items() if k != "documentation"}
    parts: dict[str, Any] = {}
    if shape.type_name == "structure":
        parts = {name: _described(each, *path) for name, each in shape.members.items()}
    elif shape.type_name == "list":
        parts = {"member": _described(shape.member, *path)}
    elif shape.type_name == "map":
        parts = {"key": shape.key.name, "value": _described(shape.value, *path)}
    rules = {k: v for k, v in shape.metadata.items() if k != "documentation"}
    return shape.name, shape.type_name, said, rules, parts


def test_a_refusal_has_its_own_class(trimmed: Path) -> None:
    session = session_of(trimmed)
    client: Any = session.create_client("stepfunctions", region_name="eu-central-1")
    with Stubber(client) as stub:
        stub.add_client_error("start_execution", "ExecutionAlreadyExists")
        with pytest.raises(client.exceptions.ExecutionAlreadyExists):
            client.start_execution(stateMachineArn="arn:aws:states:eu-central-1:1:stateMachine:m")


def test_what_is_left_is_small(trimmed: Path) -> None:
    def size(folder: Path) -> int:
        return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())

    assert not (trimmed / "ec2").exists()
    assert size(trimmed) < 500_000
