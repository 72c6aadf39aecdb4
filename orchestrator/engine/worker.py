"""A worker: one process a machine, which takes jobs from a dask scheduler and ends their guests when nobody wants them.

It is its own parent: with no process above it, a kill takes its guests along, and what starts it again is systemd.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Security, Worker, WorkerPlugin, get_worker

from orchestrator import signals
from orchestrator.engine import attempt, offer, order, slots
from orchestrator.engine.attempt import WorkerState
from orchestrator.engine.certificates import Certificates
from orchestrator.engine.offer import Offer
from orchestrator.engine.order import Order, Parcel
from orchestrator.engine.slots import Slots
from orchestrator.errors import InfraError
from orchestrator.guest import accel
from orchestrator.host.cache import Cache
from orchestrator.host.disk import remove_tree

_PATIENCE = 60.0
"""Seconds in which a scheduler must answer."""
SETTINGS = {
    "distributed.comm.timeouts.connect": "20s",
    "distributed.worker.profile.enabled": False,
    "distributed.logging.distributed": "error",
    "logging.distributed": "error",
}
"""What we want otherwise than dask does: no sampling of threads that wait for guests, and no log for people."""


@dataclass
class Guard(WorkerPlugin):  # type: ignore[misc]
    """Ends what a job has started as soon as dask does not want the job any more, or this worker goes."""

    state: WorkerState
    name = "wpci"

    def setup(self, worker: Any) -> None:
        """Let jobs find what the worker has for them."""
        worker.wpci_state = self.state

    def teardown(self, worker: Any) -> None:
        """End everything: also where the scheduler is gone."""
        del worker
        self.state.end_all()

    def transition(self, key: Any, start: str, finish: str, **more: Any) -> None:
        """Watch the state of a job: dask lets a thread that runs go on. One that has its result has left that state."""
        del more
        if start in {"executing", "long-running"} and finish in {"cancelled", "released", "forgotten"}:
            self.state.end(str(key))


def run_order(wanted: Order[Any]) -> Parcel[Any]:
    """Do an order; this is what dask calls."""
    worker = get_worker()
    key = str(worker.get_current_task())
    state: WorkerState = worker.wpci_state
    return attempt.perform(wanted, key, state, lambda event: worker.log_event(wanted.topic, dict(event)))


def security(certificates: Certificates) -> Security:
    """Return how both sides prove who they are."""
    ca, cert, key = (str(path) for path in (certificates.ca, certificates.cert, certificates.key))
    sides = ("client", "worker", "scheduler")
    named = {f"tls_{side}_{what}": path for side in sides for what, path in (("cert", cert), ("key", key))}
    return Security(tls_ca_file=ca, require_encryption=True, **named)


def serve(
    address: str, certificates: Certificates, cache: Cache, say: Callable[[str], None], share: float = 1.0
) -> None:
    """Work for a scheduler until it ends, or a signal comes. Raises InfraError where there is none.

    ``share`` is the part of the memory that is for this worker; its cores are those that this process may use.
    """
    room = slots.here(share=share)
    state = WorkerState(attempt.worker_name(), Slots(room), cache)
    attempt.sweep(cache)
    offered = offer.measured(room, cache, accel.was_proven(cache))
    say(f"{state.name}: wpci {order.version()}: {offered.words()}")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(SETTINGS):
        try:
            asyncio.run(_served(address, security(certificates), state, offered, say))
        except (OSError, TimeoutError) as error:
            raise InfraError(f"cannot work for {address}: {error}") from error
    say(f"{state.name}: ended")


async def _served(address: str, tls: Security, state: WorkerState, offered: Offer, say: Callable[[str], None]) -> None:
    worker = Worker(
        address,
        name=state.name,
        nthreads=offered.cores,
        resources=order.resources(offered.amounts),
        security=tls,
        memory_limit=0,
        local_directory=str(state.cache.path("dask", state.name)),
        death_timeout=_PATIENCE,
        plugins=(Guard(state),),
    )
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in signals.ending():
        loop.add_signal_handler(number, ended.set)
    async with worker:
        say(f"{state.name}: at work for {address}")
        gone = asyncio.create_task(worker.finished())
        await asyncio.wait([gone, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
        state.end_all()
    with contextlib.suppress(OSError):
        remove_tree(state.cache.path("dask", state.name))
