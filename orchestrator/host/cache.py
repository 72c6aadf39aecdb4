"""The cache folder: content-addressed products, and locks between runs."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from orchestrator.errors import InfraError, PipelineError, UserError
from orchestrator.host import disk
from orchestrator.progress import Progress

_TAKEN_APART = re.compile(r"""[\s:$'"\\`#;&()|<>%,*?[]""")
"""What ends a word, or begins something else, in rules of make or the shell that runs them (tried with 5.10)."""


@dataclass(frozen=True)
class Cache:
    """A folder that several runs may use at once. Whatever lies in it under its final name is whole."""

    root: Path

    @classmethod
    def default(cls) -> Cache:
        """Return the cache of this user: ``$WPCI_CACHE``, else ``$XDG_CACHE_HOME/wpci``, else ``~/.cache/wpci``.

        Raises InfraError where there is no home.
        """
        if named := os.environ.get("WPCI_CACHE"):
            return cls(Path(named).absolute())
        try:
            return cls(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wpci")
        except RuntimeError as error:
            raise InfraError("there is no home folder: say where the cache is to be, in WPCI_CACHE") from error

    def check_for_builds(self) -> None:
        """Raise UserError where make could not build in here, for it would take the path for something else."""
        if odd := _TAKEN_APART.search(str(self.root)):
            raise UserError(
                f"the cache {self.root} has {odd[0]!r} in its path, which make takes apart: name another in WPCI_CACHE"
            )

    def path(self, *parts: str) -> Path:
        """Return a path in the cache; its parent folder exists afterwards. Raises InfraError."""
        path = self.root.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InfraError(f"the cache is not to be used: {path.parent}: {error.strerror}") from error
        return path

    @contextlib.contextmanager
    def lock(self, name: str, progress: Progress) -> Iterator[None]:
        """Hold the named lock against other runs and threads; say so when it must be waited for.

        The kernel drops the lock with its holder, so a killed run leaves none behind.
        """
        with self.in_use(progress), self._open(name) as file:
            _wait(file, fcntl.LOCK_EX, f"waiting for another run that uses {name}", progress)
            yield

    @contextlib.contextmanager
    def alone(self, name: str, refusal: PipelineError | None = None) -> Iterator[None]:
        """Hold the named lock as ``lock`` does. Raises ``refusal``, or InfraError, where another one holds it."""
        with self._open(name) as file:
            _take(file, refusal or InfraError(f"another {name} is at work; this one does not begin"))
            yield

    @contextlib.contextmanager
    def in_use(self, progress: Progress) -> Iterator[None]:
        """Keep what is in the cache from being removed: for as long as products of it are used, not only made."""
        with self._open(_IN_USE) as file:
            _wait(file, fcntl.LOCK_SH, f"waiting for the removal of what is in {self.root}", progress)
            yield

    @contextlib.contextmanager
    def unused(self) -> Iterator[None]:
        """Keep every run from the cache. Raises InfraError where one is using it, or another removal is going on."""
        with self._open(_IN_USE) as file:
            _take(file, InfraError(f"{self.root} is in use by a run that is going on: nothing was removed"))
            yield

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[IO[str]]:
        path = self.path(LOCKS, name.replace("/", "_"))
        try:
            file = path.open("a")
        except OSError as error:
            raise InfraError(f"cannot write {path}: {error.strerror}") from error
        with file:
            yield file

    def touch(self, product: Path) -> None:
        """Note that a product is used now: what was not used for longest is what goes first."""
        with contextlib.suppress(OSError):  # a cache that cannot be written is still good to read
            os.utime(product)

    def clean(self, *, everything: bool = False) -> str:
        """Remove what can be built again, or all there is; return a line that says what went.

        Each folder loses its name first: what a killed removal leaves is not believed, and goes with the next one.
        Raises InfraError where a run is using the cache, or something cannot be removed.
        """
        if not self.root.exists():
            return f"{self.root}: nothing there"
        with self.unused():
            keep = {LOCKS} if everything else {LOCKS, *(p.name for p in self.root.iterdir() if not _is_product(p))}
            doomed = sorted(path for path in self.root.iterdir() if path.name not in keep)
            freed = sum(f.lstat().st_size for path in doomed for f in (path, *path.rglob("*")) if not f.is_dir())
            for path in doomed:
                remove(path)
        names = ", ".join(path.name for path in doomed if not path.name.startswith("."))
        return f"removed {names or 'nothing'} from {self.root}: {freed / 2**30:.1f} GiB"


LOCKS = "locks"
"""The folder of the locks. It is never removed: a lock on a file without a name keeps nobody out."""
SHARED = "shared"
"""The folder of the store that workers on this machine have, where pipeline.yaml names no other."""
_IN_USE = "in-use"
_PRODUCTS = ("work", "kernels", "programs", "rootfs", "tests", "store", SHARED)
_GRAVE = ".removed."


def _is_product(path: Path) -> bool:
    return path.name in _PRODUCTS or path.name.startswith(_GRAVE)


def remove(path: Path) -> None:
    """Remove a file or folder of the cache, which loses its name first. Raises InfraError."""
    try:
        grave = path.with_name(f"{_GRAVE}{path.name.removeprefix(_GRAVE)}")
        if grave != path:
            disk.remove_tree(grave)
            path.rename(grave)
        disk.remove_tree(grave)
    except OSError as error:
        raise InfraError(f"cannot remove {path}: {error.strerror}") from error


def _take(file: IO[str], refusal: PipelineError) -> None:
    """Take a lock that nobody holds. Raises ``refusal`` where somebody does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise refusal from error


def _wait(file: IO[str], kind: int, says: str, progress: Progress) -> None:
    """Wait for a lock, for as long as what is done under it is wanted. Raises Cancelled."""
    if not disk.locked(file, kind):
        progress.note(says)
        disk.wait_for_lock(file, kind)


def digest(*parts: str | bytes | Path) -> str:
    """Return one sha256 over the parts; a Path stands for the bytes of that file."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            data = sha256(part)
        else:
            data = hashlib.sha256(part.encode() if isinstance(part, str) else part).digest()
        total.update(data)
    return total.hexdigest()


def sha256(file: Path) -> bytes:
    """Return the sha256 of a file; one that has not changed since this process read it is not read again."""
    status = file.stat()
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    settled = time.time_ns() - status.st_ctime_ns > _SAME_TIMES
    return _sha256_in_state(file, state) if settled else _sha256(file)


@functools.lru_cache(maxsize=4096)
def _sha256_in_state(file: Path, _: tuple[int, ...]) -> bytes:
    return _sha256(file)


def _sha256(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


_SAME_TIMES = 2 * 10**9
"""Nanoseconds in which a file may change twice and bear the same times."""
