"""Folders for a while, and what the killed left of theirs: nothing cleans ``/dev/shm``, where a guest's memory lies."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = ".wpci-scratch-"
"""Of no folder that a person makes: what has it, and is held by nobody, is removed."""
_OURS = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}")
_KEPT = ".kept"
"""The file in a folder that is to stay."""
_FRESH = 60.0
"""Seconds in which a new folder may be without its lock."""


@contextlib.contextmanager
def folder(room: Path | None = None) -> Iterator[Path]:
    """Make a folder that is gone after the block; ``room`` is where, the usual place for temporary files by default.

    What processes left that were killed in the block goes when the next one uses the same room.
    """
    room = room or Path(tempfile.gettempdir())
    _sweep(room)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=room, ignore_cleanup_errors=True) as name, held(Path(name)):
        yield Path(name)


@contextlib.contextmanager
def kept_on(error: type[BaseException], room: Path) -> Iterator[Path]:
    """Make a folder as ``folder`` does; it stays where the block ends with such an error, which names logs in it."""
    _sweep(room)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=room))
    with held(path):
        try:
            yield path
        except error:
            (path / _KEPT).touch()
            raise
        finally:
            if not (path / _KEPT).exists():
                shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def held(folder: Path, *, waits: bool = True) -> Iterator[None]:
    """Hold a folder itself for the block: the lock leaves no file behind, and goes with its holder.

    Raises BlockingIOError where another one holds it, and the block does not wait for that.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def is_held(folder: Path) -> bool:
    """Whether a process of this machine holds a folder; False where that cannot be seen."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


@functools.cache
def _sweep(room: Path) -> None:
    """Remove our folders whose process is gone. Once a process is enough."""
    for left in room.glob(f"{PREFIX}*"):
        if not _OURS.fullmatch(left.name):
            continue
        with contextlib.suppress(OSError):  # another one removes it, or holds it, or it is another user's
            if (left / _KEPT).exists():
                continue
            held = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                status = os.fstat(held)
                if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _FRESH:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(held)
