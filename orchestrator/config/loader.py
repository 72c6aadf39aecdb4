"""pipeline.yaml → Pipeline: strict, with the place of every fault, and relative paths resolved against the file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, get_args

from pydantic import BaseModel, ValidationError

from orchestrator.config import locate, paths, yaml_text
from orchestrator.config import schema as config_schema
from orchestrator.config.schema import Pipeline
from orchestrator.config.strict import KEYS, WORD
from orchestrator.config.suites import Suite
from orchestrator.errors import UserError
from orchestrator.text import wording
from orchestrator.text.wording import STAGES


def load(path: Path) -> Pipeline:
    """Read pipeline.yaml.

    Raises UserError: one line that names the file and, in dotted form, the place (``variants.smoke.fragments[1]``);
    an unknown key or name comes with its nearest match.
    """
    pipeline = _resolved_file(path)
    try:
        return paths.without_sets(pipeline)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _resolved_file(path: Path) -> Pipeline:
    """Return what a file says, with absolute paths, and sets of fragments by their names. Raises UserError."""
    raw = yaml_text.read(path)
    if not isinstance(raw, dict):
        raise UserError(f"{path}: empty, or not a mapping")
    if raw.get("extends") == "default":
        raw = _extended(_resolved_file(locate.shipped()), raw)
    try:
        pipeline = Pipeline.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: {_first_problem(error)}") from error
    try:
        _check_names(pipeline)
        return paths.resolve(pipeline, path.absolute().parent)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _extended(base: Pipeline, raw: dict[str, Any]) -> dict[str, Any]:
    """Return what a file says with what it builds upon: entries by name, all else as a whole. Pure."""
    below = base.model_dump(mode="json", by_alias=True, exclude_unset=True)
    by_name = ("trees", "series", "fragments", "variants", "suites", "modes")
    added = {key: {**below.get(key, {}), **raw[key]} for key in by_name if isinstance(raw.get(key), dict)}
    return {**below, **raw, **added}


def schema() -> str:
    """Return the JSON schema of pipeline.yaml, for editors."""
    return json.dumps(Pipeline.model_json_schema(), indent=2, sort_keys=True) + "\n"


def _dotted(place: Iterable[str | int]) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _first_problem(error: ValidationError) -> str:
    """Return the first fault in words; unknown keys come first, for a typo often causes the others."""
    problems = sorted(error.errors(), key=lambda p: p["type"] != "extra_forbidden")
    problem = problems[0]
    place = _dotted(_resolved(problem["loc"])[0])
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])
        known = _known_keys(problem["loc"][:-1])
        return f"{place}: unknown key{_hint(key, known) if key not in known else ''}"
    if problem["type"] == "missing":
        return f"{place}: missing"
    if problem["type"] == "union_tag_not_found":
        key = problem["ctx"]["discriminator"].strip("'")
        return f"{place}.{key}: missing"
    words = _WORDS.get(problem["type"], problem["msg"])
    if problem["loc"][-1] == WORD:
        words += ", or keys with values"
    if _MAY_BE_SECRET.intersection(problem["loc"]):
        return f"{place}: {words}"
    return f"{place}: {words} (got {wording.cut(repr(problem['input']), _MOST_SHOWN)})"


_KEYS = "keys with values are needed"
_WORDS = {"tuple_type": "a list is needed", "dict_type": _KEYS, "model_type": _KEYS, "model_attributes_type": _KEYS}
"""What YAML has, where pydantic speaks of Python."""

_MAY_BE_SECRET = {"notify", "history", "lore", "url", "store"}
"""Keys under which a token or a password may stand: what is wrong there is not shown."""

_MOST_SHOWN = 80
"""Characters of a wrong value in a message."""


def _resolved(place: Iterable[str | int]) -> tuple[list[str | int], list[type[BaseModel]]]:
    """Return the place of a fault as it stands in the file, and the models that may be there.

    Behind what holds one of several models pydantic puts the word that says which.
    """
    shown: list[str | int] = []
    models: list[type[BaseModel]] = [Pipeline]
    for part in place:
        chosen = [m for m in models if part == m.__name__ or (len(models) > 1 and part in _tags(m))]
        if chosen or part in (WORD, KEYS):
            models = chosen or models
            continue
        shown.append(part)
        if named := [f for m in models for name, f in m.model_fields.items() if part in (name, f.alias)]:
            models = [m for field in named for m in _models(field.annotation)]
    return shown, models


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a type names, however deep inside it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _tags(model: type[BaseModel]) -> set[Any]:
    """Return the words by which a model is told from the others of its union."""
    fields = (model.model_fields[name] for name in ("provider", "kind") if name in model.model_fields)
    return {word for field in fields if len(get_args(field.annotation)) == 1 for word in get_args(field.annotation)}


def _known_keys(place: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the model at this place knows."""
    _, models = _resolved(place)
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})


def _hint(name: str, known: Iterable[str]) -> str:
    return wording.nearest(name, known) or f"; known: {', '.join(sorted(known)) or 'none'}"


def check_name(name: str, known: Mapping[str, Any], place: str) -> None:
    """Raise UserError with a near-match hint unless ``name`` is a key of ``known``."""
    if name not in known:
        _refuse_name(name, known, place)


def _refuse_name(name: str, known: Iterable[str], place: str) -> NoReturn:
    raise UserError(f"{place}: unknown name {name!r}{_hint(name, known)}")


def _check_names(pipeline: Pipeline) -> None:
    check_name(pipeline.default_mode, pipeline.modes, "default_mode")
    if "nightly" in pipeline.model_fields_set:
        check_name(pipeline.nightly.mode, pipeline.modes, "nightly.mode")
    for name, series in pipeline.series.items():
        check_name(series.tree, pipeline.trees, f"series.{name}.tree")
    for name, mode in pipeline.modes.items():
        for k, part in enumerate(mode.parts):
            _check_product(pipeline, part, f"modes.{name}.also[{k - 1}]" if k else f"modes.{name}")
    for k, item in enumerate(pipeline.validation.builds):
        check_name(item, pipeline.variants, f"validate.builds[{k}]")
    if pipeline.validation.mode is not None:
        check_name(pipeline.validation.mode, pipeline.modes, "validate.mode")
    for name, suite in pipeline.suites.items():
        _check_suite(name, suite)
        if suite.tree is not None:
            check_name(suite.tree, pipeline.trees, f"suites.{name}.tree")


_SUITES = {"own": ("directory",), "tree": ("directory", "programs"), "program": ("programs",)}
"""What a suite of each kind must name."""


def _check_suite(name: str, suite: Suite) -> None:
    if name == STAGES:
        raise UserError(f"suites.{name}: the stages of a job are called so in the history: name it otherwise")
    for field in _SUITES[suite.kind]:
        if field not in suite.model_fields_set or not getattr(suite, field):
            raise UserError(f"suites.{name}.{field}: missing, and a suite of kind {suite.kind} needs it")
    needed = "file" if suite.kind == "program" else "run"
    names = [program.name for program in suite.programs]
    for k, program in enumerate(suite.programs):
        if not getattr(program, needed):
            raise UserError(f"suites.{name}.programs[{k}].{needed}: missing, and a suite of that kind needs it")
        if names.count(program.name) > 1:
            raise UserError(f"suites.{name}.programs[{k}]: two programs are called {program.name}")
    _check_limits(name, suite)


def _check_limits(name: str, suite: Suite) -> None:
    """Refuse limits of which one never counts, or with which an endless program never has all of its time."""
    if "test_timeout" in suite.model_fields_set and suite.test_timeout > suite.timeout:
        limits = f"{suite.test_timeout:g} s, and the whole suite has {suite.timeout:g} s (timeout)"
        raise UserError(f"suites.{name}.test_timeout: {limits}")
    if suite.budget is not None and suite.kind != "own":
        raise UserError(f"suites.{name}.budget: only programs of a suite of kind own are told it")
    endless = sum(program.endless for program in suite.programs)
    at_once = suite.shards if isinstance(suite.shards, int) else max(endless, 1)
    least = suite.test_timeout * math.ceil(endless / at_once)
    if endless and least >= suite.timeout:
        raise UserError(
            f"suites.{name}.timeout: {suite.timeout:g} s, and its endless programs run for {least:g} s (test_timeout)"
        )


def _check_product(pipeline: Pipeline, product: config_schema.Product, place: str) -> None:
    for field in ("series", "trees", "variants", "suites"):
        for k, item in enumerate(getattr(product, field)):
            check_name(item, getattr(pipeline, field), f"{place}.{field}[{k}]")
    if not product.series and not product.trees:
        raise UserError(f"{place}: names neither series nor trees, so nothing would run")
