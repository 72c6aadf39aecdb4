"""Programs of the user's own, ready for the guest: C files are compiled, folders made, executables and scripts taken.

In the guest each is ``./NAME`` in the folder of its suite, whatever it was made from.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.arch import DEFAULT
from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.errors import KernelError, UserError
from orchestrator.host import beneath
from orchestrator.host.cache import Cache, digest
from orchestrator.host.disk import new_directory, remove_tree, write_atomic
from orchestrator.host.process import Deadline
from orchestrator.kbuild import make, namesakes, outfolder, own_sources, programs
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.kbuild.host import ThisHost
from orchestrator.kbuild.own_sources import ELF, Sources
from orchestrator.model import Programs
from orchestrator.progress import Progress

_MADE = ".made"
"""What the folder of a program is called beside the launcher that has the program's name."""
_DONE = "done"
_INSTALLED = "installed"


@dataclass(frozen=True)
class Headers:
    """Where the uapi headers of a tree go: ``key`` stands for what they are made from, ``owner`` for whose that is."""

    key: str
    arch: str = DEFAULT.name
    owner: str = ""

    @property
    def name(self) -> str:
        """The name of their folder in the cache."""
        return f"headers-{digest(programs.RECIPE, self.key, self.owner)}"


def needs_headers(suite: Suite) -> bool:
    """Whether something of a suite is compiled."""
    return any(_is_compiled(program) for program in suite.programs)


def _is_compiled(program: ProgramConfig) -> bool:
    assert program.file
    return program.file.is_dir() or own_sources.is_c(program.file)


def headers(wanted: Headers, cache: Cache) -> Path | None:
    """Return the folder of headers that are installed already."""
    folder = cache.path("programs", wanted.name)
    return folder / "include" if (folder / _DONE).exists() else None


def install_headers(
    wanted: Headers, source: Path, out: Path, cache: Cache, progress: Progress, deadline: Deadline
) -> Path:
    """Install the headers of the tree at ``source``; ``out`` is private to that, and kept. Raises KernelError."""
    folder, installed = cache.path("programs", wanted.name), out.absolute() / _INSTALLED
    store = make.Store(outfolder.layer(out).absolute(), trusted=not wanted.owner)
    stamp = namesakes.stamp(source)
    cc = make.compiler(cache, store, stamp, source.absolute(), out.absolute())
    with (
        cache.lock(wanted.name[:24], progress),
        outfolder.opened_log(out, wanted.owner, stamp, progress) as log,
    ):
        if not (folder / _DONE).exists():
            with new_directory(folder) as scratch:
                log.truncate(0)
                remove_tree(installed)
                argv = make.kernel_argv(source, out, wanted.arch, make.processors(), cc)
                argv = (*argv, f"INSTALL_HDR_PATH={installed}", "headers_install")
                host = ThisHost(out)
                cage = cc.cage([source.absolute()], [out.absolute()])
                code = make.run(argv, make.environment(cc), log, lambda line: None, deadline, cage)
                fault = KernelError("the headers of the tree do not install")
                programs.judge(code, Path(log.name), Folders(source, out), fault, host)
                _copied(out, scratch)
                (scratch / _DONE).touch()
    return folder / "include"


def _copied(out: Path, to: Path) -> None:
    try:
        beneath.copy_files(out, _INSTALLED, to)
    except OSError as error:
        raise KernelError(f"make left no headers: {error.strerror or error}") from error


def build(
    name: str,
    sources: Sources,
    cache: Cache,
    progress: Progress,
    deadline: Deadline,
    share: programs.Share = programs.alone,
) -> Programs:
    """Return the programs of a suite, ready for the guest.

    Unchanged sources are not built again. Raises UserError with the first error where one does not build, since these
    sources are the user's.
    """
    toolchain, include, named = make.toolchain(), sources.include, sources.suite.programs
    parts = [part for program in named for part in _parts(program, sources)]
    key = digest(programs.RECIPE, toolchain, include.parent.name if include else "", *parts)

    def made(scratch: Path) -> None:
        for program in named:
            _Maker(program, scratch, include, cache, progress, deadline).make()

    return programs.kept(name, key, cache, progress, made, share)


def _parts(program: ProgramConfig, sources: Sources) -> Iterator[str | Path]:
    """Yield what a program is made from. Raises UserError where there is nothing, or nothing that can run."""
    assert program.file
    yield program.name
    yield program.file.name
    if program.file.is_dir():
        for file in own_sources.files(program.file):
            yield f"{file.relative_to(program.file)} {os.access(file, os.X_OK)}"
            yield file
    elif program.file.is_file():
        _check_kind(program.file)
        yield program.file
        for file in sources.included.get(program.file, ()):
            yield os.path.relpath(file, program.file.absolute().parent)
            yield file
    else:
        raise UserError(f"{program.file}: no such program")


_OTHER = frozenset(
    {
        ".C",
        ".awk",
        ".bt",
        ".cc",
        ".cpp",
        ".cxx",
        ".go",
        ".java",
        ".js",
        ".lua",
        ".pl",
        ".py",
        ".rb",
        ".rs",
        ".s",
        ".stp",
    }
)
"""Suffixes of what the shell of the guest cannot run."""


def _check_kind(file: Path) -> None:
    """Refuse what the shell of the guest would run and is no script of it, as C++: that looks like a failed test."""
    if _is_plain(file) and {file.suffix, file.suffix.lower()} & _OTHER:
        kinds = "no C file (.c), executable or shell script (.sh), and no #! says what runs it"
        raise UserError(f"{file}: {kinds}; what needs another compiler can be a folder with a Makefile")


def _is_plain(file: Path) -> bool:
    """Whether a file does not say by its first bytes how it runs."""
    with file.open("rb") as opened:
        return not opened.read(len(ELF)).startswith((ELF, b"#!"))


@dataclass(frozen=True)
class _Maker:
    """What makes one program, in the folder of its suite."""

    program: ProgramConfig
    folder: Path
    include: Path | None
    cache: Cache
    progress: Progress
    deadline: Deadline

    @property
    def source(self) -> Path:
        assert self.program.file
        return self.program.file.absolute()

    @property
    def target(self) -> Path:
        return self.folder / self.program.name

    def make(self) -> None:
        if self.source.is_dir():
            self._make_folder()
        elif self.source.suffix == ".c":
            self._compile()
        else:
            self._take()
        self.target.chmod(0o755)

    def _take(self) -> None:
        """Take an executable or a script; one that does not say what it is for is for the guest's shell."""
        data = self.source.read_bytes()
        write_atomic(self.target, b"#!/bin/sh\n" + data if _is_plain(self.source) else data)

    def _compile(self) -> None:
        compiler = own_sources.compiler(self.include)
        self._run([*compiler, "-o", str(self.target), str(self.source), "-lm"], self.source.parent)

    def _make_folder(self) -> None:
        """Run make in a copy of a folder, and write what starts the program that it made."""
        if not (self.source / "Makefile").is_file():
            raise UserError(f"{self.source} has no Makefile, and so is no program")
        place = self.folder / f"{self.program.name}{_MADE}"
        shutil.copytree(self.source, place)
        before = set(_executables(place))
        compiler = " ".join(("gcc", *own_sources.first_headers(self.include)))
        # what its owner has made in it before is of other headers, and as new as its sources
        self._run(["make", "--always-make", "-C", str(place), f"-j{make.processors()}", f"CC={compiler}"], place)
        made = _chosen(self.program.name, before, set(_executables(place)))
        write_atomic(self.target, f'#!/bin/sh\ncd "$(dirname "$0")/{place.name}" && exec ./{made} "$@"\n')

    def _run(self, argv: list[str], source: Path) -> None:
        """Run what makes a program. Raises UserError with its first error."""
        fault = UserError(f"program {self.program.name} does not build")
        with outfolder.locked(outfolder.log(self.cache.path("programs-logs", self.program.name)), self.progress) as log:
            log.truncate(0)
            host = ThisHost(self.folder)
            code = make.run(
                argv, make.environment(make.Compiler("gcc", "gcc", {})), log, lambda line: None, self.deadline, None
            )
            programs.judge(code, Path(log.name), Folders(source, self.folder), fault, host)


def _executables(folder: Path) -> Iterator[str]:
    for path in folder.iterdir():
        if path.is_file() and os.access(path, os.X_OK) and not path.name.endswith((".so", ".o")):
            yield path.name


def _chosen(name: str, before: set[str], after: set[str]) -> str:
    """Return the executable that a folder stands for. Raises UserError where that is not clear. Pure."""
    made = after - before or after
    if name in after:
        return name
    if len(made) == 1:
        return next(iter(made))
    there = ", ".join(sorted(made)) or "no executable"
    raise UserError(f"program {name}: make left {there}; one that is called {name} would be taken")
