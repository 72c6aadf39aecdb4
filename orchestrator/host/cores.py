"""The cores of this machine, and which of them work beside a guest may take."""

from __future__ import annotations

import os
from pathlib import Path


def spare(cpus: int, wanted: bool | None = None) -> frozenset[int]:
    """Return the cores that a guest of so many vCPUs leaves, for each vCPU needs one.

    ``wanted`` False takes none; True takes the last core if the guest leaves none; None takes what is left.
    """
    there = sorted(os.sched_getaffinity(0))
    if wanted is False:
        return frozenset()
    return frozenset(there[cpus:] or (there[-1:] if wanted else []))


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Return the bytes that new programs can have without swapping, as the kernel estimates them (proc(5))."""
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def clones(memory: int, cpus: int = 1) -> int:
    """Return how many clones of a guest with so much memory may run at once: one for so many cores, and what fits."""
    return max(1, min(len(os.sched_getaffinity(0)) // cpus, available_memory() // max(1, memory)))
