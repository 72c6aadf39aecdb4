"""A variable that is not set leaves an empty word: that is refused, and not taken for what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from orchestrator.cli import main
from orchestrator.errors import UserError

COMMANDS: dict[str, Any] = vars(typer.main.get_command(main.app))["commands"]
MAY_BE_EMPTY = {"--program-args", "COMMAND"}


def parsed(command: str, *words: str) -> dict[str, Any]:
    """Return what a command would be called with."""
    parameters: dict[str, Any] = COMMANDS[command].make_context(command, list(words)).params
    return parameters


def with_an_empty_word() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield each parameter that takes a value, as a command, what messages call it, and the words that leave it empty.

    They are an option's two forms, or an argument behind the ones before it.
    """
    for command, parser in COMMANDS.items():
        arguments = [param for param in parser.params if param.param_type_name == "argument"]
        for k, param in enumerate(arguments):
            yield command, (param.metavar or param.name.upper()).strip("[]- .").upper(), (*["x"] * k, "")
        for param in parser.params:
            if param.param_type_name == "option" and not param.is_flag and not param.count:
                yield command, param.opts[0], (param.opts[0], "")
                yield command, param.opts[0], (f"{param.opts[0]}=",)


CASES = [case for case in with_an_empty_word() if case[1] not in MAY_BE_EMPTY]


@pytest.mark.parametrize(("command", "name", "words"), CASES)
def test_an_empty_word_is_refused(command: str, name: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=rf"^an empty {name}: "):
        parsed(command, *words)


def test_these_are_among_them() -> None:
    cases = {(command, name) for command, name, _ in CASES}
    assert {("run", "SERIES"), ("run", "--mode"), ("run", "--tree"), ("run", "--base"), ("list", "--mode")} <= cases
    assert {("validate", "SERIES"), ("run", "--results"), ("run", "--test"), ("bisect", "--series")} <= cases


def test_what_belongs_to_another_program_may_be_empty() -> None:
    assert parsed("shell", "--", "printf", "")["command"] == ["printf", ""]
    assert parsed("run", "--program-args", "")["program_args"] == ""
