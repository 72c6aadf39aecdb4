"""YAML → values, for every file that people write: no key twice, and nothing that grows beyond its text.

Plain YAML keeps the last of two equal keys in silence: a rule or a test that is lost so is a check that does not work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import UserError
from orchestrator.text import textfile, wording

MOST_TEXT = 4 * 2**20
"""Bytes of a file."""
MOST_DEEP = 50
"""Values inside one another."""
MOST_VALUES = 200_000
"""Values in one file, each alias counted with all that it stands for."""
_MOST_SHOWN = 200
_TEXT = "tag:yaml.org,2002:str"


def read(path: Path, *, literal_keys: bool = False) -> Any:
    """Return what a file stands for. Raises UserError as ``parse``, and where the file cannot be read."""
    return parse(textfile.read(path, MOST_TEXT), str(path), literal_keys=literal_keys)


def parse(text: str, name: str, *, literal_keys: bool = False) -> Any:
    """Return what a text stands for; ``name`` is what messages call it. Keys are texts.

    With ``literal_keys`` a key is taken as it is written, ``0123`` for one. Raises UserError: one line with the place,
    and nothing of what stands there, for that may be a secret.
    """
    try:
        return yaml.load(text, Loader=_Literal if literal_keys else _Strict)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        problem = wording.cut(error.problem or "cannot be read", _MOST_SHOWN)
        raise UserError(f"{name}: not YAML: {place}{problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"{name}: not YAML: line {line}: {error.reason}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # chr() of an escape beyond Unicode, and its like
        raise UserError(f"{name}: not YAML: cannot be read") from error


class _Strict(yaml.SafeLoader):
    """Refuses keys that stand twice or are no texts, and what is too deep, too much, or inside itself."""

    literal = False

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._deep = self._values = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event, before = self.peek_event(), self._values  # type: ignore[no-untyped-call]
        mark, is_alias = event.start_mark, isinstance(event, yaml.AliasEvent)
        self._deep += 1
        if self._deep > MOST_DEEP:
            raise yaml.composer.ComposerError(None, None, f"more than {MOST_DEEP} values inside one another", mark)
        node = super().compose_node(parent, index)
        self._deep -= 1
        if is_alias and id(node) not in self._sizes:
            raise yaml.composer.ComposerError(None, None, "an alias stands inside what it stands for", mark)
        self._values += self._sizes[id(node)] if is_alias else 1
        if not is_alias:
            self._sizes[id(node)] = self._values - before
        if self._values > MOST_VALUES:
            raise yaml.composer.ComposerError(None, None, f"more than {MOST_VALUES} values", mark)
        return node

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        """Return a mapping as it is written: when merges are made, a key that overrides another stands there twice."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.composer.ComposerError(None, None, "a key is no text", key.start_mark)
            if self.literal:
                key.tag = _TEXT
            shown = wording.cut(key.value, 60)
            if key.tag != _TEXT:
                raise yaml.composer.ComposerError(None, None, f"key {shown} is no text", key.start_mark)
            if key.value in seen:
                raise yaml.composer.ComposerError(None, None, f"key {shown!r} stands twice", key.start_mark)
            seen.add(key.value)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return a value; a date or a number that is none is a fault of its place."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(None, None, f"not a {kind}: {error}", node.start_mark) from error


class _Literal(_Strict):
    """Takes keys as they are written."""

    literal = True
