"""Writes the models of the client from the OpenAPI document of the API.

A model has the name and the fields of its schema. A field of listed values is a ``str``, so that
a later server's new value is no error; the values known today are a ``StrEnum``. What may be null
or left out is None.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

PLAIN: Final = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}
HEAD: Final = '"""{}. ``make tables`` writes them from the OpenAPI document."""\n\n'
FEW: Final = 4
"""A heading of so few models has no module of its own."""


def write_models(document: dict[str, Any]) -> dict[str, str]:
    """Write the modules of ``freshet_client.models``, by name, for all that an answer can hold."""
    schemas, tags = document["components"]["schemas"], dict[str, set[str]]()
    for call in (call for calls in document["paths"].values() for call in calls.values()):
        answers = [told for status, told in call["responses"].items() if status[0] == "2"]
        for name in _reach(schemas, answers):
            tags.setdefault(name, set()).update(call["tags"])
    homes: dict[str, list[str]] = {"shared": [], "values": []}
    for name in (name for name in schemas if name in tags):
        own = min(tags[name]).replace(" ", "_") if len(tags[name]) == 1 else "shared"
        homes.setdefault("values" if "enum" in schemas[name] else own, []).append(name)
    for small in [home for home, names in homes.items() if len(names) <= FEW]:
        homes["shared"] += homes.pop(small)
    modules = {home: _write_module(home, homes=homes, schemas=schemas) for home in homes}
    told = "".join(f"from .{home} import {', '.join(names)}\n" for home, names in homes.items())
    listed = ", ".join(f'"{name}"' for names in homes.values() for name in names)
    about = HEAD.format("The models of what the API answers")
    return modules | {"__init__": f"{about}{told}\n__all__ = [{listed}]\n"}


def _reach(schemas: dict[str, Any], answers: object) -> set[str]:
    """The names of the schemas that these can hold."""
    reached, left = set[str](), [answers]
    while left:
        found = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(left.pop()))) - reached
        reached |= found
        left += [schemas[name] for name in found]
    return reached


def _write_module(home: str, *, homes: dict[str, list[str]], schemas: dict[str, Any]) -> str:
    classes = "\n\n".join(_write_class(name, schemas) for name in homes[home])
    used = set(re.findall(r"\w+", re.sub(r'""".*?"""|#.*', "", classes, flags=re.DOTALL)))
    shared = sorted(used & {*homes["shared"]} if home != "shared" else ())
    lines = [
        *(["from enum import StrEnum"] if home == "values" else ["import msgspec"]),
        *(["from typing import Any"] if "Any" in used else []),
        *([f"from freshet_client.models.shared import {', '.join(shared)}"] if shared else []),
    ]
    about = HEAD.format(f"Models: {home.replace('_', ' ')}")
    return about + "from __future__ import annotations\n\n" + "\n".join(lines) + f"\n\n\n{classes}"


def _write_class(name: str, schemas: dict[str, Any]) -> str:
    schema = schemas[name]
    told = schema.get("description", f"{name}.").replace("\n", "\n    ").replace("    \n", "\n")
    told = f'    """{told.replace("`", "``")}' + ('\n    """' if "\n" in told else '"""')
    if "enum" in schema:
        fields = [f'{re.sub(r"[.-]", "_", each).upper()} = "{each}"' for each in schema["enum"]]
    else:
        needed = {*schema.get("required", [])}
        fields = [
            _write_field(field, _annotate(each, schemas), each, needed=field in needed)
            for field, each in schema["properties"].items()
        ]
    base = "StrEnum" if "enum" in schema else "msgspec.Struct, frozen=True, kw_only=True"
    return f"class {name}({base}):\n{told}\n\n" + "".join(f"    {field}\n" for field in fields)


def _write_field(name: str, type_: str, schema: dict[str, Any], *, needed: bool) -> str:
    default = schema.get("default")
    if default is not None:
        return f"{name}: {type_} = {default!r}"
    if needed and "None" not in type_:
        return f"{name}: {type_}"
    return f"{name}: {type_.removesuffix(' | None')}{'' if type_ == 'Any' else ' | None'} = None"


def _annotate(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    found = PLAIN.get(str(schema.get("type")), "str" if "enum" in schema else "Any")
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            found = "str" if "enum" in schemas[name] else name
        case {"anyOf": several}:
            found = " | ".join(dict.fromkeys(_annotate(each, schemas) for each in several))
        case {"type": "array", "items": items}:
            found = f"list[{_annotate(items, schemas)}]"
        case {"type": ["object", "null"]}:
            found = "dict[str, Any] | None"
        case {"type": "object", **more}:
            found = f"dict[str, {_annotate(more.get('additionalProperties') or {}, schemas)}]"
    return found
