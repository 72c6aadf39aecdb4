"""Kernels in a store that several machines share: one builds what is missing, the others wait for it and take it.

What the store does badly costs time and is said, and a kernel is built here then: it never changes a verdict.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import InfraError
from orchestrator.host import process
from orchestrator.kbuild import kernel
from orchestrator.kbuild.kernel import BuildRequest
from orchestrator.model import Kernel
from orchestrator.pipeline.context import Workspace
from orchestrator.progress import Detail

if TYPE_CHECKING:
    from orchestrator.host.store import Claim, Store

_KIND = "kernels"
_POLL = 0.5
"""Seconds between two looks at a store in which another machine is to put a kernel."""


def kernel_of(request: BuildRequest, workspace: Workspace, build: Callable[[], Kernel]) -> tuple[Kernel, bool]:
    """Return a kernel, and whether it was there already: in the cache, or in the store of the workspace."""
    if made := kernel.lookup(request, workspace.cache):
        return made, True
    if workspace.store is None:
        return build(), False
    try:
        product = _taken(request, workspace, workspace.store)
    except InfraError as error:
        process.check_wanted()
        workspace.progress.note(f"the kernel is built here: {error}")
        return build(), False
    if isinstance(product, Kernel):
        return product, True
    with product:  # between our look and our claim another machine may have ended
        made = kernel.lookup(request, workspace.cache)
        return (made, True) if made else (_built(request, workspace, workspace.store, build), False)


def _taken(request: BuildRequest, workspace: Workspace, store: Store) -> Kernel | Claim:
    """Return the kernel out of the store, now or when another machine has built it, or the claim to build it."""
    key = kernel.key(request)
    announced, seen, since = False, "", time.monotonic()
    while True:
        if made := fetched(request, workspace, store):
            return made
        if claim := store.claim(_KIND, key):
            with contextlib.suppress(InfraError):
                fetched(request, workspace, store)
            return claim
        now = store.claimed_by(_KIND, key)
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > store.dead_after:
            workspace.progress.note(f"who was to build the kernel {key[:12]} is gone: it is built here")
            store.drop_claim(_KIND, key)
        if not announced:
            announced = True
            workspace.progress.note(Detail(f"waiting for another machine that builds the kernel {key[:12]}"))
        process.check_wanted()
        time.sleep(_POLL)


def fetched(request: BuildRequest, workspace: Workspace, store: Store) -> Kernel | None:
    """Return the kernel out of the store; None where it is not there, or not what was built. Raises InfraError."""
    key = kernel.key(request)
    folder: Path = workspace.cache.path(_KIND, key)
    with workspace.cache.lock(f"store-{key}", workspace.progress):
        return kernel.lookup(request, workspace.cache) or (
            kernel.lookup(request, workspace.cache) if store.get(_KIND, key, folder) else None
        )


def _built(request: BuildRequest, workspace: Workspace, store: Store, build: Callable[[], Kernel]) -> Kernel:
    made = build()
    try:
        store.put(_KIND, made.key, made.image.parent)
    except InfraError as error:
        process.check_wanted()
        workspace.progress.note(f"the kernel {made.key[:12]} stays here: {error}")
    return made
