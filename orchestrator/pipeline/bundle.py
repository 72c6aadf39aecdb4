"""What another person needs to see the same: a folder with kernel, initramfs and script, or that in a tar."""

from __future__ import annotations

import gzip
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import InfraError, UserError
from orchestrator.host import scratch
from orchestrator.model import JobResult, RunResult, rundir
from orchestrator.pipeline import reboot, unattended
from orchestrator.report import tested
from orchestrator.text import plain
from orchestrator.verdict import charged

SCRIPT = "run.sh"
README = "README"
_KERNEL, _INITRD = "kernel", "initramfs.cpio.gz"
_MOST_LINES = 200
_TARS = (".tar", ".tar.gz", ".tgz")


def pack(run: RunResult, job: JobResult, to: Path) -> int:
    """Write the bundle of a job as a tar, where ``to`` is called like one, else as a folder; return its bytes.

    Raises UserError where the job has no guest, its files are gone, or ``to`` is there; InfraError where it cannot be
    written.
    """
    bootable, _ = reboot.bootable(job)
    if to.exists():
        raise UserError(f"--out {to}: that is there already")
    try:
        with scratch.folder(to.absolute().parent) as room:
            folder = room / _stem(to)
            folder.mkdir()
            shutil.copyfile(bootable.kernel.image, folder / _KERNEL)
            shutil.copyfile(bootable.rootfs.image, folder / _INITRD)
            _write_texts(run, job, folder)
            return _moved(folder, to)
    except OSError as error:
        raise InfraError(f"cannot write {to}: {error.strerror or error}") from error


def _stem(to: Path) -> str:
    return next((to.name.removesuffix(end) for end in _TARS if to.name.endswith(end)), to.name)


def _write_texts(run: RunResult, job: JobResult, folder: Path) -> None:
    script = folder / SCRIPT
    script.write_text(unattended.beside(run, job, SCRIPT, _KERNEL, _INITRD))
    script.chmod(0o755)
    (folder / README).write_text("".join(f"{line}\n" for line in readme(run, job)))
    for name, path in _copied(job):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)


def _copied(job: JobResult) -> Iterator[tuple[str, Path]]:
    """Yield what is taken from the folder of a job, by its name in the bundle: regular files that are ours."""
    named = [(rundir.CONFIG, job.directory / rundir.CONFIG)]
    named += [(f"patches/{path.name}", path) for path in sorted((job.directory / rundir.PATCHES).glob("*"))]
    sources = job.directory / rundir.PROGRAMS
    named += [(f"programs/{path.relative_to(sources)}", path) for path in sorted(sources.rglob("*"))]
    consoles = (*rundir.consoles(job.directory), *rundir.templates(job.directory))
    named += [(f"console/{path.parent.name}.log", path) for path in consoles]
    yield from ((name, path) for name, path in named if path.is_file() and not path.is_symlink())


def _moved(folder: Path, to: Path) -> int:
    """Move a finished folder to its place, as a tar where that is what its name says; return the bytes."""
    if to.name == folder.name:
        folder.replace(to)
        return sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    part = folder.with_name("part")
    with part.open("wb") as file:
        if to.name.endswith(".tar"):
            _archive(file, folder)
        else:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
                _archive(packed, folder)
    part.replace(to)
    return to.stat().st_size


def _archive(file: object, folder: Path) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
        archive.add(folder, folder.name, filter=_nobody)


def _nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def readme(run: RunResult, job: JobResult) -> Iterator[str]:
    """Yield what a person reads first. Names and reasons come from strangers: no line of theirs makes another one."""
    for line in _readme(run, job):
        yield plain.printable(line).replace("\n", " ")


def _readme(run: RunResult, job: JobResult) -> Iterator[str]:
    identity, tree, kernel = job.identity, job.products.tree, job.products.kernel
    yield f"{job.name}: {job.verdict.name}: {job.reason}"
    yield ""
    yield f"./{SCRIPT} [TEST]...   boots the kernel in QEMU and runs tests in it; its head says more"
    yield ""
    if tree:
        applied = "" if tree.commit == tree.source_commit else "; patches/ are those applied to it"
        yield f"tree     {tree.label}, commit {tree.source_commit}{applied}"
        yield from (f"patch    {patch}" for patch in tree.patches[:_MOST_LINES])
    if kernel:
        yield f"kernel   {kernel.release}, build-id {kernel.build_id}, {kernel.toolchain}"
    if identity:
        yield f"machine  {tested.machine(identity)}"
    yield f"run      {run.run}, {run.started}: {run.verdict.name}"
    red = charged.of_job(run, job.name)[:_MOST_LINES]
    yield from (f"red      {test.name}: {test.status.value}: {test.reason}" for test in red)
    yield ""
    yield f"{_KERNEL}, {_INITRD}   what is booted; the test programs are in the initramfs, below tests/"
    yield f"{rundir.CONFIG}   the kernel's .config; patches/, programs/ and console/ are those of the run"
