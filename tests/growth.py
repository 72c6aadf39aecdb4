"""How the time of some work grows with its input: processor time, as little disturbed as can be."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

TRIES = 3


def seconds(work: Callable[[], object]) -> float:
    """Return the least processor time of some tries, without the garbage collector: it looks at what others left."""

    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    gc.disable()
    try:
        return min(once() for _ in range(TRIES))
    finally:
        gc.enable()
