"""Long lists in few words; and the words of the code itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.text import wording

PACKAGE = Path(__file__).parents[2] / "orchestrator"


def test_a_long_list_says_how_many_more_there_are() -> None:
    assert wording.some(["a", "b", "c"], 2) == "a, b and 1 more"
    assert wording.some(["a", "b"], 2) == "a, b"
    assert wording.some(["a", "b", "c"], 2, " or ") == "a or b and 1 more"


def test_what_is_said_of_many_is_said_once_in_the_order_of_first_mention() -> None:
    assert wording.together([("slow", "x"), ("new", "y"), ("slow", "z")]) == [("slow", ["x", "z"]), ("new", ["y"])]


BANNED = frozenset({"said", "told", "asked", "found", "heard"})
"""Verbs that name a value by how it came, and not by what it holds (an output, a message, what was requested)."""


def bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield what a module binds: parameters, variables, attributes, functions and classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def test_a_name_says_what_a_thing_is() -> None:
    against = [
        f"{path.relative_to(PACKAGE)}:{line}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, name in bound_names(ast.parse(path.read_text()))
        if name.strip("_").lower() in BANNED
    ]
    assert against == []


@pytest.mark.parametrize(
    "text",
    ["def f(said): ...", "told = 1", "class Asked: ...", "def _found(): ...", "self.heard = 1", "if found := g(): ...",
     "[1 for found in x]", "found: int"],
)  # fmt: skip
def test_each_way_to_bind_a_name_is_looked_at(text: str) -> None:
    assert [name for _, name in bound_names(ast.parse(text)) if name.strip("_").lower() in BANNED]
