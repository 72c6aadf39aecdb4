"""The cache folder: content-addressed products, locks between runs, and writes that are whole or absent."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.progress import Progress


@dataclass(frozen=True)
class Cache:
    """A folder that several runs may use at once. Whatever lies in it under its final name is whole."""

    root: Path

    @classmethod
    def default(cls) -> Cache:
        """Return the cache of this user: ``$WPCI_CACHE``, else ``$XDG_CACHE_HOME/wpci``, else ``~/.cache/wpci``."""
        if named := os.environ.get("WPCI_CACHE"):
            return cls(Path(named).absolute())
        return cls(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wpci")

    def path(self, *parts: str) -> Path:
        """Return a path in the cache; its parent folder exists afterwards."""
        path = self.root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextlib.contextmanager
    def lock(self, name: str, progress: Progress) -> Iterator[None]:
        """Hold the named lock against other runs and threads; say so when it must be waited for.

        The kernel drops the lock with its holder, so a killed run leaves none behind.
        """
        path = self.path("locks", name.replace("/", "_"))
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.note(f"waiting for another run that uses {name}")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def digest(*parts: str | bytes | Path) -> str:
    """Return one sha256 over the parts; a Path stands for the bytes of that file."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                data = hashlib.file_digest(file, "sha256").digest()
        else:
            data = hashlib.sha256(part.encode() if isinstance(part, str) else part).digest()
        total.update(data)
    return total.hexdigest()


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part. Raises InfraError (disk full)."""
    raw = data.encode() if isinstance(data, str) else data
    scratch = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(raw)
        scratch.replace(path)
    except OSError as error:
        raise InfraError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)


@contextlib.contextmanager
def new_directory(final: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``final`` when the block succeeds, and is removed when it does not."""
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}."))
    try:
        yield scratch
        scratch.chmod(0o755)
        if final.exists():
            shutil.rmtree(final)
        scratch.rename(final)
    except OSError as error:
        raise InfraError(f"cannot write {final}: {error.strerror or error}") from error
    finally:
        if scratch.exists():
            shutil.rmtree(scratch, ignore_errors=True)
