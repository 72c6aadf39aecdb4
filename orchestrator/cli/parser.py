"""The option parser of each command: it takes no empty word for an option that was left out."""

from __future__ import annotations

from typing import Any

import typer.core

from orchestrator.errors import UserError

_MAY_BE_EMPTY = ("command", "program_args")
"""These are the words of another program."""


class Command(typer.core.TyperCommand):
    """A command that refuses an empty value: of an unset variable, and it would run what nobody asked for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a command. Raises UserError where one is empty."""
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
