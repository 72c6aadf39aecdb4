"""A scheduler in this process and workers as processes beside it, over loopback with certificates made for the run."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import dask
from distributed import LocalCluster

from orchestrator.engine import certificates, worker
from orchestrator.engine.scheduler import LOSSES, Address
from orchestrator.host import process, scratch
from orchestrator.host.cache import Cache
from orchestrator.progress import Progress

_ACCOUNTS = ("AWS_", "AZURE_", "FSSPEC_", "GCSFS_", "GOOGLE_")
"""How the variables begin from which file systems of fsspec take their account. No build sees them: it is in a cage."""


@contextlib.contextmanager
def started(count: int, silence: float, cache: Cache, progress: Progress) -> Iterator[Address]:
    """Start a scheduler and ``count`` workers for the block; none of them outlives it. Raises InfraError."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch.folder())
        address = stack.enter_context(_scheduler(folder, silence))
        for number in range(1, count + 1):
            argv = [sys.executable, "-m", "orchestrator.cli", "worker", address.scheduler]
            options = ["--certificates", str(folder), "--part", f"{number}/{count}"]
            file = stack.enter_context(cache.path("logs", f"worker-{number}.log").open("wb"))
            stack.enter_context(process.spawn([*argv, *options], env=_environment(cache), stdout=file))
        progress.note(f"engine: {count} workers on this machine, their logs are {cache.path('logs', 'worker-*.log')}")
        yield address


def _environment(cache: Cache) -> dict[str, str]:
    """Return the environment of a worker: this program, as it was found here, the same cache, the store's account."""
    search = os.pathsep.join(path for path in sys.path if path)
    account = {name: value for name, value in os.environ.items() if name.startswith(_ACCOUNTS)}
    return process.minimal_environment({**account, "WPCI_CACHE": str(cache.root), "PYTHONPATH": search})


@contextlib.contextmanager
def _scheduler(folder: Path, silence: float) -> Iterator[Address]:
    made = certificates.make(folder)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    rules = {"allowed_failures": LOSSES - 1, "worker_ttl": silence}
    with (
        dask.config.set(worker.SETTINGS),
        LocalCluster(
            n_workers=0,
            processes=False,
            host="127.0.0.1",
            protocol="tls",
            security=worker.security(made),
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs=rules,
            silence_logs=logging.CRITICAL,
        ) as running,
    ):
        yield Address(running.scheduler_address, made, silence)
