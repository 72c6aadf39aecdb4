"""Standard output and error that outlive their reader: ``wpci run | head -1`` ends the printing, not the run."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Pipe(io.FileIO):
    """A descriptor for writing; when nobody reads it any more, it becomes ``/dev/null``, for children as well."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, or let it go where nobody listens."""
        try:
            return super().write(data)
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return memoryview(data).nbytes


def opened() -> None:
    """Open ``/dev/null`` for each standard stream that was closed: no file of ours may get its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def bounded_size() -> None:
    """Drop a width or height of the terminal that the environment names and that is no such number: rich trusts it."""
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch(r"[0-9]{1,4}", os.environ.get(name, "0")):
            del os.environ[name]


def outlive_readers() -> None:
    """Put such streams in the place of ``sys.stdout`` and ``sys.stderr``; what a locale cannot write is escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.flush()
            pipe = io.BufferedWriter(_Pipe(stream.fileno(), "w", closefd=False))
            lines = stream.line_buffering
            setattr(sys, name, io.TextIOWrapper(pipe, stream.encoding, errors="backslashreplace", line_buffering=lines))
