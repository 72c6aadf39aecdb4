"""Follow a file while it is written: its lines as they come."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

_TICK = 0.5
"""Seconds between two looks."""
_LONGEST = 4096
"""Bytes of a line that are kept; the rest of it is dropped."""


@contextlib.contextmanager
def followed(path: Path, take: Callable[[str], None]) -> Iterator[None]:
    """Hand each whole line of a file to ``take`` while the block writes it; that is called from another thread."""
    over = threading.Event()
    thread = threading.Thread(target=_follow, args=(path, take, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _follow(path: Path, take: Callable[[str], None], over: threading.Event) -> None:
    offset, rest = 0, b""
    while True:
        last = over.wait(_TICK)
        with contextlib.suppress(OSError), path.open("rb") as file:  # it may not be there yet
            file.seek(offset)
            while data := file.read(2**16):
                offset += len(data)
                *whole, rest = (rest + data).split(b"\n")
                rest = rest[:_LONGEST]
                for line in whole:
                    take(line[:_LONGEST].decode(errors="replace"))
        if last:
            return
