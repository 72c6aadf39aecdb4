"""Every option of every command is typed by a stage test: one that no test types goes, or gets a test.

The table is read from the tests themselves: a call in a test whose words, with those of the helpers that it goes
through, hold the command and the option.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from orchestrator.cli import main

STAGE = Path(__file__).parents[1] / "stage"
DEPTH = 4
"""How many helpers a call is followed through."""


@dataclass(frozen=True)
class Scope:
    """The names of a module of tests: its functions and methods, and what is assigned to a name."""

    functions: dict[str, list[ast.FunctionDef]]
    values: dict[str, list[ast.expr]]

    @staticmethod
    def of(*modules: ast.Module) -> Scope:
        functions: dict[str, list[ast.FunctionDef]] = {}
        values: dict[str, list[ast.expr]] = {}
        for module in modules:
            for node in ast.walk(module):
                if isinstance(node, ast.FunctionDef):
                    functions.setdefault(node.name, []).append(node)
            for node in module.body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    values.setdefault(node.targets[0].id, []).append(node.value)
        return Scope(functions, values)


def local_values(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """Return what the names in a test stand for: what is assigned, looped over, or said by its decorators."""
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.For):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value = node.value if isinstance(node, ast.Assign) else node.iter
            for name in (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)):
                values.setdefault(name, []).append(value)
    for argument in function.args.args:
        values.setdefault(argument.arg, []).extend(function.decorator_list)
    return values


def words(node: ast.AST, scope: Scope, local: dict[str, list[ast.expr]], depth: int = DEPTH) -> Iterator[str]:
    """Yield the strings that an expression holds, or comes to."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.Name) and depth:
            for value in (*local.get(part.id, ()), *scope.values.get(part.id, ())):
                yield from words(value, scope, {}, depth - 1)


def helpers(call: ast.Call, scope: Scope, depth: int = DEPTH) -> Iterator[ast.FunctionDef]:
    """Yield the functions of the tests that a call goes through."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    for function in scope.functions.get(name, ()) if depth else ():
        yield function
        for inner in ast.walk(function):
            if isinstance(inner, ast.Call):
                yield from helpers(inner, scope, depth - 1)


def _by_helpers(call: ast.Call, scope: Scope) -> Iterator[str]:
    for helper in set(helpers(call, scope)):
        yield from words(helper, scope, {})


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(STAGE.rglob("test_*.py")):
        yield path, ast.parse(path.read_text())


@functools.cache
def typed() -> dict[str, list[frozenset[str]]]:
    """Return, by test, the words of each call that it makes."""
    trees = dict(modules())
    benches = [trees[STAGE / name] for name in ("pipeline/test_run.py", "cli/test_commands.py", "validate/test_run.py")]
    calls: dict[str, list[frozenset[str]]] = {}
    for path, module in trees.items():
        scope = Scope.of(module, *(bench for bench in benches if bench is not module))
        for function in (node for node in module.body if isinstance(node, ast.FunctionDef)):
            if function.name.startswith("test_"):
                local = local_values(function)
                own = (node for node in ast.walk(function) if isinstance(node, ast.Call))
                test = f"{path.relative_to(STAGE)}::{function.name}"
                calls[test] = [frozenset({*words(call, scope, local), *_by_helpers(call, scope)}) for call in own]
    return calls


def spellings(option: Any) -> tuple[str, ...]:
    return (*option.opts, *option.secondary_opts)


def exercised_by(command: str, names: tuple[str, ...]) -> list[str]:
    """Return the tests that type a command with an option of these spellings."""

    def holds(call: frozenset[str]) -> bool:
        return command in call and any(word in names or word.startswith(f"{names[0]}=") for word in call)

    return [test for test, calls in typed().items() if any(holds(call) for call in calls)]


GROUP: Any = typer.main.get_command(main.app)
OPTIONS = [
    pytest.param(name, spellings(option), id=f"{name} {option.opts[0]}")
    for name, command in GROUP.commands.items()
    for option in command.params
    if option.param_type_name == "option" and option.name != "help" and not command.hidden
]


@pytest.mark.parametrize(("command", "names"), OPTIONS)
def test_every_option_is_typed_by_a_test(command: str, names: tuple[str, ...]) -> None:
    assert exercised_by(command, names), f"no stage test types `wpci {command} {names[0]}`: give it one, or take it out"


@pytest.mark.parametrize("command", [name for name, command in GROUP.commands.items() if not command.hidden])
def test_every_command_is_typed_by_a_test(command: str) -> None:
    assert [test for test, calls in typed().items() if any(command in call for call in calls)]


def test_an_option_that_nobody_types_is_seen() -> None:
    assert exercised_by("validate", ("--nobody-types-this",)) == []
    assert exercised_by("schema", ("--mode",)) == []
    assert any("test_a_night" in test for test in exercised_by("nightly", ("--guests",)))
