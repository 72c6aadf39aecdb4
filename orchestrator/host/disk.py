"""Files and folders that are whole or absent, whatever ends us meanwhile; and folders that go whatever is in them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from orchestrator.errors import InfraError
from orchestrator.host import process

_LOOK = 0.1
"""Seconds between two looks at a lock that another one holds."""


def remove_tree(path: Path) -> None:
    """Remove what is there, if anything, however deep it is and whatever its modes are. Raises InfraError."""
    if not os.path.lexists(path):
        return
    argv = ["rm", "-rf", "--one-file-system", "--", str(path)]
    if not process.run(argv, check=False).ok:
        process.run(["chmod", "-R", "u+rwX", "--", path], check=False)
        done = process.run(argv, check=False)
        if not done.ok:
            raise InfraError(f"cannot remove {path}: {done.stderr.strip()[:200]}")


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part. Raises InfraError (disk full)."""
    raw = data.encode() if isinstance(data, str) else data
    scratch = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise InfraError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)


def locked(file: IO[Any], kind: int = fcntl.LOCK_EX) -> bool:
    """Lock a file, if it can be had at once; return whether it could."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for_lock(file: IO[Any], kind: int = fcntl.LOCK_EX) -> None:
    """Lock a file once it can be had. Raises Cancelled where nobody wants that any more: no signal ends a thread."""
    while not locked(file, kind):
        process.check_wanted()
        time.sleep(_LOOK)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder outlive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(top: Path) -> None:
    """Let all files below a folder outlive a power loss; a link has no content to wait for."""
    for folder, _, files in os.walk(top):
        for name in files:
            if (path := Path(folder, name)).is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        sync_folder(Path(folder))


@contextlib.contextmanager
def new_directory(final: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``final`` when the block succeeds, and is removed when it does not."""
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}."))
    try:
        yield scratch
        scratch.chmod(0o755)
        _sync_tree(scratch)
        if final.exists():
            shutil.rmtree(final)
        scratch.rename(final)
        sync_folder(final.parent)
    except OSError as error:
        raise InfraError(f"cannot write {final}: {error.strerror or error}") from error
    finally:
        if scratch.exists():
            shutil.rmtree(scratch, ignore_errors=True)
