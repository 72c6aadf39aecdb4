"""Which tests a command runs, kept beside the console: by that the console, and what was traced, are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.guest import protocol
from orchestrator.guest.plugin import trace


@contextlib.contextmanager
def recorded(row: protocol.Row | None, console: Path) -> Iterator[bytes]:
    """Yield what a command is given of a row, once that is written down; note where its trace ends, after it."""
    if row is None:
        yield b""
        return
    with _written(console):
        protocol.keep(row, console, trace.count(console.parent))
    yield row.text
    if records := trace.count(console.parent):
        with _written(console):
            protocol.keep_end(console, records)


@contextlib.contextmanager
def _written(console: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InfraError(f"cannot write beside {console}: {error.strerror}") from error
