"""A run on one's own tree and series, without touching YAML: the options become entries of the pipeline. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator import wording
from orchestrator.config import loader
from orchestrator.config.schema import Mode, PathSource, Pipeline, SeriesConfig, TreeConfig
from orchestrator.errors import UserError

MODE = "adhoc"


@dataclass(frozen=True)
class Options:
    """What the command line said. ``tree`` and ``series`` name a configured entry or a path.

    ``ref`` is the commit of ``tree`` to start from (the base of a range); None takes what is checked out. ``mbox`` is a
    thread to take a message-id from, instead of the network; ``archive`` is where the series was found, if in one.
    """

    tree: str | None = None
    series: str | None = None
    ref: str | None = None
    dirty: bool = False
    three_way: bool = False
    mbox: Path | None = None
    archive: str | None = None


def overlay(pipeline: Pipeline, mode_name: str, options: Options) -> tuple[Pipeline, str]:
    """Return the pipeline with the user's own tree and series in it, and the mode to run.

    Variants, suites and tests stay those of ``mode_name``: where it has products for a series and others for trees
    alone (an oracle), those of the first one's kind. A configured series keeps its own tree unless
    ``tree`` says otherwise; expectations hold only for what pipeline.yaml itself names.
    Raises UserError where a path does not exist.
    """
    if options.tree is None and options.series is None:
        return pipeline, mode_name
    loader.check_name(mode_name, pipeline.modes, "mode")
    mode = pipeline.modes[mode_name]
    options = _by_name(pipeline, options)
    tree_name, trees = _tree(pipeline, mode, options)
    series_name, series = _series(pipeline, tree_name, options)
    own = {"trees": () if series_name else (tree_name,), "series": (series_name,) if series_name else ()}
    also = tuple(part.model_copy(update=own) for part in mode.also if bool(part.series) is bool(mode.series))
    chosen = mode.model_copy(update={**own, "also": also})
    update = {"trees": trees, "series": series, "modes": {**pipeline.modes, MODE: chosen}}
    return pipeline.model_copy(update=update), MODE


def _by_name(pipeline: Pipeline, options: Options) -> Options:
    """Call a configured series by its name where it was given by its path."""
    given = options.series
    if given is None or given in pipeline.series or not Path(given).exists():
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
        return fallback[0], pipeline.trees
    if named in pipeline.trees:
        return named, pipeline.trees
    path = _existing(named, "--tree", pipeline.trees)
    name = _label(path)
    entry = TreeConfig(source=PathSource(provider="path", path=path, ref=options.ref, dirty=options.dirty))
    return name, {**pipeline.trees, name: entry}


def _series(pipeline: Pipeline, tree: str, options: Options) -> tuple[str | None, dict[str, SeriesConfig]]:
    named = options.series
    if named is None:
        return None, pipeline.series
    if named in pipeline.series:
        known = pipeline.series[named]
        expect = known.expect if known.tree == tree else None
        changed = known.model_copy(update={"tree": tree, "expect": expect, "three_way": options.three_way})
        return named, {**pipeline.series, named: changed}
    path = _existing(named, "--series", pipeline.series)
    name = _label(path)
    entry = SeriesConfig(path=path, tree=tree, three_way=options.three_way)
    return name, {**pipeline.series, name: entry}


def _existing(text: str, option: str, known: Iterable[str]) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.exists():
        hint = wording.nearest(text, known)
        raise UserError(f"{option}: no such name in pipeline.yaml, and no such file or folder: {text}{hint}")
    return path


def _label(path: Path) -> str:
    """Return a name for an entry that the user gave by path: what a folder or a file name allows."""
    text = "".join(c if c.isalnum() or c in "._-" else "-" for c in (path.stem if path.is_file() else path.name))
    return text.strip("._-") or "own"
