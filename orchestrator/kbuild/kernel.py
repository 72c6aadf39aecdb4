"""From a source work tree to a kernel in the cache: nothing is done twice, and nothing half-built is believed."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from orchestrator.arch import ARCHITECTURES, DEFAULT
from orchestrator.errors import InfraError, KernelError, PipelineError, UserError
from orchestrator.host.cache import Cache, digest, new_directory, write_atomic
from orchestrator.host.process import Deadline
from orchestrator.kbuild import compiler_log, configure, elf, kconfig, make, outfolder
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.kbuild.host import ThisHost
from orchestrator.kbuild.kconfig import Merged
from orchestrator.model import CompilerWarning, Kernel
from orchestrator.progress import Progress

RECIPE = "1"
"""Part of every key: a change here, or in ``make.py``, that makes other kernels of the same tree counts it up."""

_RECORD = "kernel.json"


@dataclass(frozen=True)
class BuildRequest:
    """What to build, and where.

    ``source`` is a work tree that the caller checked out and holds still; ``content`` is the id of its git tree
    object. ``base`` is ``tinyconfig``, ``defconfig`` or a file. ``out`` is kept between builds, best as
    ``out_folder`` names it. ``log``, if any, gets a copy of the build's log.
    """

    source: Path
    content: str
    out: Path
    base: str = "tinyconfig"
    fragments: tuple[Path, ...] = ()
    arch: str = DEFAULT.name
    image: str = "vmlinux"
    jobs: int = field(default_factory=make.processors)
    log: Path | None = None

    @property
    def folders(self) -> Folders:
        """The folders that paths in the log are relative to."""
        return Folders(self.source, self.out)


def out_folder(source: Path, name: str) -> Path:
    """Return the output folder of that name for a work tree: a direct child of it, hidden.

    There kbuild calls the tree ``..`` (top Makefile, ``srctree``). No path of this host gets into commands or
    objects: ccache takes base and patched as one tree, and a WARN names ``mm/shmem.c`` and not a folder of ours.
    """
    return source / f".out-{name}"


def key(request: BuildRequest) -> str:
    """Return the name of the kernel that a request asks for. Raises UserError for bad fragments."""
    return digest(RECIPE, request.content, _asked(request, configure.requested(request.fragments)), request.image)


def _asked(request: BuildRequest, merged: Merged) -> str:
    """Return what stands for configuration and toolchain in keys and stamps."""
    strict = " ".join(sorted(r.symbol for r in merged.requests if not r.optional))
    return digest(configure.base_text(request.base), merged.text, strict, request.arch, make.toolchain())


def lookup(request: BuildRequest, cache: Cache) -> Kernel | None:
    """Return the kernel if the cache has it whole; make is not called."""
    folder = cache.path("kernels", key(request))
    if kernel := _load(folder):
        cache.touch(folder)
    return kernel


def build(request: BuildRequest, cache: Cache, progress: Progress, deadline: Deadline) -> Kernel:
    """Return the kernel that is asked for, from the cache or built.

    Raises UserError for a bad configuration; KernelError where the tree drops an asked-for symbol or does not
    build, its line being the first error; InfraError where this host cannot build. An interrupted build goes on
    from what is there when it is asked for again.
    """
    if request.image not in ARCHITECTURES[request.arch].images:
        raise UserError(f"image {request.image}: not one of {', '.join(ARCHITECTURES[request.arch].images)}")
    if kernel := lookup(request, cache):
        return kernel
    with cache.lock(f"out-{digest(str(request.out.absolute()))[:16]}", progress):
        if kernel := lookup(request, cache):
            return kernel
        with outfolder.opened_log(request.out, progress) as log, _log_copied(request):
            return _build(_Work(request, cache, progress, deadline, log))


def check(request: BuildRequest, cache: Cache, progress: Progress, deadline: Deadline) -> str:
    """Make and prove the .config that a request asks for, without building; return its text. Raises as ``build``."""
    merged = configure.requested(request.fragments)
    with (
        cache.lock(f"out-{digest(str(request.out.absolute()))[:16]}", progress),
        outfolder.opened_log(request.out, progress) as log,
        _log_copied(request),
    ):
        return _configured(_Work(request, cache, progress, deadline, log), merged, "", outfolder.State())


@contextlib.contextmanager
def _log_copied(request: BuildRequest) -> Iterator[None]:
    """Copy the log to where the request wants it, however the build ends, and let a fault name that copy."""
    try:
        yield
    except PipelineError as error:
        error.log = request.log or request.out / outfolder.LOG
        raise
    finally:
        if request.log:
            request.log.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # whoever removes the folder meanwhile has another fault
                shutil.copyfile(request.out / outfolder.LOG, request.log)


@dataclass(frozen=True)
class _Work:
    """One build, while the output folder is ours."""

    request: BuildRequest
    cache: Cache
    progress: Progress
    deadline: Deadline
    log: IO[bytes]

    @property
    def log_path(self) -> Path:
        return self.request.out / outfolder.LOG


def _build(work: _Work) -> Kernel:
    out, folders = work.request.out, work.request.folders
    merged = configure.requested(work.request.fragments)
    asked = _asked(work.request, merged)
    state = outfolder.after_log(outfolder.load(out), work.log_path, folders, leftover=True)
    outfolder.save(out, replace(state, taken=0))
    work.log.truncate(0)
    config = _configured(work, merged, asked, state)
    state = outfolder.without_doubtful(replace(state, taken=0), folders)
    modules = kconfig.modular(kconfig.read(config))
    estimate = work.cache.path("objects", asked)
    cold = not (out / "vmlinux").exists()
    try:
        _make(work, [work.request.image, *(["modules"] if modules else [])], _counter(work, state, estimate, cold))
    finally:
        state = outfolder.after_log(state, work.log_path, folders)
        state = replace(state, config=configure.stamp(asked, work.request.source, out))
        outfolder.save(out, state)
    if cold:
        write_atomic(estimate, str(state.objects))
    work.progress.advance("build", state.objects, state.objects)
    kernel = _keep(work, state.warnings, modules)
    outfolder.save(out, replace(state, objects=0, taken=work.log_path.stat().st_size))
    return kernel


def _configured(work: _Work, merged: Merged, asked: str, state: outfolder.State) -> str:
    """Return the text of .config; make is asked for it only where something that it is made from has changed."""
    request = work.request
    if state.config and state.config == configure.stamp(asked, request.source, request.out):
        return (request.out / ".config").read_text()
    config = configure.write(
        request.base, merged, request.source, request.arch, request.out, lambda targets: _make(work, targets)
    )
    configure.prove(merged, config, request.source, request.arch, work.progress)
    return config


def _counter(work: _Work, state: outfolder.State, estimate: Path, cold: bool) -> Callable[[str], None]:
    """Return what shows each object that a line of the log tells of, against the count of the last cold build."""
    known = _estimated(estimate) if cold else None
    done = itertools.count(state.objects + 1)

    def on_line(line: str) -> None:
        if compiler_log.compiled(line):
            now = next(done)
            work.progress.advance("build", now, max(known, now + 1) if known else None)

    return on_line


def _estimated(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _make(work: _Work, targets: Sequence[str], on_line: Callable[[str], None] = lambda line: None) -> None:
    """Run make targets in the output folder; sort a failure by whose it is."""
    request = work.request
    cc = make.compiler(work.cache, request.source.absolute(), request.out.absolute())
    argv = make.kernel_argv(request.source, request.out, request.arch, request.jobs, cc)
    begin, host = work.log_path.stat().st_size, ThisHost(request.out)
    if make.run([*argv, *targets], make.environment(cc), work.log, on_line, work.deadline) == 0:
        return
    said = work.log_path.read_bytes()[begin:].decode(errors="replace")
    if fault := compiler_log.host_fault(said, host):
        raise InfraError(f"cannot build: {fault}")
    raise KernelError(f"the build broke: {compiler_log.first_error(said, request.folders)}")


def _keep(work: _Work, warnings: tuple[CompilerWarning, ...], modules: bool) -> Kernel:
    """Copy the products of a finished build into the cache, all or nothing."""
    out, name = work.request.out, key(work.request)
    final = work.cache.path("kernels", name)
    wanted = {"vmlinux": "vmlinux", ".config": "config", "System.map": "System.map"}
    wanted[ARCHITECTURES[work.request.arch].images[work.request.image]] = work.request.image
    with new_directory(final) as scratch:
        if modules:
            _install_modules(work, scratch / "modules")
        for made, kept in {**wanted, outfolder.LOG: "build.log"}.items():
            shutil.copyfile(_product(out / made), scratch / kept)
        vmlinux = (scratch / "vmlinux").read_bytes()
        record = {
            "image": work.request.image,
            "modules": modules,
            "release": _release(_product(out / "include/config/kernel.release")),
            "build_id": _build_id(vmlinux),
            "sha256": hashlib.sha256((scratch / work.request.image).read_bytes()).hexdigest(),
            "toolchain": make.toolchain(),
            "warnings": [[w.where, w.text] for w in warnings],
            "sizes": {kept: (scratch / kept).stat().st_size for kept in wanted.values()},
        }
        write_atomic(scratch / _RECORD, json.dumps(record, indent=1, ensure_ascii=False))
    kernel = _load(final)
    if kernel is None:
        raise InfraError(f"{final} was not whole after it was written")
    return kernel


def _product(path: Path) -> Path:
    """Return what make must have left: a file, and no link to one elsewhere. Raises KernelError."""
    if path.is_symlink() or not path.is_file():
        raise KernelError(f"make ended well, and left no {path.name}")
    return path


_RELEASE = re.compile(r"[A-Za-z0-9][\w.+~-]{0,63}")


def _release(path: Path) -> str:
    """Return the release of a kernel, which the kernel itself keeps below 65 characters. Raises KernelError."""
    with path.open("rb") as file:
        text = file.read(200).decode(errors="replace").strip()
    if not _RELEASE.fullmatch(text):
        raise KernelError("what make left in kernel.release is no release of a kernel")
    return text


def _build_id(vmlinux: bytes) -> str:
    try:
        return elf.build_id(vmlinux)
    except ValueError as error:
        raise KernelError(f"the vmlinux that make left is no kernel: {error}") from error


def _install_modules(work: _Work, folder: Path) -> None:
    """Install the modules, without the links into the folders that they were built in."""
    _make(work, [f"INSTALL_MOD_PATH={folder}", "INSTALL_MOD_STRIP=1", "modules_install"])
    for link in (*folder.glob("lib/modules/*/build"), *folder.glob("lib/modules/*/source")):
        link.unlink()


def _load(folder: Path) -> Kernel | None:
    """Return the kernel of a folder in the cache, or None where any part of it is missing or cut short."""
    try:
        record = json.loads((folder / _RECORD).read_text())
        if any((folder / name).stat().st_size != size for name, size in record["sizes"].items()):
            return None
        return Kernel(
            key=folder.name,
            image=folder / record["image"],
            vmlinux=folder / "vmlinux",
            config=folder / "config",
            modules=folder / "modules" if record["modules"] else None,
            release=record["release"],
            build_id=record["build_id"],
            sha256=record["sha256"],
            toolchain=record["toolchain"],
            warnings=tuple(CompilerWarning(*pair) for pair in record["warnings"]),
            log=folder / "build.log",
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
