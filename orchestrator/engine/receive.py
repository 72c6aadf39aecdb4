"""A result of another machine as one of this: what it speaks of is found here, by every reader."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from orchestrator.engine import portable
from orchestrator.engine.order import Fault, Parcel
from orchestrator.engine.task import R
from orchestrator.errors import InfraError, PipelineError
from orchestrator.host import packing
from orchestrator.host.cache import Cache
from orchestrator.host.store import Store
from orchestrator.model import JobResult, Kernel, Tree, Verdict, rundir
from orchestrator.pipeline.context import Workspace
from orchestrator.trees import bundle


def opened(
    parcel: Parcel[R], repositories: Mapping[str, Path], workspace: Workspace, store: Store
) -> R | PipelineError:
    """Put the files of an attempt into the folder of the run; return its result, or the fault that it ended with."""
    try:
        if parcel.files:
            packing.unpack(io.BytesIO(parcel.files), workspace.directory)
    except InfraError as error:
        return InfraError(f"what came back from {parcel.worker}: {error}")
    outcome = portable.shown(parcel.outcome, {"run": workspace.directory, "cache": workspace.cache.root})
    if isinstance(outcome, Fault):
        return outcome.error()
    return localised(outcome, repositories, workspace, store, parcel.host)


def localised(outcome: R, repositories: Mapping[str, Path], workspace: Workspace, store: Store, host: str) -> R:
    """Return a result whose tree is in the repository here, by commit, and whose .config is that of its folder.

    The kernel of a red job comes along: whoever looks at it boots it again.
    """
    if isinstance(outcome, tuple):
        return cast(R, tuple(localised(part, repositories, workspace, store, host) for part in outcome))
    if not isinstance(outcome, JobResult):
        return outcome
    tree, kernel = outcome.products.tree, outcome.products.kernel
    if kernel and outcome.verdict is Verdict.FAIL and outcome.products.bootable:
        _bring(kernel, workspace, store)
    kept = outcome.directory / rundir.CONFIG
    products = replace(
        outcome.products,
        tree=tree and _placed(tree, repositories, workspace.cache),
        kernel=replace(kernel, config=kept) if kernel and kept.exists() else kernel,
    )
    return replace(outcome, products=products, host=host)


def _placed(tree: Tree, repositories: Mapping[str, Path], cache: Cache) -> Tree:
    for name, repository in repositories.items():
        if tree.repository == cache.root.joinpath(*bundle.folder(name)):
            return replace(tree, repository=repository)
    return tree


def _bring(kernel: Kernel, workspace: Workspace, store: Store) -> None:
    folder = workspace.cache.path("kernels", kernel.key)
    with contextlib.suppress(InfraError), workspace.cache.lock(f"store-{kernel.key}", workspace.progress):
        if not folder.exists():
            store.get("kernels", kernel.key, folder)
