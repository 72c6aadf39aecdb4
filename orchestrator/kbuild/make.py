"""How make is called: arguments, environment, and a run that is followed through its log."""

from __future__ import annotations

import functools
import os
import select
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from orchestrator.arch import ARCHITECTURES
from orchestrator.errors import KernelError
from orchestrator.host import packages, process
from orchestrator.host.cache import Cache
from orchestrator.host.process import Cage, Deadline, sandbox
from orchestrator.kbuild import ccache

POLL = 0.25
"""Seconds between two looks at the log. The end of make is seen at once."""

MOST = 32 << 20
"""Bytes that make may print in one go: the log of a kernel with all its modules takes a tenth of it."""

_PIECE = 1 << 20
_LINE = 1 << 16  # bytes of a line that are looked at while make runs

FIXED = {
    "KBUILD_BUILD_TIMESTAMP": "2000-01-01",
    "KBUILD_BUILD_USER": "wpci",
    "KBUILD_BUILD_HOST": "wpci",
    "KBUILD_BUILD_VERSION": "1",
}
"""What would else make two builds of one tree differ (Documentation/kbuild/reproducible-builds.rst)."""

SRCARCH = {row.name: row.source for row in ARCHITECTURES.values()}
"""The folder under arch/ of each architecture."""

_UAPI = ("Makefile", "include/uapi", "include/asm-generic/Kbuild", "include/uapi/asm-generic")
_UAPI_TOOLS = ("scripts/Makefile.headersinst", "scripts/headers_install.sh")


def uapi(arch: str) -> tuple[str, ...]:
    """Return what of a tree its exported headers are made from: where these are equal, the headers are."""
    row = ARCHITECTURES[arch]
    return (*_UAPI, *(f"arch/{row.source}/{path}" for path in row.uapi), *_UAPI_TOOLS)


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


@functools.cache
def toolchain() -> str:
    """Return what compiles and links on this host, as its tools name themselves. Raises InfraError without them."""
    for tool in ("make", "gcc", "ld"):
        packages.check(tool)
    return ", ".join(
        process.run([tool, "--version"], env=process.minimal_environment()).stdout.partition("\n")[0]
        for tool in ("gcc", "ld")
    )


@dataclass(frozen=True)
class Compiler:
    """gcc, behind ccache where that is installed; ``environment`` is what ccache needs.

    ``kernel`` compiles the objects of a kernel, ``command`` everything else.
    """

    command: str
    kernel: str
    environment: Mapping[str, str]
    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()

    def cage(
        self, readable: Sequence[Path], writable: Sequence[Path], covers: tuple[tuple[Path, Path], ...] = ()
    ) -> Cage:
        """Return the cage of a build with this compiler, which brings what ccache reads and writes."""
        return Cage((*writable, *self.writable), (*readable, *self.readable), covers)


@dataclass(frozen=True)
class Store:
    """Where ccache keeps objects: those that all builds read, and the layer of the one that is going on.

    ``trusted`` code alone writes what all read. Whoever writes an object there decides what others are made of.
    """

    layer: Path
    trusted: bool


def shared_objects(cache: Cache) -> Path:
    """Return the folder of the objects that all builds read."""
    return cache.path("objects-shared", "x").parent


def compiler(cache: Cache, store: Store, headers: str, source: Path, *folders: Path) -> Compiler:
    """Return the compiler for a build of ``source``, in these other folders.

    ccache takes two work trees as one where the paths that it sees are the same: those under the common parent of
    all are made relative (CCACHE_BASEDIR), and the folder it runs in does not count (CCACHE_NOHASHDIR). Trees whose
    headers of one name are others share nothing: ``headers`` is their stamp (``namesakes``).
    """
    if shutil.which("ccache") is None:
        return Compiler("gcc", "gcc", {})
    shared = shared_objects(cache)
    sandbox.give(shared)
    settings = {
        "CCACHE_DIR": str(store.layer),
        "CCACHE_REMOTE_STORAGE": shared.as_uri() + ("|update-mtime=true" if store.trusted else "|read-only=true"),
        **({"CCACHE_REMOTE_ONLY": "1"} if store.trusted else {}),
        "CCACHE_BASEDIR": os.path.commonpath((source, *folders)),
        "CCACHE_NOHASHDIR": "1",
        "CCACHE_NAMESPACE": headers,
        "CCACHE_INODECACHE": "1",  # headers are read once, not once an object
        "CCACHE_NOCOMPRESS": "1",  # a tenth of what ccache adds to a cold build; an object is some 20 kB
        "CCACHE_MAXSIZE": "5G",
    }
    program = ccache.driver(cache)
    writable, readable = (store.layer,), (program.parent,)
    if store.trusted:
        return Compiler("ccache gcc", str(program), settings, (*writable, shared), readable)
    return Compiler("ccache gcc", str(program), settings, writable, (*readable, shared))


def environment(compiler: Compiler) -> dict[str, str]:
    """Return the environment of a build: nothing of ours but what fixes the product."""
    return process.minimal_environment({**FIXED, **compiler.environment})


def kernel_argv(source: Path, out: Path, arch: str, jobs: int, compiler: Compiler) -> tuple[str, ...]:
    """Return the make command for a kernel tree; targets are put behind it.

    ``LOCALVERSION=`` keeps the '+' of a git tree out of the release. Output is kept together by target, because
    a warning belongs to the object whose line stands above it.
    """
    tools = [f"CC={compiler.kernel}", f"HOSTCC={compiler.command}"] if compiler.kernel != "gcc" else []
    return (
        "make",
        "--no-print-directory",
        "--output-sync=target",
        f"-j{jobs}",
        f"-C{source}",
        f"O={out}",
        f"ARCH={arch}",
        "LOCALVERSION=",
        *tools,
    )


def run(
    argv: Sequence[str],
    env: Mapping[str, str],
    log: IO[bytes],
    on_line: Callable[[str], None],
    deadline: Deadline,
    cage: Cage | None,
) -> int:
    """Run make in a cage, its output going straight into ``log``; return its exit code.

    Without a cage, which is for our own sources alone, it has no network and a process namespace of its own.

    ``on_line`` gets each line soon after it was written. The log is complete whatever becomes of us, since make
    writes it without our help. Raises KernelError when the deadline passes, or for more output than ``MOST``: a build
    without end is its sources' fault; InfraError where the cage cannot be built.
    """
    log.write(f"$ {process.pasteable(argv)}\n".encode())
    log.flush()
    path = Path(log.name)
    begin = path.stat().st_size
    with (
        process.spawn(argv, env=env, stdout=log, enclosed=True, cage=cage) as child,
        path.open("rb") as reader,
    ):
        reader.seek(begin)
        ended = os.pidfd_open(child.pid)
        try:
            rest = b""
            while not select.select([ended], [], [], min(POLL, deadline.remaining))[0]:
                if deadline.expired:
                    raise KernelError(f"make did not come to its end in time: {argv[-1]}", log=path)
                _check_size(path, begin, argv[-1])
                rest = _lines(rest + reader.read(_PIECE), on_line)
            _check_size(path, begin, argv[-1])
            while piece := reader.read(_PIECE):
                rest = _lines(rest + piece, on_line)
            _lines(rest + b"\n", on_line)
        finally:
            os.close(ended)
        code = child.wait()
    if code and cage:
        process.check_cage(cage)
    return code


def _lines(data: bytes, on_line: Callable[[str], None]) -> bytes:
    """Hand on the whole lines of ``data`` and return what is left, as much of it as is looked at."""
    *whole, rest = data.split(b"\n")
    for line in whole:
        on_line(line[:_LINE].decode(errors="replace"))
    return rest[:_LINE]


def _check_size(log: Path, begin: int, target: str) -> None:
    if log.stat().st_size - begin > MOST:
        raise KernelError(f"make printed more than {MOST >> 20} MiB: {target}", log=log)


def output(log: Path, begin: int = 0) -> str:
    """Return what stands in a log from a byte on, no more than ``MOST``."""
    with log.open("rb") as file:
        file.seek(begin)
        return file.read(MOST).decode(errors="replace")
