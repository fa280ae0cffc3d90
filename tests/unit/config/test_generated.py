"""What is generated from the model is as it would be generated now."""

from pathlib import Path

import pytest

from orchestrad.config import reference, schema
from orchestrad.config.keys import Key, all_keys
from orchestrad.config.model import Config, InUse

ROOT = Path(__file__).parents[3]


def test_the_schema_is_current() -> None:
    assert (ROOT / schema.FILE).read_text() == schema.as_text(), "run python -m orchestrad.config.schema"


def test_the_reference_is_current() -> None:
    assert (ROOT / reference.FILE).read_text() == reference.as_text(), "run python -m orchestrad.config.reference"


@pytest.mark.parametrize("key", all_keys().values(), ids=lambda key: key.name)
def test_each_key_is_described_and_says_what_it_expects(key: Key) -> None:
    assert key.described["description"].endswith(".")
    assert key.expected not in {"None", ""}
    assert key.in_use in InUse


def test_the_defaults_of_the_schema_are_those_of_the_model() -> None:
    config = Config(repository_url="/x", worker_count=1, claude_configs="/c")
    dumped = config.model_dump(mode="json", by_alias=True)
    for key in all_keys().values():
        if "default" in key.described:
            part = dumped
            for segment in key.path:
                part = part[segment]
            assert part == key.described["default"], key.name
