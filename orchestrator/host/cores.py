"""The cores of this machine, and which of them work beside a guest may take."""

from __future__ import annotations

import os


def spare(cpus: int, wanted: bool | None = None) -> frozenset[int]:
    """Return the cores that a guest of so many vCPUs leaves, for each vCPU needs one.

    ``wanted`` False takes none; True takes the last core if the guest leaves none; None takes what is left.
    """
    there = sorted(os.sched_getaffinity(0))
    if wanted is False:
        return frozenset()
    return frozenset(there[cpus:] or (there[-1:] if wanted else []))
