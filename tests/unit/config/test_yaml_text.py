"""YAML as people write it: keys once and in words, and merges that override."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.config import yaml_text
from orchestrator.errors import UserError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x: &x {<<: {a: 1}, a: 2}\ny: {<<: *x, b: 3}", {"x": {"a": 2}, "y": {"a": 2, "b": 3}}),
        (
            "full: {also: [&x {<<: {a: 1}, a: 2}]}\nother: {<<: *x, b: 3}",
            {"full": {"also": [{"a": 2}]}, "other": {"a": 2, "b": 3}},
        ),
        (
            "y: {b: {c: &x {<<: [{a: 1}, {a: 5, d: 6}], a: 2}}}\nz: {<<: *x, a: 4}",
            {"y": {"b": {"c": {"a": 2, "d": 6}}}, "z": {"a": 4, "d": 6}},
        ),
    ],
)
def test_a_merge_is_overridden_wherever_its_anchor_stands(text: str, value: Any) -> None:
    assert yaml_text.parse(text, "x.yaml") == value
    assert yaml_text.parse(text, "x.yaml", literal_keys=True) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: {c: 1, c: 2}", "line 2: key 'c' stands twice"),
        ("a: 1\n'a': 2", "line 2: key 'a' stands twice"),
        ("x: &x {a: 1}\ny: {<<: *x, b: 1, b: 2}", "line 2: key 'b' stands twice"),
        ("x: [&x {<<: {a: 1}, a: 2, a: 3}]\ny: {<<: *x}", "line 1: key 'a' stands twice"),
        ("a: {1: 2}", "line 1: key 1 is no text"),
        ("a: {on: 2}", "line 1: key on is no text"),
        ("a: {2024-13-45: 2}", "is no text"),
        ("? [a]\n: 1", "line 1: a key is no text"),
        ("? {a: b}\n: 1", "line 1: a key is no text"),
    ],
)
def test_a_key_is_a_text_and_stands_once(text: str, said: str) -> None:
    with pytest.raises(UserError, match=r"^x\.yaml: not YAML: line ") as caught:
        yaml_text.parse(text, "x.yaml")
    assert said in str(caught.value)


def test_literal_keys_are_as_they_are_written() -> None:
    assert yaml_text.parse("{0123: 1, on: 0123, 2024-01-01: yes}", "x", literal_keys=True) == {
        "0123": 1,
        "on": 83,
        "2024-01-01": True,
    }
    with pytest.raises(UserError, match="key '012' stands twice"):
        yaml_text.parse("{012: 1, '012': 2}", "x", literal_keys=True)


@pytest.mark.parametrize("escape", ["\\U0a00F600", "\\UFFFFFFFF"])
def test_a_character_that_is_none_is_one_line(escape: str) -> None:
    with pytest.raises(UserError, match=r"^x\.yaml: not YAML: "):
        yaml_text.parse(f'a: "{escape}"', "x.yaml")
