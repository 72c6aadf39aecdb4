"""Results ↔ JSON: ``result.json`` of a run and of each job, read back by whatever goes on from an earlier run.

The document is ``{"version": 1, "kind": "run" or "job", "result": …}``; below ``result`` the fields are those of
``RunResult`` or ``JobResult``: enums by value, paths as text, tuples as lists. Keys are sorted, so runs diff well.
"""

from __future__ import annotations

import functools
import json
import typing
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.errors import UserError
from orchestrator.model import JobResult, RunResult
from orchestrator.text import textfile, wording

VERSION = 1
_MOST_SHOWN = 200
_KINDS: dict[str, type[RunResult] | type[JobResult]] = {"job": JobResult, "run": RunResult}


def dump(result: RunResult | JobResult) -> str:
    """Return the document, with a line end at its end. Text that is no Unicode is replaced."""
    kind = "run" if isinstance(result, RunResult) else "job"
    document = {"version": VERSION, "kind": kind, "result": _adapter(kind).dump_python(result, mode="json")}
    text = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    return text.encode(errors="replace").decode()


def load(text: str) -> RunResult | JobResult:
    """Read a document back. Raises UserError where it is none, is of another version, or lacks a field."""
    try:
        document = json.loads(text)
        if document["version"] != VERSION:
            raise UserError(f"result.json is of version {document['version']}, this program reads {VERSION}")
        plain = json.dumps(_with_new_names(document["kind"], document["result"]), allow_nan=False)
        result = _adapter(document["kind"]).validate_json(plain, strict=True, extra="forbid")
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


@functools.cache
def _adapter(kind: str) -> TypeAdapter[RunResult | JobResult]:
    from orchestrator.config.schema import Machine  # noqa: F401  # the one type that the values name and do not load

    return TypeAdapter(_KINDS[kind])


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """Return the types of the fields of a value."""
    from orchestrator.config.schema import Machine  # the one type that the values name and do not load

    return typing.get_type_hints(kind, localns={"Machine": Machine})


_OLD_NAMES = {"job": "name", "asked": "requested"}
"""Names that fields of a job had before: results of then are read, too."""


def _with_new_names(kind: str, result: dict[str, Any]) -> dict[str, Any]:
    """Return what stands below ``result`` in a document, its jobs with the names that their fields have today."""
    if kind == "job":
        return {_OLD_NAMES.get(name, name): item for name, item in result.items()}
    jobs = [_with_new_names("job", job) for job in result["jobs"]]
    pairs = [
        {**series, **{side: _with_new_names("job", series[side]) for side in ("base", "patched")}}
        for series in result["series"]
    ]
    return {**result, "jobs": jobs, "series": pairs}
