"""One object of a store: a file on any file system of fsspec, whole or not there, its digest in its first line."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import IO, Any

from fsspec.implementations.local import LocalFileSystem

from orchestrator.errors import InfraError, UserError

_MAGIC = "wpci-store 1"
_BLOCK = 2**20
_MOST_HEADER = 200
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci"})
"""The protocols of fsspec whose makedirs makes a bucket, or a container, where there is none."""


def prove(fs: Any, parent: str) -> None:
    """See that objects can be written in a folder, and each be created by one alone.

    Raises UserError where there is no such bucket, InfraError where two may create one, OSError.
    """
    path = f"{parent}/.proof-{secrets.token_hex(8)}"
    try:
        make_folder(fs, parent)
        create(fs, path, b"")
    except FileNotFoundError as error:
        if not _has_buckets(fs):
            raise
        raise UserError(f"there is no bucket {path.partition('/')[0]}") from error
    try:
        # A server that ignores the condition (If-None-Match of S3) overwrites, and says nothing of it.
        with contextlib.suppress(FileExistsError):
            create(fs, path, b"")
            raise InfraError("it lets two create one object: no claim holds there")
    finally:
        remove(fs, path)


def make_folder(fs: Any, path: str) -> None:
    """Make a folder, where a store has such: one with buckets has none, and would make the bucket."""
    if not _has_buckets(fs):
        fs.makedirs(path, exist_ok=True)


def _has_buckets(fs: Any) -> bool:
    return not _BUCKETS.isdisjoint([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol)


def create(fs: Any, path: str, data: bytes) -> None:
    """Create a file, as the only one who does where the store was proven. Raises FileExistsError.

    On a local disk fsspec looks first and writes then; the kernel does both at once.
    """
    if isinstance(fs, LocalFileSystem):
        with Path(path).open("xb") as file:
            file.write(data)
        return
    fs.pipe_file(path, data, mode="create")


def header(file: Path) -> bytes:
    """Return the first line of the object that holds a file: what it is, its digest and its size."""
    with file.open("rb") as source:
        return _header(hashlib.file_digest(source, "sha256").hexdigest(), file.stat().st_size)


def _header(digest: str, size: int) -> bytes:
    return f"{_MAGIC} {digest} {size}\n".encode()


def put(fs: Any, path: str, first: bytes, file: Path) -> None:
    """Write a first line and the bytes of a file; under another name first, where a reader could see a half of it."""
    parent, _, name = path.rpartition("/")
    make_folder(fs, parent)
    scratch = f"{parent}/.{name}.{secrets.token_hex(4)}"
    try:
        with fs.open(scratch, "wb") as target, file.open("rb") as source:
            target.write(first)
            while block := source.read(_BLOCK):
                target.write(block)
        fs.mv(scratch, path)
    except BaseException:
        with contextlib.suppress(Exception):
            fs.rm(scratch)
        raise


def has(fs: Any, path: str) -> bool:
    """Whether an object is there; one that is was used now."""
    _touch(fs, path)
    return bool(fs.exists(path))


def _touch(fs: Any, path: str) -> None:
    """Note that an object is used, where a store keeps that: what was not used for long is what goes."""
    if isinstance(fs, LocalFileSystem):
        with contextlib.suppress(OSError):  # it is not there, or another user's
            os.utime(path)


def get(fs: Any, path: str, to: Path) -> bool:
    """Write the bytes of an object into a file; False where it is not there, or not what was put, which goes."""
    try:
        source = fs.open(path, "rb")
    except FileNotFoundError:
        return False
    _touch(fs, path)
    with source, to.open("wb") as target:
        if _copied(source, target):
            return True
    to.unlink(missing_ok=True)
    remove(fs, path)
    return False


def _copied(source: IO[bytes], target: IO[bytes]) -> bool:
    """Copy the body of an object; return whether it is what its first line says."""
    # No readline with a limit: files that fsspec reads in ranges, those of S3, have none.
    first, newline, block = source.read(_MOST_HEADER).partition(b"\n")
    total, size = hashlib.sha256(), 0
    while block or (block := source.read(_BLOCK)):
        total.update(block)
        size += len(block)
        target.write(block)
        block = b""
    return first + newline == _header(total.hexdigest(), size)


def text(fs: Any, path: str) -> str:
    """Return the text of a file; empty where there is none."""
    try:
        return str(fs.cat_file(path).decode(errors="replace"))
    except FileNotFoundError:
        return ""


def remove(fs: Any, path: str) -> None:
    """Remove a file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        fs.rm(path)
