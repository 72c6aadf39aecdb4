"""What a finished build leaves: copied into a folder of the cache, and read back only where it is whole."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import InfraError, KernelError
from orchestrator.host import beneath, process, seal
from orchestrator.host.cache import digest, sha256
from orchestrator.host.process import Cage, Deadline
from orchestrator.model import CompilerWarning, Kernel
from orchestrator.parse import build_id

RECORD = "kernel.json"
VMLINUX = "vmlinux"
DEBUG = "vmlinux.debug"
"""The vmlinux as it was linked, where it has debug information: then ``vmlinux`` is the same without that."""

NOTES = "gcno"
"""Folder of the notes that gcov reads a kernel's counters with, where it counts (CONFIG_GCOV_KERNEL)."""

_OF_THE_HOST = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""Errors of a copy that say nothing of what make left."""
_RELEASE = re.compile(r"[A-Za-z0-9][\w.+~-]{0,63}")
_RELEASE_FILE = "include/config/kernel.release"
_STRIPPED = ".vmlinux.stripped"


def copy(out: Path, name: str, to: Path) -> None:
    """Copy a file that make must have left in ``out``: no link to one elsewhere.

    Raises KernelError where the tree left something else, InfraError where this host cannot keep it.
    """
    with _copying(name):
        beneath.copy(out, name, to)


def copy_notes(out: Path, to: Path) -> None:
    """Copy the notes that the compiler wrote for gcov beside its objects. Raises as ``copy``."""
    with _copying(NOTES):
        beneath.copy_files(out, ".", to / NOTES, ".gcno")


@contextlib.contextmanager
def _copying(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _OF_THE_HOST:
            raise InfraError(f"cannot keep {Path(name).name}: {error.strerror}") from error
        raise left_no(name, error) from error


def split(out: Path, to: Path, cage: Cage, deadline: Deadline) -> None:
    """Put a vmlinux without debug information in the place of the one in ``to``, which becomes ``vmlinux.debug``.

    What objcopy cannot strip stays as it is. Raises InfraError as ``copy``, and where the deadline passes.
    """
    argv = ["objcopy", "--strip-debug", str(out.absolute() / "vmlinux"), str(out.absolute() / _STRIPPED)]
    done = process.run(argv, deadline=deadline, cage=cage, check=False)
    if done.ok and beneath.is_file(out, _STRIPPED):
        (to / VMLINUX).rename(to / DEBUG)
        copy(out, _STRIPPED, to / VMLINUX)
    beneath.remove(out, _STRIPPED)


def left_no(made: str, error: OSError) -> KernelError:
    """Return the fault of a tree that left no file of a name."""
    return KernelError(f"make ended well, and left no {Path(made).name}: {error.strerror or error}")


def release(out: Path) -> str:
    """Return the release of a kernel, which the kernel itself keeps below 65 characters. Raises KernelError."""
    try:
        with beneath.opened(out, _RELEASE_FILE) as file:
            text = file.read(200).decode(errors="replace").strip()
    except OSError as error:
        raise left_no(_RELEASE_FILE, error) from error
    if not _RELEASE.fullmatch(text):
        raise KernelError("what make left in kernel.release is no release of a kernel")
    return text


def build_id_of(vmlinux: Path) -> str:
    """Return the build id of a vmlinux that make left. Raises KernelError."""
    try:
        return build_id.of_file(vmlinux.read_bytes())
    except ValueError as error:
        raise KernelError(f"the vmlinux that make left is no kernel: {error}") from error


def contents(folder: Path) -> dict[str, str]:
    """Return the digest of each file of a product, by name: what is used again is what was built."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != RECORD)
    return {str(path.relative_to(folder)): digest(path) for path in files}


def load(folder: Path) -> Kernel | None:
    """Return the kernel of a folder in the cache, or None where any part of it is not what was built."""
    try:
        record = seal.unsealed((folder / RECORD).read_text())
        if record["files"] != contents(folder):
            return None
        return Kernel(
            key=folder.name,
            image=folder / record["image"],
            vmlinux=folder / (DEBUG if DEBUG in record["files"] else VMLINUX),
            config=folder / "config",
            modules=folder / "modules" if record["modules"] else None,
            release=record["release"],
            build_id=record["build_id"],
            sha256=sha256(folder / record["image"]).hex(),
            toolchain=record["toolchain"],
            warnings=tuple(CompilerWarning(*pair) for pair in record["warnings"]),
            log=folder / "build.log",
            notes=folder / NOTES if (folder / NOTES).is_dir() else None,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
