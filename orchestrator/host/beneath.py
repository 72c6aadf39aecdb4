"""Files of a folder into which strangers wrote: no symbolic link is followed on the way, and nothing but a file read.

A build may leave a link to a file of ours where its product should be, or a pipe on which a reader would wait for ever.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def _parent(root: Path, name: str) -> Iterator[tuple[int, str]]:
    """Open the folder of a name below ``root``, and yield it with the last part of the name. Raises OSError."""
    *folders, last = Path(name).parts or (name,)
    if not last:
        raise OSError(f"a file of {root} without a name")
    if Path(name).is_absolute() or ".." in (*folders, last):
        raise OSError(f"{name} leads out of {root}")
    at = os.open(root, _FOLDER)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER, dir_fd=at)
            os.close(at)
            at = below
        yield at, last
    finally:
        os.close(at)


@contextlib.contextmanager
def opened(root: Path, name: str) -> Iterator[IO[bytes]]:
    """Open a file below ``root`` for reading. Raises OSError where it, or a folder on the way, is something else."""
    with _parent(root, name) as (folder, last):
        descriptor = os.open(last, _FILE, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{name} is no regular file")
        yield file


def read(root: Path, name: str, most: int = 64 * 2**20) -> str:
    """Return the text of a file below ``root``, of at most so many bytes. Raises OSError."""
    with opened(root, name) as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise OSError(f"{name} has more than {most} bytes")
    return raw.decode(errors="replace")


def read_if_there(root: Path, name: str) -> str | None:
    """Return the text of a file below ``root``; None where it cannot be read, for whatever reason."""
    with contextlib.suppress(OSError):
        return read(root, name)
    return None


def is_file(root: Path, name: str) -> bool:
    """Whether there is a file of that name below ``root``."""
    with contextlib.suppress(OSError), opened(root, name):
        return True
    return False


def copy(root: Path, name: str, to: Path) -> None:
    """Copy a file from below ``root``, and whether it may be run. Raises OSError."""
    with opened(root, name) as file, to.open("xb") as copied:
        shutil.copyfileobj(file, copied, 1 << 20)
        runnable = os.fstat(file.fileno()).st_mode & 0o111
    to.chmod(0o755 if runnable else 0o644)


def copy_files(root: Path, name: str, to: Path, ending: str = "") -> None:
    """Copy the folder ``name`` below ``root``, with what is file or folder in it and nothing else. Raises OSError.

    With an ``ending`` only files whose names end so, and folders that have any.
    """
    with _parent(root, f"{name}/file") as (folder, _):
        for at, _, files, descriptor in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
            wanted = [file for file in files if file.endswith(ending)]
            if wanted or not ending:
                (to / at).mkdir(parents=True, exist_ok=True)
            for file in wanted:
                if stat.S_ISREG(os.stat(file, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    copy(root, f"{name}/{at}/{file}", to / at / file)


def write(root: Path, name: str, data: str) -> os.stat_result:
    """Write a file below ``root``, whole or not at all, whatever lay there; return what it is. Raises OSError."""
    with _parent(root, name) as (folder, last):
        scratch = f".{last}.{secrets.token_hex(8)}"
        with os.fdopen(os.open(scratch, _NEW, 0o644, dir_fd=folder), "wb") as file:
            file.write(data.encode())
        os.replace(scratch, last, src_dir_fd=folder, dst_dir_fd=folder)
        return os.stat(last, dir_fd=folder, follow_symlinks=False)


def remove(root: Path, name: str) -> None:
    """Remove a file or a link below ``root``; what is not there, or no file, stays as it is."""
    with contextlib.suppress(OSError), _parent(root, name) as (folder, last):
        os.unlink(last, dir_fd=folder)
