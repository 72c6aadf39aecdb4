"""Choose the accelerator: KVM only where a real guest came up under it on this host.

A ``/dev/kvm`` that exists, opens and answers proves nothing: a nested or paravirtual KVM may burn a core and never
reach the kernel, or abort QEMU.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.arch import DEFAULT
from orchestrator.config import schema
from orchestrator.config.schema import Machine
from orchestrator.errors import InfraError, KernelError, PipelineError
from orchestrator.guest import qemu
from orchestrator.guest.exit import Hung
from orchestrator.guest.request import Limits
from orchestrator.host import cache as caches
from orchestrator.host import disk, process, seal
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline, sandbox
from orchestrator.model import Accel, AccelFact
from orchestrator.progress import HostFact, Progress

_VERSION = 300.0
"""Seconds that QEMU has to tell its version: reading 50 MB of it and its libraries can be slow, the first time."""
LESSER_CPU = "qemu64"
"""The CPU model to try where KVM cannot run the asked-for one."""

Choice = Literal["auto", "kvm", "tcg"]
Probe = Callable[[AccelFact], None]
"""Boots a real guest with what it is given; raises PipelineError where that does not come up."""


@dataclass(frozen=True)
class Host:
    """Where this host's facts are read; a test points it elsewhere."""

    device: Path = Path("/dev/kvm")
    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")
    modules: Path = Path("/sys/module")
    binary: str = DEFAULT.qemu


@dataclass(frozen=True)
class _Proof:
    """What the probes found: ``cpu`` is the model that came up, None where none did and ``reason`` says why."""

    cpu: str | None
    reason: str
    lasting: bool = True


def choose(
    choice: Choice, machine: Machine, probe: Probe, cache: Cache, progress: Progress, host: Host | None = None
) -> AccelFact:
    """Return the accelerator to use. Raises InfraError where KVM was asked for and cannot bring up a guest."""
    host = host or Host()
    version = qemu_version(host.binary)
    tcg = AccelFact(Accel.TCG, machine.cpu_tcg, version, "asked for")
    if choice == "tcg":
        return tcg
    obstacle = _obstacle(host.device)
    proof = _Proof(None, obstacle) if obstacle else _proven(machine, version, probe, cache, progress, host)
    if proof.cpu is not None:
        return AccelFact(Accel.KVM, proof.cpu, version, proof.reason)
    if choice == "kvm":
        raise InfraError(f"KVM was asked for and cannot bring up a guest here: {proof.reason}")
    progress.note(HostFact(f"accel: tcg, for KVM is no use here: {proof.reason}"))
    return AccelFact(tcg.accel, tcg.cpu, version, proof.reason)


def probe_limits(limits: schema.Limits) -> Limits:
    """Return the limits of a guest that is to prove KVM.

    Where KVM works, the first line of the console comes in under a second: it may be silent for a third of the time.
    """
    return Limits(limits.probe, limits.shutdown, limits.probe / 3)


def qemu_version(binary: str = DEFAULT.qemu) -> str:
    """Return the version of QEMU on this host. Raises InfraError where it is not installed."""
    try:
        answer = process.run([binary, "--version"], deadline=process.Deadline.after(_VERSION))
    except process.CommandFailed as error:
        raise InfraError(f"{binary} does not run: {error}") from error
    version = qemu.version(answer.stdout)
    if version is None:
        raise InfraError(f"{binary} does not tell its version: {answer.stdout}")
    return version


@functools.cache
def seccomp(binary: str = DEFAULT.qemu) -> bool:
    """Whether this QEMU can give up system calls; one that was built without says so before its version."""
    return process.run([binary, *qemu.SANDBOX, "--version"], deadline=Deadline.after(_VERSION), check=False).ok


def _obstacle(device: Path) -> str:
    """Return what rules KVM out without a boot, or nothing."""
    if not device.exists():
        return f"there is no {device}"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"no permission to use {device}"
    return "" if sandbox.lets_use(device) else sandbox.NOT_FOR_GUESTS.format(device)


def _proven(machine: Machine, version: str, probe: Probe, cache: Cache, progress: Progress, host: Host) -> _Proof:
    """Return what the probes found, now or earlier since this host booted."""
    models = _models(machine)
    path = _record_path(models, version, cache, host)
    with cache.lock(f"accel-{path.stem}", progress):
        if known := _recorded(path):
            return known
        proof = _probed(models, version, probe, progress)
        if proof.lasting:
            disk.write_atomic(path, seal.sealed({"cpu": proof.cpu, "reason": proof.reason}))
        return proof


def _models(machine: Machine) -> tuple[str, ...]:
    return tuple(dict.fromkeys([machine.cpu_kvm, LESSER_CPU]))


def _record_path(models: tuple[str, ...], version: str, cache: Cache, host: Host) -> Path:
    key = caches.digest(host.boot_id.read_text(), " ".join(kvm_modules(host.modules)), version, " ".join(models))
    return cache.path("accel", f"{key}.json")


def was_proven(cache: Cache, host: Host | None = None) -> bool:
    """Whether a guest has come up under KVM since this host booted, with the modules and the QEMU that it has now."""
    host = host or Host()
    if _obstacle(host.device):
        return False
    proof = _recorded(_record_path(_models(Machine()), qemu_version(host.binary), cache, host))
    return proof is not None and proof.cpu is not None


def kvm_modules(folder: Path) -> list[str]:
    """Return the names, and the source versions where told, of the KVM modules of this host."""
    folders = [path for path in folder.iterdir() if path.name.startswith("kvm")] if folder.is_dir() else []
    return sorted(" ".join([path.name, *_text(path / "srcversion")]) for path in folders)


def _text(path: Path) -> list[str]:
    try:
        return [path.read_text().strip()]
    except OSError:
        return []


def _recorded(path: Path) -> _Proof | None:
    try:
        raw = seal.unsealed(path.read_text())
        cpu, reason = raw["cpu"], raw["reason"]
        return _Proof(cpu, reason) if isinstance(cpu, str | None) and isinstance(reason, str) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _probed(models: tuple[str, ...], version: str, probe: Probe, progress: Progress) -> _Proof:
    """Boot a guest with each CPU model until one comes up.

    A failure is not remembered where the kernel panicked: that one may be at fault, and not KVM.
    """
    failures: list[str] = []
    lasting = True
    for model in models:
        progress.note(f"accel: trying KVM with -cpu {model}")
        try:
            probe(AccelFact(Accel.KVM, model, version, "probe"))
        except PipelineError as error:
            lasting = lasting and (isinstance(error, Hung) or not isinstance(error, KernelError))
            failures.append(f"-cpu {model}: {error}")
        else:
            return _Proof(model, "; ".join(["a guest came up under it", *failures]))
    return _Proof(None, "; ".join(failures), lasting)
