"""The JSON Schema of `orchestrator.json`, for editors and for our own words; `python -m orchestrad.config.schema` writes it."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from orchestrad.config.model import Config

FILE: Final = Path("config.example/orchestrator.schema.json")


class _WithoutTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (the base class's signature)
        return False


@cache
def schema() -> dict[str, Any]:
    """The schema, each key with its description, its default as a person would write it, and whether it is in use."""
    made = Config.model_json_schema(schema_generator=_WithoutTitles)
    written = Config(repository_url="/", worker_count=1, claude_configs=Path("/"))
    _write_defaults(made, made, written.model_dump(mode="json", by_alias=True))
    made["properties"]["$schema"] = {"type": "string", "description": "Where an editor finds this schema."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _write_defaults(root: dict[str, Any], part: dict[str, Any], values: dict[str, Any]) -> None:
    for key, described in part["properties"].items():
        if "$ref" in described:
            del described["default"]  # said once, by the section's own keys
            _write_defaults(root, root["$defs"][described["$ref"].rsplit("/", 1)[1]], values[key])
        elif "default" in described:
            described["default"] = values[key]


def as_text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(as_text())
