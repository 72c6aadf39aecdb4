"""The paths of pipeline.yaml as absolute ones: a relative path begins at the folder of the file that names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.config import fragments, validation
from orchestrator.config.schema import Pipeline, SeriesConfig, TreeConfig, Variant
from orchestrator.config.sources import BundleSource, PathSource
from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.errors import UserError
from orchestrator.text import textfile


def resolve(pipeline: Pipeline, folder: Path) -> Pipeline:
    """Return the pipeline with absolute paths; names of sets of fragments stay names (``without_sets``).

    Raises UserError, with the place that names it, for a file that is not there; a secret, a certificate or a program
    of this host (an absolute path) may be missing, for not every run needs it.
    """
    at = _Resolver(pipeline, folder)
    return pipeline.model_copy(
        update={
            "trees": {name: at.tree(name, value) for name, value in pipeline.trees.items()},
            "series": {name: at.series(name, value) for name, value in pipeline.series.items()},
            "fragments": {k: at.fragments(value, f"fragments.{k}") for k, value in pipeline.fragments.items()},
            "variants": {name: at.variant(name, value) for name, value in pipeline.variants.items()},
            "suites": {name: at.suite(name, value) for name, value in pipeline.suites.items()},
            "validation": _with_secrets(pipeline.validation, folder),
            "splat_rules": pipeline.splat_rules and at.existing(pipeline.splat_rules, "splat_rules"),
            "engine": _with_certificates(pipeline.engine, folder),
            "history": pipeline.history and _beside(pipeline.history, folder),
        }
    )


def without_sets(pipeline: Pipeline) -> Pipeline:
    """Return a resolved pipeline with the files of each set of fragments. Raises UserError for one that holds itself.

    It comes after the merge of a file with the one that it extends: the file may replace a set of that one.
    """
    sets = pipeline.fragments
    first = (fragments.DEBUG_INFO,) if pipeline.debug_info else ()

    def files(entries: tuple[Path, ...], place: str, outer: tuple[str, ...] = ()) -> tuple[Path, ...]:
        return tuple(path for path, _ in fragments.files(entries, place, sets, outer))

    def expanded(name: str, value: Variant) -> Variant:
        own = files(value.fragments, f"variants.{name}.fragments")
        return value.model_copy(update={"fragments": (*first, *(path for path in own if path != fragments.DEBUG_INFO))})

    return pipeline.model_copy(
        update={
            "fragments": {name: files(value, f"fragments.{name}", (name,)) for name, value in sets.items()},
            "variants": {name: expanded(name, value) for name, value in pipeline.variants.items()},
        }
    )


@dataclass(frozen=True)
class _Resolver:
    """Resolves the entries of a pipeline, each by its name. Every method raises UserError for what is not there."""

    pipeline: Pipeline
    folder: Path

    def existing(self, path: Path, place: str) -> Path:
        full = self.folder / textfile.expanded(path)
        textfile.check_path(full, place)
        if not textfile.is_there(full):
            raise UserError(f"{place}: no such file or folder: {path}")
        return full

    def file(self, path: Path, place: str) -> Path:
        full = self.existing(path, place)
        if full.is_dir():
            raise UserError(f"{place}: {path} is a folder, not a file")
        return full

    def tree(self, name: str, value: TreeConfig) -> TreeConfig:
        source = value.source
        if isinstance(source, PathSource | BundleSource):
            full = self.existing(source.path, f"trees.{name}.source.path")
            return value.model_copy(update={"source": source.model_copy(update={"path": full})})
        return value

    def series(self, name: str, value: SeriesConfig) -> SeriesConfig:
        named = {key: getattr(value, key) for key in ("path", "on_top", "faults")}
        return value.model_copy(
            update={key: path and self.existing(path, f"series.{name}.{key}") for key, path in named.items()}
        )

    def fragments(self, entries: tuple[Path, ...], place: str) -> tuple[Path, ...]:
        sets = self.pipeline.fragments
        return tuple(e if str(e) in sets else self.file(e, f"{place}[{k}]") for k, e in enumerate(entries))

    def variant(self, name: str, value: Variant) -> Variant:
        named = self.fragments(value.fragments, f"variants.{name}.fragments")
        base = value.base
        if base not in ("tinyconfig", "defconfig"):
            base = str(self.file(Path(base), f"variants.{name}.base"))
        return value.model_copy(update={"fragments": named, "base": base})

    def suite(self, name: str, value: Suite) -> Suite:
        expected = value.expected and self.existing(value.expected, f"suites.{name}.expected")
        own = value.kind == "own"  # the folder of any other is in the tree under test
        directory = self.existing(value.directory, f"suites.{name}.directory") if own else value.directory
        programs = tuple(
            self.program(program, f"suites.{name}.programs[{k}].file") for k, program in enumerate(value.programs)
        )
        return value.model_copy(update={"expected": expected, "directory": directory, "programs": programs})

    def program(self, value: ProgramConfig, place: str) -> ProgramConfig:
        textfile.check_path(value.file or Path(), place)
        if value.file is None or value.file.is_absolute():  # of this host: a machine that runs no such suite lacks it
            return value
        return value.model_copy(update={"file": self.existing(value.file, place)})


def _with_certificates(engine: Any, folder: Path) -> Any:
    if engine == "local" or engine.certificates is None:
        return engine
    return engine.model_copy(update={"certificates": folder / textfile.expanded(engine.certificates)})


def _beside(url: str, folder: Path) -> str:
    """Return the URL of a database; the file of a relative one lies where its pipeline file does."""
    kind, _, path = url.partition(":///")
    return f"{kind}:///{folder / textfile.expanded(path)}" if kind == "sqlite" and path else url


def _with_secrets(settings: validation.Validation, folder: Path) -> validation.Validation:
    def absolute(value: Any) -> Any:
        file = value.file if isinstance(value, validation.Secret) else None
        return value.model_copy(update={"file": folder / textfile.expanded(file)}) if file else value

    def resolved(notice: validation.Notice) -> validation.Notice:
        return notice.model_copy(update={name: absolute(getattr(notice, name)) for name in type(notice).model_fields})

    return settings.model_copy(update={"notify": tuple(resolved(notice) for notice in settings.notify)})
