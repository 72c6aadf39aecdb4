"""Results ↔ JSON: ``result.json`` of a run and of each job, read back by whatever goes on from an earlier run.

The document is ``{"version": 1, "kind": "run" or "job", "result": …}``; below ``result`` the fields are those of
``RunResult`` or ``JobResult``: enums by value, paths as text, tuples as lists. Keys are sorted, so runs diff well.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from orchestrator.errors import UserError
from orchestrator.model import JobResult, RunResult
from orchestrator.text import textfile, wording

VERSION = 1
_MOST_SHOWN = 200
_KINDS: dict[str, type[RunResult] | type[JobResult]] = {"job": JobResult, "run": RunResult}


def dump(result: RunResult | JobResult) -> str:
    """Return the document, with a line end at its end. Text that is no Unicode is replaced."""
    kind = "run" if isinstance(result, RunResult) else "job"
    document = {"version": VERSION, "kind": kind, "result": _plain(result)}
    text = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    return text.encode(errors="replace").decode()


def load(text: str) -> RunResult | JobResult:
    """Read a document back. Raises UserError where it is none, is of another version, or lacks a field."""
    try:
        document = json.loads(text)
        if document["version"] != VERSION:
            raise UserError(f"result.json is of version {document['version']}, this program reads {VERSION}")
        result: RunResult | JobResult = _value(_KINDS[document["kind"]], document["result"])
        if isinstance(result, RunResult):
            _ = result.finished  # whoever reckons with its times later need not ask
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, ValidationError, RecursionError) as error:
        why = wording.cut(f"{type(error).__name__}: {error}", _MOST_SHOWN)
        raise UserError(f"no result.json that this program can read: {why}") from error
    return result


def read_job(path: Path) -> JobResult:
    """Read the file of a job. Raises UserError with its name."""
    try:
        return load_job(textfile.read(path))
    except UserError as error:
        raise UserError(_named(error, path)) from error


def read_run(path: Path) -> RunResult:
    """Read the file of a run. Raises UserError with its name."""
    try:
        return load_run(textfile.read(path))
    except UserError as error:
        raise UserError(_named(error, path)) from error


def _named(error: UserError, path: Path) -> str:
    return str(error) if str(path) in str(error) else f"{path}: {error}"


def load_job(text: str) -> JobResult:
    """Read the document of a job. Raises UserError like ``load``, and for that of a run."""
    result = load(text)
    if not isinstance(result, JobResult):
        raise UserError("this result.json is of a whole run, not of one job")
    return result


def load_run(text: str) -> RunResult:
    """Read the document of a run. Raises UserError like ``load``, and for that of a job."""
    result = load(text)
    if not isinstance(result, RunResult):
        raise UserError("this result.json is of one job, not of a whole run")
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """Return the types of the fields of a value."""
    from orchestrator.config.schema import Machine  # the one type that the values name and do not load

    return typing.get_type_hints(kind, localns={"Machine": Machine})


def _value(kind: Any, raw: Any) -> Any:
    """Build a value of an annotated type out of what JSON left of it."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (option for option in typing.get_args(kind) if option is not type(None))
        return None if raw is None else _value(inner, raw)
    if origin is tuple:
        return _tuple(typing.get_args(kind), raw)
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast(type, kind), raw)
    if issubclass(kind, BaseModel):
        return kind.model_validate(raw)
    return _scalar(kind, raw)


_OLD_NAMES: dict[type, dict[str, str]] = {JobResult: {"job": "name", "asked": "requested"}}
"""Names that fields had before: results of then are read, too."""


def _record(kind: type, raw: dict[str, Any]) -> Any:
    fields, names = hints(kind), _OLD_NAMES.get(kind, {})
    known = {names.get(name, name): item for name, item in raw.items()}
    return kind(**{name: _value(fields[name], item) for name, item in known.items()})


def _tuple(kinds: tuple[Any, ...], raw: Any) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise ValueError(f"a list is needed, not {type(raw).__name__}")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_value(kinds[0], item) for item in raw)
    return tuple(_value(kind, item) for kind, item in zip(kinds, raw, strict=True))


def _scalar(kind: Any, raw: Any) -> Any:
    if issubclass(kind, enum.Enum | Path):
        return kind(raw)
    allowed = (int, float) if kind is float else kind
    if not isinstance(raw, allowed) or (isinstance(raw, bool) and kind is not bool):
        raise ValueError(f"{kind.__name__} is needed, not {raw!r}")
    if kind is float and not math.isfinite(raw):
        raise ValueError("a finite number is needed")
    return float(raw) if kind is float else raw
