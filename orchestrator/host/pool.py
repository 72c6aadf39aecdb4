"""Do one thing for many, several at a time, so that whoever ends the work ends all of it."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from orchestrator.host import process

T = TypeVar("T")
R = TypeVar("R")


def each(action: Callable[[T], R], items: Sequence[T], at_once: int) -> list[R]:
    """Return what ``action`` makes of each item, in their order, from threads of their own.

    The first fault is raised once the others that had begun have ended; an interruption ends their children.
    """
    group = process.current_group() or process.ChildGroup()

    def work(item: T) -> R:
        process.use_group(group)
        process.check_wanted()
        return action(item)

    with ThreadPoolExecutor(max(1, at_once)) as pool:
        futures = [pool.submit(contextvars.copy_context().run, work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C: nobody waits for what runs
                group.cut()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
