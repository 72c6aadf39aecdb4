"""Test programs: our own, from a folder with a Makefile, and those of the tree under test."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.arch import DEFAULT
from orchestrator.config.suites import Suite
from orchestrator.errors import InfraError, KernelError, PipelineError, UserError
from orchestrator.host import beneath
from orchestrator.host.cache import Cache, digest, new_directory, remove_tree, write_atomic
from orchestrator.host.process import Cage, Deadline, sandbox
from orchestrator.kbuild import compiler_log, make, outfolder
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.kbuild.host import ThisHost
from orchestrator.model import Programs
from orchestrator.progress import Progress

RECIPE = "1"
"""Part of every key, as in ``kernel.RECIPE``."""

_NOTES = frozenset({".md", ".yaml", ".yml", ".log"})
"""Suffixes of files that lie beside sources and go into no program: what make reads besides, nobody knows."""
_RECORD = "sha256"
_SOURCE = "source"


class NoMakefile(UserError):
    """The folder of a suite has no Makefile in the tree under test."""


@dataclass(frozen=True)
class TreeSuite:
    """A suite whose programs come from the tree under test.

    ``source`` and ``content`` are as in a kernel's ``BuildRequest``. ``out`` is private to the programs, and kept.
    ``owner`` is as in a ``BuildRequest``, too.
    """

    name: str
    config: Suite
    source: Path
    content: str
    out: Path
    arch: str = DEFAULT.name
    owner: str = ""
    jobs: int = field(default_factory=make.processors)

    @property
    def files(self) -> tuple[str, ...]:
        """The program files, as the run lines name them."""
        return tuple(dict.fromkeys(program.called for program in self.config.programs if program.called))


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
    key = digest(RECIPE, make.toolchain(), *(part for file in sources for part in (str(file), directory / file)))
    place = cache.path("programs-logs", name)
    cc = make.compiler(cache, make.Store(outfolder.layer(place), trusted=True), directory.absolute())
    env = make.environment(cc)

    def build(scratch: Path) -> None:
        with outfolder.locked(outfolder.log(place), progress) as log:
            log.truncate(0)
            argv = ["make", f"-C{directory}", f"O={scratch}", f"CC={cc.command}", f"-j{jobs or make.processors()}"]
            host, fault = ThisHost(scratch), UserError(f"suite {name} does not build")
            code = make.run(argv, env, log, lambda line: None, deadline, None)
            judge(code, Path(log.name), Folders(directory, scratch), fault, host)

    return kept(name, key, cache, progress, build, share)


def _sources(directory: Path) -> list[Path]:
    """Return what a program may be made of. Expectations and notes that lie beside it change no program."""
    files = (file.relative_to(directory) for file in directory.rglob("*") if file.is_file())
    return sorted(file for file in files if file.suffix not in _NOTES and not _is_aside(file))


def _is_aside(file: Path) -> bool:
    return any(part == "build" or part.startswith(".") for part in file.parts)


def in_tree(config: Suite, source: Path) -> Suite:
    """Return a suite as this tree has it: in which of its folders, and with which programs, where some may be absent.

    What is left without any program is the suite as it was, for whoever builds it to refuse.
    """
    places = (config.directory, *config.or_directories)
    directory = next((place for place in places if (source / place / "Makefile").is_file()), config.directory)
    folder = source / directory
    there = [p for p in config.programs if (folder / f"{p.called}.c").is_file() or (folder / p.called).is_file()]
    programs = tuple(there) if there and config.absent == "skip" else config.programs
    return config.model_copy(update={"directory": directory, "programs": programs})


def build_from_tree(
    suite: TreeSuite, cache: Cache, progress: Progress, deadline: Deadline, share: Share = alone
) -> Programs:
    """Build the programs that a suite's run lines name, in ``suite.directory`` of the tree, against its own headers.

    ``make`` of the suite may hold variables and targets; without a target each program file is one. A file that
    make has no rule for is taken as it lies there (a script). Raises UserError where the suite names nothing that
    the tree has (NoMakefile where it has no such folder), KernelError where it does not build.
    """
    folder = suite.source / suite.config.directory
    if not (folder / "Makefile").is_file():
        raise NoMakefile(f"suite {suite.name}: {suite.config.directory} has no Makefile in this tree")
    if not suite.files:
        raise UserError(f"suite {suite.name}: a suite from a tree must say which programs it runs")
    what = (str(suite.config.directory), *suite.config.make, "for", *suite.files)
    key = digest(RECIPE, suite.content, *what, make.toolchain(), *([suite.owner] if suite.owner else []))

    def build(scratch: Path) -> None:
        with outfolder.opened_log(suite.out, suite.owner, progress) as log:
            log.truncate(0)
            _make_in_tree(
                suite, cache, Path(log.name), lambda argv, env, cage: make.run(argv, env, log, _quiet, deadline, cage)
            )
            output = make.output(Path(log.name))
        for name in suite.files:
            _take(suite, name, scratch / name, output)

    return kept(suite.name, key, cache, progress, build, share)


def _take(suite: TreeSuite, name: str, to: Path, output: str) -> None:
    """Copy a program that make left, or a script as it lies in the folder; of some, another that says why it is not.

    Raises KernelError where each must be there.
    """
    for made in (f"bin/{name}", f"{_SOURCE}/{name}"):
        if beneath.is_file(suite.out, made):
            beneath.copy(suite.out, made, to)
            return
    if suite.config.absent != "skip":
        raise KernelError(f"suite {suite.name}: make left no {name}", log=outfolder.log(suite.out))
    to.write_text(_UNBUILT.format(reason=shlex.quote("# " + compiler_log.error_of(name, output))))
    to.chmod(0o755)


_UNBUILT = """#!/bin/sh
echo 1..1
echo {reason}
echo not ok 1 builds
exit 1
"""
"""What runs in the place of a program that does not build: it fails alone, and by its name."""


def _quiet(line: str) -> None:
    """Say nothing of a line of the log."""


def _make_in_tree(
    suite: TreeSuite, cache: Cache, log: Path, run: Callable[[Sequence[str], dict[str, str], Cage], int]
) -> None:
    """Install the tree's headers into a folder of ours, and build the programs against them.

    ``-static`` is asked for through EXTRA_CFLAGS and KHDR_INCLUDES, the two names by which Makefiles of selftests
    have taken flags from 5.10 to today; a suite's own variables come last and win.
    """
    folders = Folders(suite.source, suite.out)
    store = make.Store(outfolder.layer(suite.out).absolute(), trusted=not suite.owner)
    cc = make.compiler(cache, store, suite.source.absolute(), suite.out.absolute())
    cage = _cage(suite, cc)
    env = make.environment(cc)
    kernel = make.kernel_argv(suite.source, suite.out / "headers", suite.arch, suite.jobs, cc)
    fault = KernelError(f"suite {suite.name} does not build")
    host = ThisHost(suite.out)
    code = run([*kernel, f"INSTALL_HDR_PATH={suite.out / 'usr'}", "headers_install"], env, cage)
    judge(code, log, folders, fault, host)
    output = suite.out / "bin"
    output.mkdir(exist_ok=True)
    sandbox.give(output)
    include = f"-isystem {suite.out / 'usr' / 'include'}"
    variables = [f"OUTPUT={output}", f"CC={cc.command}", f"KHDR_INCLUDES={include}", f"EXTRA_CFLAGS={include} -static"]
    targets = [] if any("=" not in word for word in suite.config.make) else _targets(suite, output)
    folder = suite.source / suite.config.directory
    going = ["--keep-going"] if suite.config.absent == "skip" else []
    argv = ["make", "--output-sync=target", *going, f"-j{suite.jobs}", f"-C{folder}", *variables, *suite.config.make]
    code = run([*argv, *targets], env, cage)
    if going and any(output.iterdir()) and not compiler_log.host_fault(make.output(log), host):
        return
    judge(code, log, Folders(folder, folder), fault, host)


def _cage(suite: TreeSuite, cc: make.Compiler) -> Cage:
    """Return the cage of a suite's build. Its Makefile writes beside its sources: those are a copy.

    Raises KernelError where the folder is a link, or not to be read.
    """
    copy, folder = suite.out.absolute() / _SOURCE, suite.source.absolute() / suite.config.directory
    remove_tree(copy)
    try:
        beneath.copy_files(suite.source, str(suite.config.directory), copy)
    except OSError as error:
        raise KernelError(f"suite {suite.name}: {suite.config.directory} of the tree: {error}") from error
    for path in (copy, *copy.rglob("*")):
        sandbox.give(path)
    return cc.cage([suite.source.absolute()], [suite.out.absolute()], ((copy, folder),))


def _targets(suite: TreeSuite, output: Path) -> list[str]:
    folder = suite.source / suite.config.directory
    return [str(output / name) for name in suite.files if (folder / f"{name}.c").is_file()]


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
