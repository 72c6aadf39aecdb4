"""The test programs of a job's suites: our own, those of a kernel tree, and single ones that the user names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator import suite
from orchestrator.config.suites import Suite
from orchestrator.errors import InfraError, KernelError
from orchestrator.host.process import FOREVER, Deadline
from orchestrator.kbuild import make, own_programs, own_sources, programs, tree_suite
from orchestrator.kbuild.own_sources import Sources
from orchestrator.model import Programs, Side, Tree
from orchestrator.pipeline import shared, worktree
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job
from orchestrator.trees import fetch, repository


def build(job: Job, tree: Tree, name: str, config: Suite, ws: Workspace) -> Programs:
    """Build the programs of a suite of a job, or take them from the cache. ``tree`` is the tree under test."""
    deadline, share = Deadline.after(ws.pipeline.limits.build), shared.programs_of(ws)
    if config.kind == "own":
        _check_unchanged(name, programs.contents(config.directory), ws)
        return programs.build_own(name, config.directory, ws.cache, ws.progress, deadline, share=share)
    if config.kind == "program":
        made_from = sources(job, tree, config, ws)
        _check_unchanged(name, made_from.contents(), ws)
        return own_programs.build(name, made_from, ws.cache, ws.progress, deadline, share)
    source_tree, tree_name, place = _suite_tree(job, tree, config, ws)
    with (
        worktree.checked_out(source_tree, tree_name, place, ws) as source,
        _removed_suite_named(config, source_tree),
    ):
        out = ws.cache.path("work", tree_name, f"{place}-{name}")
        wanted = tree_suite.TreeSuite(
            name, tree_suite.in_tree(config, source), source, source_tree.content, out, owner=source_tree.owner
        )
        return tree_suite.build_from_tree(wanted, ws.cache, ws.progress, deadline, share)


def sources(job: Job, tree: Tree, config: Suite, ws: Workspace) -> Sources:
    """Return what a suite of single programs is made from, with the headers of the tree under test first."""
    deadline = Deadline.after(ws.pipeline.limits.build)
    return own_sources.of(config, _uapi(job, tree, config, ws), deadline)


def contents(config: Suite) -> dict[Path, str]:
    """Return the digests of what the user's own programs are made from; those of a tree are known by its commit."""
    if config.kind == "own":
        return programs.contents(config.directory)
    return own_sources.of(config, None, FOREVER).contents() if config.kind == "program" else {}


def _check_unchanged(name: str, made_from: Mapping[Path, str], ws: Workspace) -> None:
    """Raise InfraError where a suite is not what it was for an earlier job of the run: they would run two programs."""
    for path, now in made_from.items():
        if ws.sources.setdefault(path, now) != now:
            raise InfraError(f"suite {name}: {path} was changed while the run was going on: run it again")


@contextlib.contextmanager
def _removed_suite_named(config: Suite, tree: Tree) -> Iterator[None]:
    """Charge it to a series when its tree lacks a suite that the base has."""
    try:
        yield
    except tree_suite.NoMakefile as error:
        makefiles = [f"{place}/Makefile" for place in (config.directory, *config.or_directories)]
        removed = next((name for name in makefiles if repository.has(tree.repository, tree.base, name)), None)
        if removed is None:
            raise
        raise KernelError(f"the series removes {removed}, which a suite is built by") from error


def commands(job: Job, built: Sequence[Programs]) -> Iterator[tuple[str, str, str]]:
    """Yield how the programs of a job, built so, are called, for a guest that nobody enters."""
    for (name, config), there in zip(job.suites, built, strict=True):
        if config.setup:
            yield name, ".setup", setup_script(config.setup)
        for program in config.programs:
            if config.absent != "skip" or (there.directory / program.called).is_file():
                yield name, program.name, suite.called(name, config, program)


def setup_script(setup: Sequence[str]) -> str:
    """Return a script of the commands that set a suite up: all of them, whichever fails; then it fails itself."""
    return "".join(f"{{ {command}\n}} || failed=$?\n" for command in setup) + "exit ${failed:-0}\n"


def _uapi(job: Job, tree: Tree, config: Suite, ws: Workspace) -> Path | None:
    """Return the uapi headers of the tree under test, where a program is compiled; equal ones are installed once."""
    if not own_programs.needs_headers(config):
        return None
    arch = job.variant_config.arch
    wanted = own_programs.Headers(repository.contents(tree, make.uapi(arch)), arch, tree.owner)
    if there := own_programs.headers(wanted, ws.cache):
        return there
    deadline = Deadline.after(ws.pipeline.limits.build)
    with worktree.checked_out(tree, job.tree, job.worktree, ws) as source:
        out = ws.cache.path("work", job.tree, f"{job.worktree}-uapi")
        return own_programs.install_headers(wanted, source, out, ws.cache, ws.progress, deadline)


def _suite_tree(job: Job, tree: Tree, config: Suite, ws: Workspace) -> tuple[Tree, str, str]:
    """Return the tree that a suite is built from, and the name and place that say where it is checked out."""
    if config.tree is None:
        return tree, job.tree, job.worktree
    deadline = Deadline.after(ws.pipeline.limits.fetch)
    other = fetch(ws.pipeline.trees[config.tree].source, config.tree, ws.cache, ws.progress, deadline)
    return other, config.tree, Side.BASE.value
