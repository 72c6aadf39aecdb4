"""Values that go to another machine and back: every path in them becomes a name that holds on both sides."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel

T = TypeVar("T")

_SCHEME = "wpci@"


@dataclasses.dataclass(frozen=True)
class Token:
    """A path that does not say where it is on this machine: ``place`` is ``input``, ``run`` or ``cache``."""

    place: str
    rest: str

    @property
    def path(self) -> Path:
        """The token as a path: it stands where the path stood."""
        return Path(f"{_SCHEME}{self.place}", self.rest)

    @classmethod
    def of(cls, path: Path) -> Token | None:
        """Return the token that a path is; None where it is a path."""
        first, *rest = path.parts or ("",)
        return cls(first.removeprefix(_SCHEME), str(Path(*rest))) if first.startswith(_SCHEME) else None


def mapped(value: T, change: Callable[[Any], Any]) -> T:
    """Return a value with ``change`` done to each part of it, the whole before its parts.

    Parts are those of dataclasses, models, tuples and mappings; a part that does not change stays the same object.
    """
    return cast(T, _mapped(change(value), change))


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, BaseModel):
        changed = _changed({name: getattr(value, name) for name in type(value).model_fields}, change)
        return value.model_copy(update=changed) if changed else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        changed = _changed(fields, change)
        return dataclasses.replace(value, **changed) if changed else value
    if isinstance(value, tuple):
        parts = [mapped(part, change) for part in value]
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else tuple(parts)
    if isinstance(value, Mapping):
        changed = _changed(dict(value), change)
        return {**value, **changed} if changed else value
    return value


def _changed(parts: Mapping[Any, Any], change: Callable[[Any], Any]) -> dict[Any, Any]:
    mapped_parts = {name: mapped(part, change) for name, part in parts.items()}
    return {name: part for name, part in mapped_parts.items() if part is not parts[name]}


def hidden(value: T, folders: Mapping[str, Path]) -> T:
    """Return a value in which paths below these folders, by place, are tokens."""

    def change(part: Any) -> Any:
        if not isinstance(part, Path):
            return part
        inside = next((place for place, folder in folders.items() if part.is_relative_to(folder)), None)
        return Token(inside, str(part.relative_to(folders[inside]))).path if inside else part

    return mapped(value, change)


def shown(value: T, folders: Mapping[str, Path]) -> T:
    """Return a value in which the tokens of these places are paths again."""

    def change(part: Any) -> Any:
        token = Token.of(part) if isinstance(part, Path) else None
        return folders[token.place] / token.rest if token and token.place in folders else part

    return mapped(value, change)
