"""The way to a dask scheduler: how one proves oneself there, and by which rules it goes for us."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Client

from orchestrator.engine import worker
from orchestrator.engine.certificates import Certificates
from orchestrator.errors import InfraError

LOSSES = 3
"""Workers that a job may lose; then it is the job's fault, and the host's that ran it."""


@dataclass(frozen=True)
class Address:
    """Where the scheduler is, how one proves oneself there, and how long a worker may be silent, in seconds."""

    scheduler: str
    certificates: Certificates
    silence: float = 60.0

    def lost(self) -> InfraError:
        """Return the fault of a scheduler that does not answer any more."""
        return InfraError(f"the scheduler {self.scheduler} is gone: its jobs are lost")


@contextlib.contextmanager
def connected(address: Address) -> Iterator[Client]:
    """Yield a client of the scheduler, which goes by our rules from now on. Raises InfraError."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(worker.SETTINGS):
        try:
            client = Client(
                address.scheduler, security=worker.security(address.certificates), timeout=20, set_as_default=False
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise InfraError(f"cannot reach the scheduler {address.scheduler}: {error}") from error
        try:
            client.run_on_scheduler(_rules, losses=LOSSES, silence=address.silence)
            yield client
        finally:
            with contextlib.suppress(Exception):
                client.close(timeout=2)


def _rules(dask_scheduler: Any, losses: int, silence: float) -> None:
    """Let a scheduler go by our rules: how often a job may lose its worker, and how long a worker may be silent."""
    dask_scheduler.allowed_failures = losses - 1
    dask_scheduler.worker_ttl = silence
    look = dask_scheduler.periodic_callbacks["worker-ttl"]
    look.stop()  # else the next look is when it was to be before
    look.callback_time = silence * 500  # milliseconds
    look.start()


def check_there(client: Client) -> None:
    """Raise OSError, TimeoutError or RuntimeError where the scheduler does not answer."""
    client.run_on_scheduler(_nothing)


def _nothing() -> None:
    """Do nothing, there."""


def dashboard(client: Client) -> str:
    """Return the address of the dashboard, or nothing: without bokeh there is an address, and no page."""
    return str(client.dashboard_link) if client.run_on_scheduler(_has_pages) else ""


def _has_pages(dask_scheduler: Any) -> bool:
    return "dashboard" in dask_scheduler.identity()["services"] and importlib.util.find_spec("bokeh") is not None
