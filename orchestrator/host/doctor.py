"""What this machine has and lacks for a run: one line a finding."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.arch import Architecture
from orchestrator.host import packages, process
from orchestrator.host.cache import Cache

GIB = 2**30
DISK_NEEDED = 12 * GIB
"""A first run of the smoke mode: the tree's history, two work trees, two output folders, ccache."""

MEMORY_NEEDED = 3 * GIB

TOOLS = (
    "git", "make", "gcc", "ld", "flex", "bison", "bc", "perl", "rsync", "apt-get", "ssh", "setpriv",
    "busybox", "dropbear",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``needed`` findings that are not ``ok`` stop a run. ``lacks`` is a tool of ``packages``."""

    what: str
    ok: bool
    needed: bool
    detail: str
    lacks: str | None = None


def examine(cache: Cache, architectures: Iterable[Architecture]) -> tuple[Finding, ...]:
    """Look at tools, headers, user, disk, memory, what builds are kept from, and KVM. Changes nothing, boots nothing.

    ``architectures`` are those that the variants of the pipeline build for.
    """
    rows = tuple(architectures)
    return (
        *(_tool(name) for name in (*TOOLS, *(row.qemu for row in rows))),
        _needed("sftp-server", packages.sftp_server()),
        *(_header(name, [row.triplet for row in rows]) for name in ("libelf.h", "openssl/opensslv.h")),
        _libc([row.triplet for row in rows]),
        _user(),
        _disk(cache.root),
        _memory(),
        _ccache(),
        _network_cut(),
        _enclosed(),
        _cage(),
        _kvm(),
        *(_module(name) for name in ("fabric", "qemu.qmp", "junit_xml")),
        _drgn(),
    )


def _needed(tool: str, where: object) -> Finding:
    """Return what came of looking for something that a run needs; ``where`` is empty or None where it is missing."""
    detail = str(where) if where else f"missing: {packages.hint(tool)}"
    return Finding(tool, bool(where), True, detail, None if where else tool)


def _tool(name: str) -> Finding:
    return _needed(name, shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin"))


def _libc(triplets: Iterable[str]) -> Finding:
    """Look for the C library that programs of the guest are linked with."""
    return _file("libc.a", (*(Path("/usr/lib", triplet) for triplet in triplets), Path("/usr/lib64"), Path("/usr/lib")))


def _header(name: str, triplets: Iterable[str]) -> Finding:
    return _file(name, (Path("/usr/include"), *(Path("/usr/include", triplet) for triplet in triplets)))


def _file(name: str, folders: Iterable[Path]) -> Finding:
    return _needed(name, "found" if any(folder.joinpath(name).exists() for folder in folders) else "")


def _user() -> Finding:
    try:
        return Finding("user", True, False, pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        lost = f"uid {os.getuid()} has no name here: ssh, and with it `wpci shell`, does not start"
        return Finding("user", False, False, lost)


def _disk(folder: Path) -> Finding:
    there = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(there).free
    return Finding(
        "disk", free >= DISK_NEEDED, False, f"{free / GIB:.0f} GiB free at {there}, {DISK_NEEDED / GIB:.0f} wanted"
    )


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Finding("memory", total >= MEMORY_NEEDED, False, f"{total / GIB:.0f} GiB, {MEMORY_NEEDED / GIB:.0f} wanted")


def _ccache() -> Finding:
    where = shutil.which("ccache")
    lost = "missing: the second kernel costs as much as the first"
    return Finding("ccache", bool(where), False, where or lost, None if where else "ccache")


def _network_cut() -> Finding:
    ok = process.network_can_be_cut()
    return Finding(
        "offline builds", ok, False, "builds run without a network" if ok else "unshare --net is not allowed here"
    )


def _enclosed() -> Finding:
    ok = process.can_enclose()
    consequence = "a killed run takes its whole build along" if ok else "unshare --pid is not allowed here"
    return Finding("enclosed builds", ok, False, consequence)


def _cage() -> Finding:
    why = process.sandbox.obstacle()
    lacks = None if shutil.which("bwrap") else "bwrap"
    return Finding("cage", not why, False, why or f"what a tree brings runs under {process.sandbox.name()}", lacks)


def _kvm() -> Finding:
    device = Path("/dev/kvm")
    if not device.exists():
        return Finding("kvm", False, False, "no /dev/kvm: guests run under TCG, about five times slower")
    if not os.access(device, os.R_OK | os.W_OK):
        return Finding("kvm", False, False, "/dev/kvm is not yours to use (group kvm): guests run under TCG")
    if not process.sandbox.lets_use(device):
        return Finding("kvm", False, False, process.sandbox.NOT_FOR_GUESTS.format(device))
    return Finding("kvm", True, False, "/dev/kvm is there; whether a guest comes up under it, the first run finds out")


def _module(name: str) -> Finding:
    there = importlib.util.find_spec(name) is not None
    return Finding(f"python {name}", there, True, "found" if there else "missing: make setup")


def _drgn() -> Finding:
    there = importlib.util.find_spec("drgn") is not None
    lost = "missing: guests that die or hang are not looked at (pip install drgn)"
    return Finding("python drgn", there, False, "found" if there else lost)
