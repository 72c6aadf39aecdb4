"""A tar stream into one commit of a new repository: nothing is unpacked on disk, and the result is one pack.

The stream goes through ``git fast-import``, which takes every member as it is: neither the tree's ``.gitignore``
(Debian's ends with ``/*``) nor its ``.gitattributes`` has a say.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from orchestrator.errors import InfraError, KernelError, UserError
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.progress import Progress
from orchestrator.trees import repository

RECIPE = ""
"""End of the name of each import: a change of what a tree becomes here gives it one (``-2``)."""
BRANCH = "refs/heads/base"
_SECONDS_1999 = 946684800
"""``repository.EPOCH`` in the raw format that fast-import reads."""

_CHUNK = 1 << 20
_BROKEN = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError)


def place(cache: Cache, name: str) -> Path:
    """Return where in the cache the repository of an import is."""
    return cache.path("sources", name + RECIPE, "git")


def import_tar(
    stream: io.BufferedReader,
    into: Path,
    message: str,
    *,
    progress: Progress,
    deadline: Deadline,
    total: int | None = None,
) -> str:
    """Make ``into`` a bare repository whose branch ``base`` is one commit with the members of a tar stream.

    The single top folder is taken off the names. ``total`` is the expected number of bytes, for the progress.
    Raises UserError where there is no single one, KernelError where a member leaves the tree or the archive is broken,
    InfraError where git fails.
    """
    repository.create(into)
    argv: list[str | Path] = ["git", "-C", into, "fast-import", "--quiet", "--depth=0", "--done"]
    with tempfile.TemporaryFile() as errors:
        with process.spawn(
            argv, env=repository.environment(), stdin=process.PIPE, stderr=errors, offline=True
        ) as child:
            assert child.stdin is not None
            try:
                _feed(child.stdin, stream, message, progress, deadline, total)
                child.stdin.close()
                code = child.wait()
            except BrokenPipeError:
                code = child.wait()
            except _BROKEN as error:
                raise InfraError(f"{message}: the archive cannot be read: {error}") from error
        if code != 0:
            errors.seek(0)
            words = errors.read(2000).decode(errors="replace").strip().splitlines()
            raise InfraError(f"git fast-import failed with code {code}: {words[-1] if words else 'no message'}")
    return repository.git(into, "rev-parse", "--verify", BRANCH)


def _feed(
    sink: IO[bytes], stream: io.BufferedReader, message: str, progress: Progress, deadline: Deadline, total: int | None
) -> None:
    text = f"{message}\n".encode()
    who = f"{repository.IDENTITY} {_SECONDS_1999} +0000".encode()
    sink.write(b"feature done\ncommit %s\nauthor %s\ncommitter %s\n" % (BRANCH.encode(), who, who))
    sink.write(b"data %d\n%s" % (len(text), text))
    done, top = 0, ""
    unpacked = _unpacked(stream)
    with tarfile.open(fileobj=unpacked, mode="r|", errors="surrogateescape") as archive:
        for number, member in enumerate(archive):
            sink.writelines(_commands(archive, member))
            top = _checked_top(member, top)
            done += member.size
            if number % 500 == 0:
                progress.advance(f"import {message}", done, total)
                if deadline.expired:
                    raise InfraError(f"out of time while importing {message}")
    while unpacked.read(_CHUNK):
        pass  # to the end: only there the packer's own check sum is compared
    if not done:
        raise InfraError(f"{message}: the archive holds no files")
    progress.advance(f"import {message}", done, done)
    sink.write(b"\ndone\n")


def _checked_top(member: tarfile.TarInfo, top: str) -> str:
    """Return the top folder of an archive, which so far was ``top``. Raises UserError for a member outside of it."""
    parts = PurePosixPath(member.name).parts
    if not parts:
        return top
    if parts[0] != (top or parts[0]) or (len(parts) == 1 and not member.isdir()):
        single = f"a single top folder{f', {top}' if top else ''}"
        raise UserError(
            f"the archive holds {member.name} outside of {single}: git archive makes one with --prefix=linux/"
        )
    return parts[0]


def _unpacked(stream: io.BufferedReader) -> IO[bytes]:
    """Return the stream without its packing. tarfile could do that too, but takes a cut stream for a whole one."""
    magic = stream.peek(6)[:6]
    if magic.startswith(b"\xfd7zXZ\x00"):
        return cast(IO[bytes], lzma.open(stream))
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(stream))
    if magic.startswith(b"BZh"):
        return cast(IO[bytes], bz2.open(stream))
    return cast(IO[bytes], stream)


def _commands(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    name = _inside(member.name)
    if name is None or member.isdir():
        return
    if member.islnk():
        source = _inside(member.linkname)
        yield b"C %s %s\n" % (_quoted(source or ""), _quoted(name))
    elif member.issym():
        target = member.linkname.encode(errors="surrogateescape")
        yield b"M 120000 inline %s\ndata %d\n%s\n" % (_quoted(name), len(target), target)
    elif member.isfile():
        content = archive.extractfile(member)
        assert content is not None
        mode = b"100755" if member.mode & 0o100 else b"100644"
        yield b"M %s inline %s\ndata %d\n" % (mode, _quoted(name), member.size)
        yield content.read()
        yield b"\n"
    else:
        raise KernelError(f"the archive holds {member.name}, which is neither a file, a folder nor a link")


def _inside(name: str) -> str | None:
    """Return a member's name without the top folder, or None for the folder itself. Raises KernelError."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or ".git" in path.parts:
        raise KernelError(f"the archive holds a name that leads out of the tree: {name}")
    return "/".join(path.parts[1:]) or None


def _quoted(name: str) -> bytes:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return b'"' + escaped.encode(errors="surrogateescape") + b'"'
