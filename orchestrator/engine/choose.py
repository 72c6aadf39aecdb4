"""Which engine a run has: what pipeline.yaml says, or the option; and what must be there for it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config import locate
from orchestrator.config.schema import Dask, Pipeline, Workers
from orchestrator.engine.local import LocalEngine
from orchestrator.engine.slots import Capacity
from orchestrator.engine.task import Engine
from orchestrator.errors import UserError
from orchestrator.host.cache import SHARED, Cache
from orchestrator.progress import Progress

if TYPE_CHECKING:
    from orchestrator.engine.certificates import Certificates

_FORMS = "local, workers:N, or tls://HOST:PORT"


def wanted(pipeline: Pipeline, option: str | None) -> Dask | None:
    """Return the other machines that are wanted; None where it is this one. Raises UserError."""
    configured = None if pipeline.engine == "local" else pipeline.engine
    if option is None:
        return configured
    if option == "local":
        return None
    if match := re.fullmatch(r"workers:([1-9]\d?)", option):
        where: str | Workers = Workers(workers=int(match[1]))
    elif re.fullmatch(r"tls://[^\s/]+:\d+", option):
        where = option
    else:
        raise UserError(f"--engine {option}: {_FORMS} is needed")
    return (configured or Dask(dask=where)).model_copy(update={"dask": where})


def refuse_ahead(elsewhere: Dask | None, ahead: bool | None) -> None:
    """Raise UserError where both are named."""
    if elsewhere and ahead is not None:
        raise UserError("--ahead is for one machine: workers build while others test")


@contextlib.contextmanager
def opened(
    dask: Dask | None, room: Capacity, cache: Cache, progress: Progress, most: int | None = None
) -> Iterator[Engine]:
    """Yield the engine for the block in which a run goes on; ``most`` is how many tasks the local one takes at once.

    Raises UserError where the extra ``dask`` or certificates are missing, InfraError where workers do not start or the
    store does not answer.
    """
    if dask is None:
        yield LocalEngine(room, most)
        return
    try:
        from orchestrator.engine import cluster, local_cluster
        from orchestrator.engine.scheduler import Address
        from orchestrator.host.store import Store
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: pip install '.[dask]' in a checkout") from error
    store = Store(dask.store or cache.path(SHARED, "x").parent.as_uri(), patience=dask.patience)
    store.prove()
    with contextlib.ExitStack() as stack:
        if isinstance(dask.dask, Workers):
            address = stack.enter_context(local_cluster.started(dask.dask.workers, dask.silence, cache, progress))
        else:
            address = Address(dask.dask, held(dask.certificates), dask.silence)
        yield cluster.ClusterEngine(address, store)


def held(folder: Path | None) -> Certificates:
    """Return the certificates in a folder. Raises UserError where one is missing."""
    from orchestrator.engine import certificates

    place = folder or locate.certificates()
    there = certificates.files(place)
    for path in (there.ca, there.cert, there.key):
        if not path.is_file():
            raise UserError(f"{path}: no such file; `wpci certificates {place}` makes certificates, once for all hosts")
    return there
