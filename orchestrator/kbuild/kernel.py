"""From a source work tree to a kernel in the cache: nothing is done twice, and nothing half-built is believed."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from orchestrator.arch import ARCHITECTURES
from orchestrator.errors import InfraError, KernelError, PipelineError, UserError
from orchestrator.host import beneath, seal
from orchestrator.host.cache import Cache, digest
from orchestrator.host.disk import new_directory, remove_tree, write_atomic
from orchestrator.host.process import Deadline
from orchestrator.kbuild import compiler_log, configure, kconfig, make, outfolder, place, product
from orchestrator.kbuild.host import ThisHost
from orchestrator.kbuild.kconfig import Merged
from orchestrator.kbuild.request import BuildRequest, configuration_key, kernel_key
from orchestrator.model import CompilerWarning, Kernel
from orchestrator.progress import Progress

_MODULES = ".installed-modules"


def lookup(request: BuildRequest, cache: Cache) -> Kernel | None:
    """Return the kernel if the cache has it whole; make is not called."""
    folder = cache.path("kernels", kernel_key(request))
    if kernel := product.load(folder):
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
    with cache.lock(_lock(request), progress):
        if kernel := lookup(request, cache):
            return kernel
        with outfolder.opened_log(request.out, request.owner, request.headers, progress) as log, _log_copied(request):
            return _build(_Work(request, cache, progress, deadline, log))


def check(request: BuildRequest, cache: Cache, progress: Progress, deadline: Deadline) -> str:
    """Make and prove the .config that a request asks for, without building; return its text. Raises as ``build``."""
    merged = configure.requested(request.fragments)
    with (
        cache.lock(_lock(request), progress),
        outfolder.opened_log(request.out, request.owner, request.headers, progress) as log,
        _log_copied(request),
    ):
        return _configured(_Work(request, cache, progress, deadline, log), merged, "", outfolder.State())


def _lock(request: BuildRequest) -> str:
    """Return the lock of an output folder: two builds in one would write over one another."""
    return f"out-{digest(str(request.out.absolute()))[:16]}"


@contextlib.contextmanager
def _log_copied(request: BuildRequest) -> Iterator[None]:
    """Copy the log to where the request wants it, however the build ends, and let a fault name that copy."""
    try:
        yield
    except PipelineError as error:
        error.log = request.log or outfolder.log(request.out)
        raise
    finally:
        if request.log:
            request.log.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # whoever removes the folder meanwhile has another fault
                shutil.copyfile(outfolder.log(request.out), request.log)


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
        return outfolder.log(self.request.out)


def _build(work: _Work) -> Kernel:
    out, folders = work.request.out, work.request.folders
    merged = configure.requested(work.request.fragments)
    requested = configuration_key(work.request, merged)
    state = outfolder.after_log(outfolder.load(out), work.log_path, folders)
    outfolder.save(out, replace(state, taken=0))
    work.log.truncate(0)
    config = _configured(work, merged, requested, state)
    state = outfolder.without_doubtful(replace(state, taken=0), work.request.source, out)
    modules = kconfig.modular(kconfig.read(config))
    estimate = work.cache.path("objects", requested)
    cold = not beneath.is_file(out, "vmlinux")
    try:
        _make(work, [work.request.image, *(["modules"] if modules else [])], _counter(work, state, estimate, cold))
    finally:
        state = outfolder.after_log(state, work.log_path, folders, out)
        state = replace(state, config=configure.stamp(requested, work.request.source, work.request.arch, out))
        outfolder.save(out, state)
    if cold:
        write_atomic(estimate, str(state.objects))
    work.progress.advance("build", state.objects, state.objects)
    kernel = _keep(work, state.warnings, modules)
    outfolder.save(out, replace(state, objects=0, taken=work.log_path.stat().st_size))
    return kernel


def _configured(work: _Work, merged: Merged, requested: str, state: outfolder.State) -> str:
    """Return the text of .config; make is asked for it only where something that it is made from has changed."""
    request = work.request
    if state.config and state.config == configure.stamp(requested, request.source, request.arch, request.out):
        return beneath.read(request.out, ".config")
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
    begin, host = work.log_path.stat().st_size, ThisHost(request.out)
    if run_make(request, targets, work.cache, work.log, on_line, work.deadline) == 0:
        return
    output = make.output(work.log_path, begin)
    if fault := compiler_log.host_fault(output, host):
        raise InfraError(f"cannot build: {fault}")
    raise KernelError(f"the build broke: {compiler_log.first_error(output, request.folders)}")


def run_make(
    request: BuildRequest,
    targets: Sequence[str],
    cache: Cache,
    log: IO[bytes],
    on_line: Callable[[str], None],
    deadline: Deadline,
) -> int:
    """Run make targets of a request in their cage; return the exit code. Raises as ``make.run``."""
    cc, source, out = compiler(request, cache), request.source.absolute(), request.out.absolute()
    with place.shown(source, out) as seen:
        argv = make.kernel_argv(source, seen, request.arch, request.jobs, cc)
        cage = cc.cage([source], [], ((out, seen),))
        return make.run([*argv, *targets], make.environment(cc), log, on_line, deadline, cage)


def compiler(request: BuildRequest, cache: Cache) -> make.Compiler:
    """Return the compiler for a request: what strangers compile is read by nobody else."""
    store = make.Store(outfolder.layer(request.out).absolute(), trusted=not request.owner)
    return make.compiler(cache, store, request.headers, request.source.absolute())


def _keep(work: _Work, warnings: tuple[CompilerWarning, ...], modules: bool) -> Kernel:
    """Copy the products of a finished build into the cache, all or nothing."""
    final = work.cache.path("kernels", kernel_key(work.request))
    with new_directory(final) as scratch:
        if modules:
            _install_modules(work, scratch / "modules")
        _copy_products(work, scratch)
        shutil.copyfile(work.log_path, scratch / "build.log")
        record = {
            "image": work.request.image,
            "modules": modules,
            "release": product.release(work.request.out),
            "build_id": product.build_id_of(scratch / product.VMLINUX),
            "toolchain": make.toolchain(),
            "warnings": [[w.where, w.text] for w in warnings],
            "files": product.contents(scratch),
        }
        write_atomic(scratch / product.RECORD, seal.sealed(record))
    kernel = product.load(final)
    if kernel is None:
        raise InfraError(f"{final} was not whole after it was written")
    return kernel


def _copy_products(work: _Work, to: Path) -> None:
    """Copy what make must have left. Raises as ``product.copy``."""
    request = work.request
    product.copy(request.out, ".config", to / "config")
    product.copy(request.out, "System.map", to / "System.map")
    product.copy(request.out, "vmlinux", to / product.VMLINUX)
    if request.image != "vmlinux":
        product.copy(request.out, ARCHITECTURES[request.arch].images[request.image], to / request.image)
    symbols = kconfig.read((to / "config").read_text(errors="replace"))
    if symbols.get("GCOV_KERNEL") == "y":
        product.copy_notes(request.out, to)
    if symbols.get("DEBUG_INFO") == "y":
        cage = compiler(request, work.cache).cage([], [request.out.absolute()])
        product.split(request.out, to, cage, work.deadline)


def _install_modules(work: _Work, folder: Path) -> None:
    """Install the modules: files alone, without the links into the folders that they were built in."""
    source, out = work.request.source.absolute(), work.request.out.absolute()
    remove_tree(out / _MODULES)
    _make(work, [f"INSTALL_MOD_PATH={place.seen(source, out) / _MODULES}", "INSTALL_MOD_STRIP=1", "modules_install"])
    try:
        beneath.copy_files(work.request.out, _MODULES, folder)
    except OSError as error:
        raise product.left_no("modules", error) from error
