"""What make left in an output folder, file by file: what rots meanwhile, or was half-written, is made again.

make goes by times alone. A file whose bytes a bad disk changed, or that a power loss or ``kill -9`` left in the middle,
would be linked into the next kernel, and be the fault of whoever sent it. One of a time that is yet to come, for the
clock was set back since, would be newer than a source that is written now.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.host import beneath, seal
from orchestrator.host.disk import write_atomic

DOUBTFUL = 60.0
"""Seconds before the end of a killed build whose files are made again: a disk is written to that late."""


@dataclass(frozen=True)
class File:
    """One file: when it was written (ns), its size, the sha256 of its bytes."""

    written: int
    size: int
    sha256: str


Files = Mapping[str, File]


def record(out: Path, notes: Path) -> None:
    """Write down every file of a folder, after make came to its end; what did not change is not read again."""
    known = _load(notes) or {}
    files: dict[str, File] = {}
    for name, status in _regular(out):
        before = known.get(name)
        is_same = before and (before.written, before.size) == (status.st_mtime_ns, status.st_size)
        if sha256 := before.sha256 if before and is_same else _digest(out, name):
            files[name] = File(status.st_mtime_ns, status.st_size, sha256)
    _save(notes, files)
    _begun(notes).unlink(missing_ok=True)


def begin(notes: Path) -> None:
    """Note that make is about to work in the folder: until ``record``, what it wrote last is doubtful."""
    write_atomic(_begun(notes), "")


def forget(notes: Path) -> None:
    """Let nothing be known of a folder that begins anew."""
    for path in (_place(notes), _begun(notes)):
        path.unlink(missing_ok=True)


def is_readable(notes: Path) -> bool:
    """Whether it is known what the folder should hold, as far as anything was written down."""
    return not _place(notes).exists() or _load(notes) is not None


def mend(out: Path, notes: Path) -> int:
    """Remove the files that are not what make left, for make to make again; return how many."""
    known = _load(notes) or {}
    doubtful = set(_doubtful(out, known, _begun(notes).exists()))
    for name in doubtful:
        beneath.remove(out, name)
    if doubtful and known:
        _save(notes, {name: file for name, file in known.items() if name not in doubtful})
    return len(doubtful)


def _doubtful(out: Path, known: Files, was_killed: bool) -> Iterator[str]:
    files, now = dict(_regular(out)), time.time()
    late = max((status.st_mtime for status in files.values() if status.st_mtime <= now), default=0.0) - DOUBTFUL
    for name, status in files.items():
        if status.st_mtime > now:
            yield name
            continue
        before = known.get(name)
        if before is None or (status.st_mtime_ns, status.st_size) != (before.written, before.size):
            if status.st_mtime >= late if was_killed else before is not None:
                yield name
        elif _digest(out, name) != before.sha256:
            yield name


def _regular(out: Path) -> Iterator[tuple[str, os.stat_result]]:
    for folder, _, names in os.walk(out):
        for name in names:
            path = Path(folder, name)
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                yield str(path.relative_to(out)), status


def _digest(out: Path, name: str) -> str | None:
    try:
        with beneath.opened(out, name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # IO lacks readinto
    except OSError:
        return None


def _place(notes: Path) -> Path:
    return notes / "files.json"


def _begun(notes: Path) -> Path:
    return notes / "begun"


def _save(notes: Path, files: Files) -> None:
    rows = {name: [file.written, file.size, file.sha256] for name, file in files.items()}
    write_atomic(_place(notes), seal.sealed({"files": rows}))


def _load(notes: Path) -> Files | None:
    try:
        raw = seal.unsealed(_place(notes).read_text())["files"]
        return {name: File(int(written), int(size), str(sha256)) for name, (written, size, sha256) in raw.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
