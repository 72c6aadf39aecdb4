"""Options that stand together in several commands: a dataclass of them is one parameter of each command."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes, in the place of each parameter whose type is a dataclass, the fields of that.

    Each field is annotated as an option is, and has its default; the option parser sees nothing but options.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {
        p.name: p.annotation for p in signature.parameters.values() if dataclasses.is_dataclass(p.annotation)
    }

    @functools.wraps(command)
    def flat(**options: Any) -> None:
        for name, group in groups.items():
            options[name] = group(**{field.name: options.pop(field.name) for field in dataclasses.fields(group)})
        command(**options)

    flat.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what inspect.signature returns of it
        parameters=[
            option.replace(kind=Parameter.KEYWORD_ONLY)
            for parameter in signature.parameters.values()
            for option in (_options(parameter.annotation) if parameter.name in groups else [parameter])
        ]
    )
    return flat


def names(group: Any) -> tuple[str, ...]:
    """Return the names of the parameters that the options of a group are."""
    return tuple(field.name for field in dataclasses.fields(group))


def _options(group: Any) -> Iterator[Parameter]:
    types = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=types[field.name])
