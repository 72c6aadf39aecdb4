"""Kernels and programs in a store that several machines share: one builds what is missing, the others wait and take it.

What the store does badly costs time and is said, and the product is built here then: it never changes a verdict.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from orchestrator.errors import InfraError
from orchestrator.host import process
from orchestrator.kbuild import kernel, programs
from orchestrator.kbuild.request import BuildRequest, kernel_key
from orchestrator.model import Kernel
from orchestrator.pipeline.context import Workspace
from orchestrator.progress import Detail

if TYPE_CHECKING:
    from orchestrator.host.store import Claim, Store

T = TypeVar("T")

_POLL = 0.5
"""Seconds between two looks at a store in which another machine is to put something."""


@dataclass(frozen=True)
class Product(Generic[T]):
    """What is made once for all: ``lookup`` returns it where its folder in the cache of this machine has it whole."""

    kind: str
    key: str
    words: str
    folder: Path
    lookup: Callable[[], T | None]


def kernel_of(request: BuildRequest, workspace: Workspace, build: Callable[[], Kernel]) -> tuple[Kernel, bool]:
    """Return a kernel, and whether it was there already: in the cache, or in the store of the workspace."""
    if request.private:  # no other machine asks for it
        workspace = replace(workspace, store=None)
    cache, key = workspace.cache, kernel_key(request)
    wanted = Product("kernels", key, "kernel", cache.path("kernels", key), lambda: kernel.lookup(request, cache))
    return of(wanted, workspace, build)


def programs_of(workspace: Workspace) -> programs.Share:
    """Return what has programs made that are missing: here, or once for all machines that share the store."""

    def share(folder: Path, is_whole: Callable[[], bool], build: Callable[[], None]) -> None:
        def made() -> Path:
            build()
            return folder

        wanted = Product("programs", folder.name, "programs", folder, lambda: folder if is_whole() else None)
        of(wanted, workspace, made)

    return share


def of(product: Product[T], workspace: Workspace, build: Callable[[], T]) -> tuple[T, bool]:
    """Return a product, and whether it was there already: in the cache, or in the store of the workspace."""
    if there := product.lookup():
        return there, True
    if workspace.store is None:
        return build(), False
    try:
        claim = _taken(product, workspace, workspace.store)
    except InfraError as error:
        process.check_wanted()
        workspace.progress.note(f"the {product.words} is built here: {error}")
        return build(), False
    if claim is None:
        return _whole(product), True
    with claim:  # between our look and our claim another machine may have ended
        if there := product.lookup():
            return there, True
        return _built(product, workspace, workspace.store, build), False


def _whole(product: Product[T]) -> T:
    made = product.lookup()
    if made is None:
        raise InfraError(f"the {product.words} {product.key[:12]} is gone from {product.folder} again")
    return made


def _taken(product: Product[T], workspace: Workspace, store: Store) -> Claim | None:
    """Take a product out of the store, now or when another machine has built it; else return the claim to build it."""
    kind, key, words = product.kind, product.key, f"{product.words} {product.key[:12]}"
    announced, seen, since = False, "", time.monotonic()
    while True:
        if _fetched(product, workspace, store):
            return None
        if claim := store.claim(kind, key):
            with contextlib.suppress(InfraError):
                _fetched(product, workspace, store)
            return claim
        now = store.claimed_by(kind, key)
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > store.dead_after:
            workspace.progress.note(f"who was to build the {words} is gone: it is built here")
            store.drop_claim(kind, key)
        if not announced:
            announced = True
            workspace.progress.note(Detail(f"waiting for another machine that builds the {words}"))
        process.check_wanted()
        time.sleep(_POLL)


def _fetched(product: Product[T], workspace: Workspace, store: Store) -> bool:
    """Whether a product is here, or in the store as it was built. Raises InfraError."""
    with workspace.cache.lock(f"store-{product.key}", workspace.progress):
        if product.lookup() is not None:
            return True
        return store.get(product.kind, product.key, product.folder) and product.lookup() is not None


def _built(product: Product[T], workspace: Workspace, store: Store, build: Callable[[], T]) -> T:
    made = build()
    try:
        store.put(product.kind, product.key, product.folder)
    except InfraError as error:
        process.check_wanted()
        workspace.progress.note(f"the {product.words} {product.key[:12]} stays here: {error}")
    return made
