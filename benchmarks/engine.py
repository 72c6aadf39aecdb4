"""What the engine of many machines costs: jobs of one length on workers of this process, against the ideal.

python benchmarks/engine.py [WORKERS [JOBS [SECONDS]]]      measured: a scheduler and workers over loopback TLS
python benchmarks/engine.py simulate [HOSTS [JOBS]]         worked out: a night on that many hosts
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dask
from distributed import Scheduler, Security, Worker

from orchestrator.engine import certificates, order, worker
from orchestrator.engine.attempt import WorkerState
from orchestrator.engine.cluster import ClusterEngine
from orchestrator.engine.scheduler import Address
from orchestrator.engine.slots import Capacity, Slots
from orchestrator.engine.task import Place, Task
from orchestrator.host.cache import Cache
from orchestrator.host.store import Store
from tests.fakes import engines


@dataclass(frozen=True)
class Sleeps:
    """A guest of a fixed length."""

    seconds: float

    def __call__(self, place: Place) -> float:
        """Take that long."""
        time.sleep(self.seconds)
        return self.seconds


def _worker(address: str, state: WorkerState, folder: Path, tls: Security) -> Worker:
    offers = {f"{order.version()} {name}": amount for name, amount in (("cores", 1), ("memory", 2.0**40))}
    place, guard = str(folder / state.name), (worker.Guard(state),)
    return Worker(
        address,
        name=state.name,
        nthreads=1,
        resources=offers,
        security=tls,
        memory_limit=0,
        local_directory=place,
        plugins=guard,
    )


def serving(folder: Path, made: certificates.Certificates, count: int) -> tuple[str, Callable[[], None]]:
    """Start a scheduler and workers in a thread; return the address, and what ends them."""
    started, ready, loop = threading.Event(), [""], asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        tls = worker.security(made)
        async with Scheduler(protocol="tls", host="127.0.0.1", port=0, security=tls, dashboard=False) as scheduler:
            states = [
                WorkerState(f"w{k}", Slots(Capacity(frozenset({0}), 2**40)), Cache(folder / "cache"))
                for k in range(count)
            ]
            workers = [_worker(scheduler.address, state, folder, tls) for state in states]
            await asyncio.gather(*workers)
            ready[0] = scheduler.address
            started.set()
            await over.wait()
            await asyncio.gather(*(one.close() for one in workers))

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    started.wait()

    def end() -> None:
        loop.call_soon_threadsafe(over.set)
        thread.join()

    return ready[0], end


def measure(workers: int, jobs: int, seconds: float) -> None:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as scratch, dask.config.set(worker.SETTINGS):
        folder = Path(scratch)
        made = certificates.make(folder / "certificates")
        address, end = serving(folder, made, workers)
        engine = ClusterEngine(Address(address, made), Store((folder / "store").as_uri()))
        tree = folder / "tree"
        tree.mkdir()
        (tree / "Makefile").write_text("all:\n")
        job = engines.job(source=tree)
        tasks = (Task(f"t{number}", job, Sleeps(seconds)) for number in range(jobs))
        began = first = time.monotonic()
        for number, done in enumerate(engine.run(tasks, engines.workspace(folder))):
            assert done.outcome == seconds, done.outcome
            if number == 0:
                first = time.monotonic() - seconds
        took, ideal = time.monotonic() - first, math.ceil(jobs / workers) * seconds  # a job is done by one worker
        end()
    overhead = (took - ideal) / math.ceil(jobs / workers)
    print(
        f"{workers} workers, {jobs} jobs of {seconds} s: {took:.1f} s of {ideal:.1f} (and {first - began:.1f} to begin)"
    )
    print(f"efficiency {ideal / took:.3f}, {1000 * overhead:.1f} ms a job")


BUILD, GUEST, KERNEL, SOURCE, RESULT = 300.0, 240.0, 60e6, 250e6, 0.3e6
"""Seconds of a build on eight cores and of a suite, bytes of a kernel, a source and of what comes back: measured."""
LINK, SUBMIT = 1e9 / 8, 0.004
"""Bytes a second of the store's and the submitter's link, and seconds that the submitter needs for a job."""


def simulate(hosts: int, jobs: int, kernels: int, link: float = LINK) -> None:
    """Work out a night: a kernel is built once, and store and submitter serve one after the other, who comes first."""
    events: list[tuple[float, int, str, int]] = [(0.0, host, "take", host) for host in range(hosts)]
    building: dict[int, list[int]] = {}
    built: set[int] = set()
    has_source: set[int] = set()
    kernel_of = {}
    store = submitter = waited = end = 0.0
    left, count, since = jobs, hosts, dict.fromkeys(range(hosts), 0.0)

    def at(when: float, what: str, host: int) -> None:
        nonlocal count
        count += 1
        heapq.heappush(events, (when, count, what, host))

    while events:
        now, _, what, host = heapq.heappop(events)
        end = now
        if what == "take" and left:
            left -= 1
            kernel_of[host] = (jobs - left) % kernels
            submitter = max(now, submitter) + SUBMIT
            at(submitter, "source", host)
        elif what == "source":
            if host not in has_source:
                has_source.add(host)
                store = now = max(now, store) + SOURCE / link
            at(now, "kernel", host)
        elif what == "kernel" and kernel_of[host] in built:
            store = max(now, store) + KERNEL / link
            at(store + GUEST, "result", host)
        elif what == "kernel" and kernel_of[host] in building:
            building[kernel_of[host]].append(host)
            since[host] = now
        elif what == "kernel":
            building[kernel_of[host]] = []
            at(now + BUILD, "built", host)
        elif what == "built":
            store = max(now, store) + KERNEL / link
            built.add(kernel_of[host])
            for other in building.pop(kernel_of[host]):
                waited += store - since[other]
                at(store, "kernel", other)
            at(store + GUEST, "result", host)
        elif what == "result":
            submitter = max(now, submitter) + RESULT / link
            at(submitter, "take", host)
    ideal = (jobs * GUEST + kernels * BUILD) / hosts
    print(
        f"{hosts:4} hosts, {jobs} jobs, {kernels:4} kernels, {8 * link / 1e9:.0f} Gbit/s: {end / 60:5.0f} min, "
        f"ideal {ideal / 60:5.0f} ({ideal / end:.0%}); waited for builds {waited / 3600:.0f} host hours"
    )


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["simulate"]:
        for hosts in [int(words[1])] if words[1:] else [20, 50, 100, 200, 400]:
            for kernels in (20, 200, 1000):
                for link in (LINK, 10 * LINK):
                    simulate(hosts, int(words[2]) if words[2:] else 5000, kernels, link)
        return
    workers = int(words[0]) if words else 8
    measure(workers, int(words[1]) if words[1:] else 200 * workers, float(words[2]) if words[2:] else 0.5)


if __name__ == "__main__":
    main()
