"""A run on one's own tree and series, without touching YAML: the options become entries of the pipeline.

Pure but for looking at paths.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import loader
from orchestrator.config.schema import Mode, Pipeline, SeriesConfig, TreeConfig
from orchestrator.config.sources import PathSource, Source
from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.errors import UserError
from orchestrator.text import textfile, wording


@dataclass(frozen=True)
class Options:
    """The options of the command line. ``tree`` and ``series`` name a configured entry or a path.

    ``ref`` is the commit of ``tree`` to start from (the base of a range); None takes what is checked out. ``mbox`` is a
    thread to take a message-id from, instead of the network; ``archive`` is where the series was found, if in one.
    ``here`` is the kernel tree that the user works in, where nothing else names one; ``base`` says what its commits go
    on.
    """

    tree: str | None = None
    series: str | None = None
    ref: str | None = None
    dirty: bool = False
    three_way: bool = False
    mbox: Path | None = None
    archive: str | None = None
    here: Path | None = None
    base: str | None = None


@dataclass(frozen=True)
class OwnPrograms:
    """The options for programs of one's own. ``timeout`` is for each, in seconds, and for KVM."""

    files: tuple[Path, ...] = ()
    args: str = ""
    timeout: float = 60.0
    expect_splat: str | None = None
    endless: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What each is called."""
        return tuple(label(path.stem if path.is_file() else path.name) for path in self.files)

    def suites(self, named: Sequence[str]) -> tuple[str, ...]:
        """Return the suites to run, of which the user named these."""
        return (*((PROGRAM,) if self.files else ()), *named)

    def tests(self, named: Sequence[str], suites: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
        """Return the tests to run, where the user named these, and suites; ``usual`` are those of the mode."""
        if not self.files:
            return tuple(named)
        return (*(named or (usual if suites else ())), *self.names)


PROGRAM = "program"
"""The suite of the programs that the command line names."""


def with_programs(pipeline: Pipeline, own: OwnPrograms, repeat: int = 1) -> Pipeline:
    """Return the pipeline with a suite of these programs, or as it is without any. Raises UserError."""
    if not own.files:
        return pipeline
    paths = [_existing(str(file), "--program", ()) for file in own.files]
    names = own.names
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"--program: two programs are called {twice}")
    suite = Suite(
        kind="program",
        programs=tuple(
            ProgramConfig(name=name, file=path, args=own.args, expect_splat=own.expect_splat, endless=own.endless)
            for name, path in zip(names, paths, strict=True)
        ),
        test_timeout=own.timeout,
        timeout=max(600.0, own.timeout * len(paths) * repeat * _SPARE),
    )
    return with_suite(pipeline, suite)


def with_suite(pipeline: Pipeline, suite: Suite) -> Pipeline:
    """Return the pipeline with the suite of the user's own programs."""
    return pipeline.model_copy(update={"suites": {**pipeline.suites, PROGRAM: suite}})


_SPARE = 1.5
"""What a suite may take beside the limits of its programs."""


def overlay(pipeline: Pipeline, mode_name: str, options: Options) -> tuple[Pipeline, str]:
    """Return the pipeline with the user's own tree and series in it, and the mode to run.

    Variants, suites and tests stay those of ``mode_name``: where it has products for a series and others for trees
    alone (an oracle), those of the first one's kind. A configured series keeps its own tree unless
    ``tree`` says otherwise; expectations hold only for what pipeline.yaml itself names. A path that is
    called like an entry of something else gets another name (``linux-6.12-own``).
    Raises UserError where a path does not exist, and for an option that has nothing to act on.
    """
    loader.check_name(mode_name, pipeline.modes, "mode")
    mode = pipeline.modes[mode_name]
    if options.tree is None and options.series is None:
        return _as_configured(pipeline, mode_name, mode, options), mode_name
    options = _by_name(pipeline, options)
    tree_name, trees = _tree(pipeline, mode, options)
    series_name, series = _series(pipeline, tree_name, options)
    if options.three_way and series_name is None and options.here is None:
        raise UserError("--3way: no series is applied")
    own = {"trees": () if series_name else (tree_name,), "series": (series_name,) if series_name else ()}
    also = tuple(part.model_copy(update=own) for part in mode.also if bool(part.series) is bool(mode.series))
    chosen = mode.model_copy(update={**own, "also": also})
    name = f"{mode_name} on {tree_name}"
    update = {"trees": trees, "series": series, "modes": {**pipeline.modes, name: chosen}}
    return pipeline.model_copy(update=update), name


def _as_configured(pipeline: Pipeline, mode_name: str, mode: Mode, options: Options) -> Pipeline:
    """Return the pipeline where the command line names no tree and no series: those of the mode, with the options."""
    series = {name for part in mode.parts for name in part.series}
    if options.three_way and not series:
        raise UserError(f"--3way: mode {mode_name} applies no series")
    trees = {pipeline.series[name].tree for name in series} | {name for part in mode.parts for name in part.trees}
    changed = {name: pipeline.series[name].model_copy(update={"three_way": True}) for name in series}
    return pipeline.model_copy(
        update={
            "trees": {**pipeline.trees, **(_with_changes(pipeline, trees) if options.dirty else {})},
            "series": {**pipeline.series, **(changed if options.three_way else {})},
        }
    )


def _with_changes(pipeline: Pipeline, names: Collection[str]) -> dict[str, TreeConfig]:
    """Return those of the trees that are folders, with their uncommitted changes. Raises UserError where none is."""
    taken = {}
    for name in names:
        source = pipeline.trees[name].source
        if isinstance(source, PathSource) and source.ref is None:
            dirty = source.model_copy(update={"dirty": True})
            taken[name] = pipeline.trees[name].model_copy(update={"source": dirty})
    if not taken:
        raise UserError(f"--dirty: the tree {wording.some(sorted(names))} is no folder with changes of yours")
    return taken


def _by_name(pipeline: Pipeline, options: Options) -> Options:
    """Call a configured series by its name where it was given by its path."""
    given = options.series
    if given is None or given in pipeline.series or not textfile.is_there(given):
        return options
    names = [name for name, known in pipeline.series.items() if known.path.resolve() == Path(given).resolve()]
    return dataclasses.replace(options, series=names[0]) if names else options


def _tree(pipeline: Pipeline, mode: Mode, options: Options) -> tuple[str, dict[str, TreeConfig]]:
    named = options.tree
    if named is None:
        configured = pipeline.series.get(options.series or "")
        fallback = (
            [configured.tree] if configured else [pipeline.series[s].tree for s in mode.series] + list(mode.trees)
        )
        named = fallback[0]
    if named in pipeline.trees:
        taken = _with_changes(pipeline, (named,)) if options.dirty else {}
        return named, {**pipeline.trees, **taken}
    if options.dirty and options.ref:
        raise UserError(f"--dirty: a range names its commits, and --base one: the tree is taken at {options.ref[:12]}")
    path = _existing(named, "--tree", pipeline.trees)
    source = PathSource(provider="path", path=path, ref=options.ref, dirty=options.dirty)
    others = [name for name, known in pipeline.trees.items() if _resolved(known.source) != _resolved(source)]
    name, entry = _unused(path, others), TreeConfig(source=source)
    return name, {**pipeline.trees, name: entry}


def _series(pipeline: Pipeline, tree: str, options: Options) -> tuple[str | None, dict[str, SeriesConfig]]:
    named = options.series
    if named is None:
        return None, pipeline.series
    if named in pipeline.series:
        known = pipeline.series[named]
        expect = known.expect if known.tree == tree else None
        changed = known.model_copy(
            update={"tree": tree, "expect": expect, "three_way": known.three_way or options.three_way}
        )
        return named, {**pipeline.series, named: changed}
    path = _existing(named, "--series", pipeline.series)
    name = _unused(path, pipeline.series)
    entry = SeriesConfig(path=path, tree=tree, three_way=options.three_way)
    return name, {**pipeline.series, name: entry}


def _resolved(source: Source) -> Source:
    return source.model_copy(update={"path": source.path.resolve()}) if isinstance(source, PathSource) else source


def _unused(path: Path, others: Collection[str]) -> str:
    """Return a name for what a path leads to that none of the others has: suites may be built from those."""
    name = label(path.stem if path.is_file() else path.name)
    while name in others:
        name += "-own"
    return name


def _existing(text: str, option: str, known: Collection[str]) -> Path:
    path = textfile.expanded(text).absolute()
    textfile.check_path(path, option)
    if not textfile.is_there(path):
        hint = wording.nearest(text, known)
        name = "no such name in pipeline.yaml, and " if known else ""
        raise UserError(f"{option}: {name}no such file or folder: {text}{hint}")
    return path


def label(text: str) -> str:
    """Return a name for an entry that the user named in another way: one that ``scalars.Name`` takes."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text).strip("._-") or "own"
