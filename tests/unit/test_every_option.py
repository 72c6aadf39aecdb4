"""Every option of every command is typed by a stage test: one that no test types goes, or gets a test.

The table is read from the tests themselves: a chain of calls, from a test through its helpers, whose words begin with
the command and hold the option.
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
PROGRAM = "orchestrator.cli"
"""What ``python -m`` runs: the words of the command line stand behind it."""
REFUSED = ("test_without_effect.py", "test_refusals.py")
"""Here options are refused: that shows nothing of what they do."""
LIBRARIES = ("subprocess", "shutil", "json")
"""Their functions are no helpers of the tests, whatever their names."""


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


def parts(node: ast.AST, scope: Scope, local: dict[str, list[ast.expr]], depth: int = DEPTH) -> Iterator[ast.AST]:
    """Yield the parts of an expression, and of what its names stand for."""
    for part in ast.walk(node):
        yield part
        if isinstance(part, ast.Name) and depth:
            for value in (*local.get(part.id, ()), *scope.values.get(part.id, ())):
                yield from parts(value, scope, {}, depth - 1)


def words(node: ast.AST, scope: Scope, local: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Yield the strings that an expression holds, or comes to."""
    for part in parts(node, scope, local):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


@dataclass(frozen=True)
class Typed:
    """What one chain of calls, from a test down to the one that starts the program, puts on its command line."""

    heads: frozenset[str]
    """The words that stand first: a command is one of these, and a value of the same spelling is none."""
    words: frozenset[str]

    def __or__(self, other: Typed) -> Typed:
        return Typed(self.heads | other.heads, self.words | other.words)

    def has(self, command: str, names: tuple[str, ...]) -> bool:
        return command in self.heads and any(word in names or word.startswith(f"{names[0]}=") for word in self.words)


def of_call(call: ast.Call, scope: Scope, local: dict[str, list[ast.expr]]) -> Typed:
    literals = (part.elts for part in parts(call, scope, local) if isinstance(part, ast.List | ast.Tuple))
    heads = frozenset(filter(None, map(head, (call.args, *literals))))
    return Typed(heads, frozenset(words(call, scope, local)))


def head(sequence: list[ast.expr]) -> str | None:
    """Return the first word of a command line, behind what starts the program."""
    strings = [part.value for part in sequence if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return next(iter(strings[strings.index(PROGRAM) + 1 :] if PROGRAM in strings else strings), None)


def chains(call: ast.Call, scope: Scope, local: dict[str, list[ast.expr]], depth: int = DEPTH) -> Iterator[Typed]:
    """Yield what a call types, alone and by each call that the helpers make which it goes through."""
    own = of_call(call, scope, local)
    yield own
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    library = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in LIBRARIES
    for helper in scope.functions.get(name, ()) if depth and not library else ():
        inside = local_values(helper)
        for inner in (node for node in ast.walk(helper) if isinstance(node, ast.Call)):
            yield from {own | chain for chain in chains(inner, scope, inside, depth - 1)}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(STAGE.rglob("test_*.py")):
        if path.name not in REFUSED:
            yield path, ast.parse(path.read_text())


@functools.cache
def typed() -> dict[str, set[Typed]]:
    """Return, by test, what each call that it makes comes to."""
    trees = dict(modules())
    benches = [trees[STAGE / name] for name in ("pipeline/test_run.py", "cli/test_commands.py", "validate/test_run.py")]
    calls: dict[str, set[Typed]] = {}
    for path, module in trees.items():
        scope = Scope.of(module, *(bench for bench in benches if bench is not module))
        for function in (node for node in module.body if isinstance(node, ast.FunctionDef)):
            if function.name.startswith("test_"):
                calls[f"{path.relative_to(STAGE)}::{function.name}"] = in_function(function, scope)
    return calls


def in_function(function: ast.FunctionDef, scope: Scope) -> set[Typed]:
    local = local_values(function)
    own = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    return {chain for call in own for chain in chains(call, scope, local)}


def exercised_by(command: str, names: tuple[str, ...]) -> list[str]:
    """Return the tests that type a command with an option of these spellings."""
    return [test for test, calls in typed().items() if any(call.has(command, names) for call in calls)]


GROUP: Any = typer.main.get_command(main.app)
OPTIONS = [
    pytest.param(name, tuple(names), id=f"{name} {names[0]}")
    for name, command in GROUP.commands.items()
    for option in command.params
    if option.param_type_name == "option" and option.name != "help" and not command.hidden
    for names in (option.opts, option.secondary_opts)  # --ahead and --no-ahead are two promises
    if names
]


@pytest.mark.parametrize(("command", "names"), OPTIONS)
def test_every_option_is_typed_by_a_test(command: str, names: tuple[str, ...]) -> None:
    assert exercised_by(command, names), f"no stage test types `wpci {command} {names[0]}`: give it one, or take it out"


@pytest.mark.parametrize("command", [name for name, command in GROUP.commands.items() if not command.hidden])
def test_every_command_is_typed_by_a_test(command: str) -> None:
    assert [test for test, calls in typed().items() if any(command in call.heads for call in calls)]


def test_an_option_that_nobody_types_is_seen() -> None:
    assert exercised_by("validate", ("--nobody-types-this",)) == []
    assert exercised_by("schema", ("--mode",)) == []
    assert any("test_a_night" in test for test in exercised_by("nightly", ("--guests",)))
