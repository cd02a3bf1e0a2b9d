"""The reference as pages of Markdown, from what the code says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from kubespawner import KubeSpawner

from gpuspawner.catalog.schema import json_schema
from gpuspawner.spawner import GPUSpawner

HERE = Path(__file__).parent
COMMANDS = """# Commands

By task: [the command line](../command-line.md).

```{eval-rst}
.. click:: gpuspawner.cli:main
   :prog: gpuspawner
   :nested: full
```
"""
Schema = Mapping[str, Any]


def write_reference(folder: Path) -> None:
    """Write the pages into a folder, and leave alone what is as it should be."""
    folder.mkdir(exist_ok=True)
    api = yaml.safe_load((HERE / "openapi.yaml").read_text())
    pages = {
        "settings": settings_page(),
        "catalog": catalog_page(json_schema()),
        "commands": iter([COMMANDS]),
        "rest": rest_page(api),
    }
    for name, lines in pages.items():
        page, text = folder / f"{name}.md", "\n".join(lines)
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def settings_page() -> Iterator[str]:
    """Traits of `GPUSpawner` that KubeSpawner does not have, as a definition each."""
    yield "# Settings\n\nOf `c.GPUSpawner`, beside all those of `c.KubeSpawner`. In words: "
    yield "[the hub's settings](../configuration.md).\n"
    stock = KubeSpawner.class_trait_names(config=True)
    for name, trait in sorted(GPUSpawner.class_traits(config=True).items()):
        if name not in stock:
            kind = type(trait).__name__
            yield f"`{name}` ({kind}, `{trait.default_value_repr()}`)\n: {_in_a_line(trait.help)}\n"


def catalog_page(schema: Schema) -> Iterator[str]:
    """The catalog's fields, a section for each kind of thing in it."""
    yield "# The catalog\n\nStep by step: [write a catalog](../catalog.md). For editors: "
    yield "`gpuspawner schema`.\n"
    yield from _section("The file", schema)
    for name, part in schema["$defs"].items():
        yield from _section(name, part)


def _section(title: str, part: Schema) -> Iterator[str]:
    yield f"## {title}\n\n{_in_a_line(part.get('description', ''))}\n"
    if "properties" not in part:
        yield f"{_kind(part)}\n"
        return
    required = part.get("required", ())
    yield "| field | what | as it comes |\n| --- | --- | --- |"
    for name, field in part["properties"].items():
        default = "**required**" if name in required else _default(field)
        words = _in_a_line(field.get("description", "")).replace("|", "\\|")
        yield f"| `{name}` | {words} {_kind(field)} | {default} |"
    yield ""


def _default(field: Schema) -> str:
    value = field.get("default")
    return "" if value in (None, [], {}, "") else f"`{json.dumps(value)}`"


def _kind(field: Schema) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in field:
        return "One of " + ", ".join(f"`{value}`" for value in field["enum"]) + "."
    for several in ("anyOf", "oneOf"):
        kinds = [_kind(one) for one in field.get(several, ()) if one.get("type") != "null"]
        if kinds:
            return " or ".join(dict.fromkeys(filter(None, kinds)))
    if field.get("type") == "array":
        return f"A list: {_kind(field.get('items', {}))}".removesuffix(": ")
    if isinstance(field.get("additionalProperties"), dict):
        return f"By name: {_kind(field['additionalProperties'])}".removesuffix(": ")
    return f"({field['type']})" if isinstance(field.get("type"), str) else ""


def rest_page(api: Schema) -> Iterator[str]:
    """Paths, arguments and answers."""
    yield f"# REST\n\n{_in_a_line(api['info']['description'])}\n"
    yield "For programs: {download}`openapi.yaml <../openapi.yaml>` (OpenAPI 3.1).\n"
    for path, methods in api["paths"].items():
        shared = methods.get("parameters", [])
        for method, operation in methods.items():
            if method in ("get", "put", "post", "delete", "patch"):
                yield from _operation(api, f"{method.upper()} {path}", operation, shared)
    yield "## What is in the answers\n"
    for name, part in api["components"]["schemas"].items():
        yield from _section(name, part)


def _operation(api: Schema, title: str, operation: Schema, shared: list[Any]) -> Iterator[str]:
    yield f"## {title}\n\n{operation['summary']}. {_in_a_line(operation.get('description', ''))}\n"
    for one in [*shared, *operation.get("parameters", ())]:
        parameter = _resolved(api, one)
        words = _in_a_line(parameter.get("description", ""))
        yield f"`{parameter['name']}` ({parameter['in']})\n: {words}\n"
    for status, one in operation["responses"].items():
        yield f"**{status}**: {_in_a_line(_resolved(api, one)['description'])}\n"


def _resolved(api: Schema, part: Schema) -> Schema:
    while "$ref" in part:
        found: Any = api
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
