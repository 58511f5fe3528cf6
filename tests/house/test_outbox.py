"""There is no way to write that something has ended, but with its event."""

from __future__ import annotations

import ast
from pathlib import Path

FUNCTIONS = Path(__file__).parents[2] / "functions"
TABLES = FUNCTIONS / "aws" / "tables"
TELLS = {"event_requests", "_event_requests"}


def calls(node: ast.AST) -> set[str]:
    """The names of what is called inside, without what it is called of."""
    return {
        getattr(each.func, "attr", getattr(each.func, "id", ""))
        for each in ast.walk(node)
        if isinstance(each, ast.Call)
    }


def methods(module: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse((TABLES / module).read_text())
    return {
        each.name: each
        for found in tree.body
        if isinstance(found, ast.ClassDef)
        for each in found.body
        if isinstance(each, ast.FunctionDef)
    }


def texts(node: ast.AST) -> str:
    return " ".join(
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    )


def test_a_refresh_or_push_is_made_an_item_in_one_place_each() -> None:
    found = {
        (path.relative_to(FUNCTIONS).as_posix(), key)
        for path in FUNCTIONS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Dict)
        for names in [{each.value for each in node.keys if isinstance(each, ast.Constant)}]
        for key in ("refresh_id", "push_id")
        if {key, "document"} <= names
    }

    assert found == {
        ("aws/tables/refreshes.py", "refresh_id"),
        ("aws/tables/pushes.py", "push_id"),
    }


def test_who_writes_a_refresh_writes_its_event_but_for_the_first_time() -> None:
    writers = {
        name: bool(TELLS & calls(each))
        for name, each in methods("refreshes.py").items()
        if "_put_request" in calls(each)
    }

    assert writers == {"admit": False, "save": True, "publish": True}


def test_who_writes_a_push_writes_its_event() -> None:
    writers = {
        name: bool(TELLS & calls(each))
        for name, each in methods("pushes.py").items()
        if "put_request" in calls(each)
    }

    assert writers == {"_put": True, "_list": False}
    assert "document" not in texts(methods("pushes.py")["_list"])


def test_who_makes_replaces_buries_or_deletes_a_connection_writes_its_event() -> None:
    found = methods("connections.py")
    tellers = {name for name, each in found.items() if TELLS & calls(each)}
    buries = {name for name, each in found.items() if "SET credentials_dead" in texts(each)}
    makes = {name for name, each in found.items() if "item_of" in calls(each)}
    deletes = {name for name, each in found.items() if "delete_request" in calls(each)}
    replaces = {
        name for name, each in found.items() if "credentials_version = :next" in texts(each)
    }

    assert buries == {"mark_dead"}
    assert makes == {"create"}
    assert deletes == {"delete"}
    assert replaces == {"_replace", "_put_in_place"}  # which is a rotation: nothing has ended
    assert tellers - {"_event_requests"} == (buries | makes | deletes | replaces) - {
        "_put_in_place"
    }
