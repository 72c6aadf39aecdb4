"""What holds of every model of a YAML file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.config.schema import Pipeline
from orchestrator.parse import rules_file

NUMBERS = ("int", "float", "literal")


def bare(schema: Any, place: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the places of numbers behind no check of ours: for pydantic, and for Python, True is 1."""
    if isinstance(schema, list | tuple):
        for part in schema:
            yield from bare(part, place)
    if not isinstance(schema, dict) or schema.get("type") == "function-before":
        return
    if schema.get("type") in NUMBERS and any(isinstance(word, int) for word in schema.get("expected", [0])):
        yield ".".join(place)
    for name, part in schema.items():
        if name not in ("metadata", "expected"):
            yield from bare(part, (*place, name) if isinstance(name, str) else place)


@pytest.mark.parametrize("model", [Pipeline, rules_file._RulesText])
def test_no_number_of_a_file_takes_yes_or_no(model: type[BaseModel]) -> None:
    assert list(bare(model.__pydantic_core_schema__)) == []
