"""The kernel of a job: what is built, where, and whose fault it is when it does not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.arch import ARCHITECTURES
from orchestrator.errors import KernelError
from orchestrator.guest.rootfs import rootfs
from orchestrator.host.cache import digest
from orchestrator.host.process import Deadline
from orchestrator.kbuild import kernel, objects, place
from orchestrator.kbuild.configure import UnknownSymbols
from orchestrator.kbuild.request import BuildRequest
from orchestrator.model import Kernel, Tree, rundir
from orchestrator.pipeline import shared, suite_programs, worktree
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord, StageNote
from orchestrator.pipeline.values import Job
from orchestrator.trees import kconfigs


def build(record: JobRecord, tree: Tree, note: StageNote) -> Kernel:
    """Return the kernel of a job, with its programs compiled first. Raises InfraError, KernelError, UserError."""
    job, ws = record.job, record.workspace
    for name, config in job.suites:
        if config.kind == "program":  # one that does not compile, or cannot run, is reported before there is a kernel
            programs = suite_programs.build(job, tree, name, config, ws)
            deadline = Deadline.after(ws.pipeline.limits.build)
            rootfs.check_scripts(programs, ARCHITECTURES[job.variant_config.arch], deadline)
            suite_programs.sources(job, tree, config, ws).keep(record.directory / rundir.PROGRAMS)
    request = _build_request(job, tree, ws, job.variant, record.directory / "build.log")

    def make() -> Kernel:
        with worktree.checked_out(tree, job.tree, job.worktree, ws), _removed_symbols_named(job, tree):
            return kernel.build(request, ws.cache, ws.progress, Deadline.after(ws.pipeline.limits.build))

    made, note.reused = shared.kernel_of(request, ws, make)
    record.products = replace(record.products, kernel=made)
    note.message = f"{made.release}, build-id {made.build_id[:12]}, {len(made.warnings)} warnings"
    return made


@contextlib.contextmanager
def _removed_symbols_named(job: Job, tree: Tree) -> Iterator[None]:
    """Charge it to a series when Kconfig does not know a symbol that it knows without: the fragments are right."""
    try:
        yield
    except UnknownSymbols as error:
        if not (job.series and all(kconfigs.knows(tree, symbol) for symbol in error.symbols)):
            raise
        removed = ", ".join(error.symbols)
        raise KernelError(f"the series removes symbols that are asked for: {removed}", log=error.log) from error


def _build_request(job: Job, tree: Tree, workspace: Workspace, folder: str, log: Path) -> BuildRequest:
    """Return the request to build the tree of a job in its variant, in an output folder of that name."""
    source, variant = worktree.work_tree(job.tree, job.worktree, workspace), job.variant_config
    return BuildRequest(
        source=source,
        content=tree.content,
        out=place.out_folder(source, folder),
        base=variant.base,
        fragments=variant.fragments,
        arch=variant.arch,
        image=variant.image,
        log=log,
        owner=tree.owner,
        private=digest(str(workspace.directory), job.kernel_for) if job.kernel_for else "",
    )


def is_built(job: Job, tree: Tree, workspace: Workspace) -> bool:
    """Whether the cache has the kernel of a job's tree, where that is known; make is not called."""
    request = _build_request(job, tree, workspace, job.variant, workspace.directory / "build.log")
    return kernel.lookup(request, workspace.cache) is not None


def compile_objects(
    job: Job, tree: Tree, names: Sequence[str], flag: str, log: Path, workspace: Workspace
) -> objects.Diagnostics:
    """Compile single objects of a job's tree with a flag of make, beside its kernel; return the diagnostics."""
    request = _build_request(job, tree, workspace, f"{job.variant}-checks", log)
    deadline = Deadline.after(workspace.pipeline.limits.build)
    with worktree.checked_out(tree, job.tree, job.worktree, workspace):
        return objects.compile_objects(request, names, flag, workspace.cache, workspace.progress, deadline)
