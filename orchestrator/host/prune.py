"""What is removed by age and by size: artifacts of earlier runs, kernels of the cache, and what came to it.

What a run came to stays for ever.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.schema import Keep
from orchestrator.host import scratch
from orchestrator.host.cache import SHARED, Cache, remove
from orchestrator.model import rundir

_KERNELS = ("kernels/*", f"{SHARED}/kernels/*")
_BROUGHT = (
    "store/*/*",
    "sources/bundle-*",
    "sources/.removed.bundle-*",
    *(f"{SHARED}/{kind}/*" for kind in ("inputs", "sources", "programs")),
)
"""What goes by its age alone. Claims stay: whoever wants the product finds out that one is a dead owner's."""


@dataclass(frozen=True)
class Artifacts:
    """What could be removed with one file or folder, and what it takes on disk.

    ``when`` is in seconds since 1970: when a run came to its end, when a kernel was used last.
    """

    folder: Path
    when: float
    size: int


def doomed(runs: Sequence[Artifacts], keep: Keep, now: float) -> list[Artifacts]:
    """Return what goes, oldest first: what is too old, and of the rest as much as there is too much. Pure."""
    newest_first = sorted(runs, key=lambda run: run.when, reverse=True)
    room, victims = keep.size, []
    for run in newest_first:
        room -= run.size
        if room < 0 or _is_old(run.when, keep, now):
            victims.append(run)
    return victims[::-1]


def _is_old(when: float, keep: Keep, now: float) -> bool:
    return now - when > datetime.timedelta(days=keep.days).total_seconds()


def prune(results: Path, keep: Keep, current: Path | None) -> str:
    """Remove old artifacts of the runs in a folder; return a line, if any went.

    Those of ``current`` stay, and those of a run at work in another process. A folder of another name is no run.
    """
    there = [path.parent for path in results.glob("*/jobs") if rundir.RUN.fullmatch(path.parent.name)]
    others = [run for run in there if not _same(run, current)]
    runs = [_measured(run) for run in others if not scratch.is_held(run)]
    gone = doomed([run for run in runs if run.size], keep, time.time())
    for run in gone:
        for path in _artifacts(run.folder):
            _remove(path)
    if not gone:
        return ""
    freed = sum(run.size for run in gone) - sum(_measured(run.folder).size for run in gone)
    return f"artifacts of {len(gone)} earlier runs removed: {freed / 2**20:.0f} MiB"


def kernels(cache: Cache, keep: Keep) -> str:
    """Remove kernels that were not used for long, or are too much, those used last at last; return a line, if any went.

    What a killed build or removal left goes, too, and by its age what came from other machines or was put there for
    the workers of this one. Raises InfraError where a run is using the cache: nothing goes then.
    """
    if not (_unwanted(cache, keep) or _brought(cache, keep)):
        return ""
    with cache.unused():
        gone, brought = _unwanted(cache, keep), _brought(cache, keep)
        for one in (*gone, *brought):
            remove(one.folder)
    freed = sum(one.size for one in (*gone, *brought))
    inputs = f" and {len(brought)} inputs of workers" if brought else ""
    return f"{len(gone)} kernels{inputs} removed from the cache: {freed / 2**20:.0f} MiB"


def _unwanted(cache: Cache, keep: Keep) -> list[Artifacts]:
    paths = (path for name in _KERNELS for path in cache.root.glob(name))
    there = list(_last_used(paths, lambda when: True))
    halves = [kernel for kernel in there if kernel.folder.name.startswith(".")]
    return [*halves, *doomed([kernel for kernel in there if kernel not in halves], keep, time.time())]


def _brought(cache: Cache, keep: Keep) -> list[Artifacts]:
    """Return what went into the store of this machine, came out of one, or as a bundle, and is old: it comes again."""
    now, paths = time.time(), (path for name in _BROUGHT for path in cache.root.glob(name))
    return list(_last_used(paths, lambda when: _is_old(when, keep, now)))


def _last_used(paths: Iterable[Path], wanted: Callable[[float], bool]) -> Iterator[Artifacts]:
    """Yield what was last used at a time that is wanted; the rest is not measured, for that reads whole folders."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # another run removes it meanwhile
            when = path.stat().st_mtime
            if wanted(when):
                yield Artifacts(path, when, _taken([path]))


def _same(path: Path, current: Path | None) -> bool:
    return path.is_symlink() or (current is not None and path.resolve() == current.resolve())


def _measured(run: Path) -> Artifacts:
    when = run.stat().st_mtime if not (run / rundir.RESULT).exists() else _time(run)
    return Artifacts(run, when, _taken(_artifacts(run)))


def _taken(paths: Iterable[Path]) -> int:
    """Return what files and folders take on disk, in bytes; what goes meanwhile takes nothing."""
    return sum(_size(file) for path in paths for file in (_below(path) if path.is_dir() else [path]))


def _below(folder: Path) -> Iterator[Path]:
    for top, folders, files in os.walk(folder):
        yield from (Path(top, name) for name in (*folders, *files))


def _time(run: Path) -> float:
    return (run / rundir.RESULT).stat().st_mtime


def _size(file: Path) -> int:
    with contextlib.suppress(OSError):
        status = file.lstat()
        return status.st_blocks * 512
    return 0


def _artifacts(run: Path) -> Iterator[Path]:
    """Yield what lies in the folders of a run's jobs beside their results, and what was seen of guests that died."""
    for path in run.glob("jobs/*/*"):
        if path.name in rundir.KEPT:
            continue
        if path.is_symlink() or not rundir.texts(path):
            yield path
        else:
            yield from (inner for inner in path.iterdir() if inner not in rundir.texts(path))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
