"""Test programs in the cache, and our own, from a folder with a Makefile. Those of a tree: ``tree_suite.py``."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrator.errors import InfraError, PipelineError, UserError
from orchestrator.host.cache import Cache, digest
from orchestrator.host.disk import new_directory, write_atomic
from orchestrator.host.process import Deadline
from orchestrator.kbuild import compiler_log, make, namesakes, outfolder
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.kbuild.host import ThisHost
from orchestrator.model import Programs
from orchestrator.progress import Progress

RECIPE = "1"
"""Part of every key, as in ``request.RECIPE``."""

_NOTES = frozenset({".md", ".yaml", ".yml", ".log"})
"""Suffixes of files that lie beside sources and go into no program: what make reads besides, nobody knows."""
_RECORD = "sha256"


Share = Callable[[Path, Callable[[], bool], Callable[[], None]], None]
"""Makes a folder of programs whole that is not: by the last of these, or by taking what another machine has built."""


def alone(folder: Path, is_whole: Callable[[], bool], build: Callable[[], None]) -> None:
    """Make programs for this machine alone; see ``Share``."""
    del folder, is_whole
    build()


def build_own(
    name: str,
    directory: Path,
    cache: Cache,
    progress: Progress,
    deadline: Deadline,
    jobs: int | None = None,
    share: Share = alone,
) -> Programs:
    """Build the suite in ``directory`` with ``make -C directory O=...``; every file that is left there is a program.

    What the sources and the Makefile say is the key: nothing changed, nothing called. Raises UserError with the
    first error where it does not build, since these sources are the user's and not the kernel's.
    """
    sources = _sources(directory)
    if not sources:
        raise UserError(f"suite {name}: no sources in {directory}")
    files = (*sources, *_included(directory, sources))
    key = digest(RECIPE, make.toolchain(), *(part for file in files for part in (str(file), directory / file)))
    place = cache.path("programs-logs", name)
    store = make.Store(outfolder.layer(place), trusted=True)
    cc = make.compiler(cache, store, namesakes.stamp(directory), directory.absolute())
    env = make.environment(cc)

    def build(scratch: Path) -> None:
        with outfolder.locked(outfolder.log(place), progress) as log:
            log.truncate(0)
            argv = ["make", f"-C{directory}", f"O={scratch}", f"CC={cc.command}", f"-j{jobs or make.processors()}"]
            host, fault = ThisHost(scratch), UserError(f"suite {name} does not build")
            code = make.run(argv, env, log, lambda line: None, deadline, None)
            judge(code, Path(log.name), Folders(directory, scratch), fault, host)

    return kept(name, key, cache, progress, build, share)


def contents(directory: Path) -> dict[Path, str]:
    """Return what the suite in ``directory`` is made from: its sources by their digests, and by its own their names."""
    files = _sources(directory)
    files += _included(directory, files)
    return {directory: digest(*map(str, files)), **{directory / file: digest(directory / file) for file in files}}


def _sources(directory: Path) -> list[Path]:
    """Return what a program may be made of. Expectations and notes that lie beside it change no program."""
    files = (file.relative_to(directory) for file in directory.rglob("*") if file.is_file())
    return sorted(file for file in files if file.suffix not in _NOTES and not _is_aside(file))


_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.M)


def _included(directory: Path, sources: Sequence[Path]) -> list[Path]:
    """Return the files that sources include by their path, and that are none of them, by their path from ``directory``.

    They lie in another folder, or in one that is linked. What a Makefile finds elsewhere (``-I../lib``) is not known.
    """
    known, waiting = set(sources), list(sources)
    while waiting:
        source = waiting.pop()
        for name in _INCLUDE.findall((directory / source).read_bytes()):
            file = Path(os.path.normpath(source.parent / os.fsdecode(name)))
            if file not in known and (directory / file).is_file():
                known.add(file)
                waiting.append(file)
    return sorted(known.difference(sources))


def _is_aside(file: Path) -> bool:
    return any(part == "build" or part.startswith(".") for part in file.parts)


def judge(code: int, log: Path, folders: Folders, fault: PipelineError, host: ThisHost) -> None:
    """Raise the fault with the first error of the log, or InfraError where the host is to blame."""
    if code == 0:
        return
    output = make.output(log)
    if lacking := compiler_log.host_fault(output, host):
        raise InfraError(f"{fault}: {lacking}", log=log)
    raise type(fault)(f"{fault}: {compiler_log.first_error(output, folders)}", log=log)


def kept(
    name: str, key: str, cache: Cache, progress: Progress, build: Callable[[Path], None], share: Share = alone
) -> Programs:
    """Return the programs under a key, building them where the cache does not have them whole."""
    final = cache.path("programs", key)
    with _built(final, cache, progress, build, share):
        recorded = (final / _RECORD).read_text()
    if recorded != _contents(final / "bin"):
        shutil.rmtree(final)
        with _built(final, cache, progress, build, share):
            recorded = (final / _RECORD).read_text()
    return Programs(name, final / "bin", recorded)


@contextlib.contextmanager
def _built(
    final: Path, cache: Cache, progress: Progress, build: Callable[[Path], None], share: Share
) -> Iterator[None]:
    def is_whole() -> bool:
        return (final / _RECORD).is_file()

    def make_whole() -> None:
        with new_directory(final) as scratch:
            (scratch / "bin").mkdir()
            build(scratch / "bin")
            write_atomic(scratch / _RECORD, _contents(scratch / "bin"))

    with cache.lock(f"programs-{final.name[:16]}", progress):
        if not is_whole():
            share(final, is_whole, make_whole)
        yield


def _contents(folder: Path) -> str:
    """Return a digest of names, modes and contents. Raises UserError where there is nothing."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise UserError("make left no program behind")
    total = hashlib.sha256()
    for path in files:
        runnable = os.access(path, os.X_OK)
        total.update(f"{path.relative_to(folder)} {runnable} {digest(path)}\n".encode())
    return total.hexdigest()
