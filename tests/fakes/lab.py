"""A scheduler and workers as processes of this machine, over loopback with TLS, for a bench with a fake QEMU."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.engine import certificates

PATIENCE = 120.0
_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


@dataclass
class Lab:
    """``folder`` holds the certificates and what the processes write; each worker has a cache of its own."""

    folder: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    address: str = ""

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def store(self) -> str:
        return (self.folder / "store").as_uri()

    def start_scheduler(self) -> None:
        self.folder.mkdir(exist_ok=True)
        made = certificates.make(self.certificates)
        tls = ["--tls-ca-file", str(made.ca), "--tls-cert", str(made.cert), "--tls-key", str(made.key)]
        known = self.folder / "scheduler.json"
        known.unlink(missing_ok=True)
        self._start("scheduler", [
            sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
            "--protocol", "tls", *tls, "--no-dashboard", "--scheduler-file", str(known),
        ])  # fmt: skip
        self.address = await_(lambda: _address(known), "the scheduler's address")

    def start_worker(self, name: str, part: str = "1/2", **changes: str) -> None:
        """Start a worker, with changes to its environment."""
        argv = [sys.executable, "-m", "orchestrator.cli", "worker", self.address, "--certificates"]
        cache = {"WPCI_CACHE": str(self.cache(name))}
        self._start(name, [*argv, str(self.certificates), "--part", part], {**cache, **changes})

    def cache(self, name: str) -> Path:
        return self.folder / f"cache-{name}"

    def await_worker(self, name: str) -> None:
        await_(lambda: "at work for" in self.log(name), f"{name}: {self.log(name)}")

    def named(self, name: str) -> str:
        """Return how a worker is called in what a night says."""
        return self.log(name).partition(":")[0]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def _start(self, name: str, argv: list[str], changes: dict[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [*_DIES_WITH_US, *argv], env={**self.environment, **(changes or {})}, stdout=log,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.folder,
            )  # fmt: skip

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.processes[name].pid, number)

    def kill(self, name: str) -> None:
        """End a process as the kernel does when memory is short."""
        child = self.processes.pop(name)
        child.kill()
        child.wait()

    def end(self) -> None:
        for child in self.processes.values():
            child.send_signal(signal.SIGCONT)
            child.kill()
        for child in self.processes.values():
            child.wait()

    def at_work(self, job: str, pattern: str) -> str:
        """Return the worker on which a job has come so far that a file is in its folder."""

        def holder() -> str:
            names = (name for name in self.processes if name != "scheduler")
            return next(
                (name for name in names if any(self.cache(name).glob(f"attempts/*/*/jobs/{job}/{pattern}"))), ""
            )

        return await_(holder, f"{pattern} of {job} on a worker")

    def let_go(self, name: str) -> None:
        """Let what waits for a file of that name in its cache go on, on every worker."""
        for worker in {*self.processes, *(path.name.removeprefix("cache-") for path in self.folder.glob("cache-*"))}:
            (self.cache(worker) / "work").mkdir(parents=True, exist_ok=True)
            (self.cache(worker) / "work" / name).touch()


def _address(known: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return str(json.loads(known.read_text())["address"])
    return ""


def await_(condition: Callable[[], str | bool], what: str) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := condition():
            return str(value)
        time.sleep(0.05)
    raise AssertionError(f"not there in {PATIENCE:.0f} s: {what}")


@contextlib.contextmanager
def lab(folder: Path, environment: dict[str, str], *workers: str) -> Iterator[Lab]:
    """Yield a lab whose scheduler and workers are at work; nothing of it outlives the block."""
    made = Lab(folder, environment)
    try:
        made.start_scheduler()
        for name in workers:
            made.start_worker(name)
        for name in workers:
            made.await_worker(name)
        yield made
    finally:
        made.end()
