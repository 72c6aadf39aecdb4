"""The option parser: what it refuses is one line as all else, and it takes no empty word for what was left out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import typer.core

from orchestrator.errors import UserError

_MAY_BE_EMPTY = ("command", "program_args")
"""These are the words of another program."""


@contextlib.contextmanager
def _refusals(ctx: Any) -> Iterator[None]:
    """Raise UserError for what the option parser refuses; it would print a usage and a box."""
    try:
        yield
    except Exception as error:
        if isinstance(error, typer.Exit) or not hasattr(error, "format_message"):
            raise
        raise UserError(f"{error.format_message()} ({ctx.command_path} --help)") from error


class Group(typer.core.TyperGroup):
    """The commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what stands before the name of a command; without any word there is help. Raises UserError."""
        with _refusals(ctx) if args else contextlib.nullcontext():
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command of a name. Raises UserError for none, with the nearest."""
        with _refusals(ctx):
            return super().resolve_command(ctx, args)


class Command(typer.core.TyperCommand):
    """A command that refuses an empty value: of an unset variable, and it would run what nobody asked for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a command. Raises UserError where one is empty, or wrong."""
        with _refusals(ctx):
            if not ctx.resilient_parsing:
                self._refuse_empty(ctx, args)
            return super().parse_args(ctx, args)

    def _refuse_empty(self, ctx: Any, args: list[str]) -> None:
        typed, _, _ = self.make_parser(ctx).parse_args(list(args))
        for param in self.params:
            value = typed.get(param.name or "")
            if param.name not in _MAY_BE_EMPTY and (value == "" or (isinstance(value, list) and "" in value)):
                raise UserError(f"an empty {_called(param)}: name one, or leave it out (a variable that is not set?)")


def _called(param: Any) -> str:
    """Return what help calls a parameter."""
    if param.param_type_name == "option":
        return str(param.opts[0])
    return str(param.metavar or param.name.upper()).strip("[]")
