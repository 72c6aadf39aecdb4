"""The cage of QEMU: a guest that breaks out of it meets no root, and no file but those of its own boot.

Each file is there by itself, and none of the folders: no name of ours is a link that QEMU made.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestrator.guest.plugin import trace
from orchestrator.guest.qemu import Files
from orchestrator.guest.request import BootRequest
from orchestrator.host.process import Bounds, Cage, sandbox
from orchestrator.model import Accel

KVM = Path("/dev/kvm")
_SYSTEM = ("/usr/", "/opt/")


def obstacle(program: str) -> str:
    """Return why a QEMU is not kept in a cage on this host; empty where it is.

    What a QEMU outside of the system's folders needs, from where it was built, nobody knows.
    """
    if why := sandbox.obstacle():
        return why
    place = shutil.which(program)
    return "" if place is None or _of_system(place) else f"{place} is none of the system's programs"


def _of_system(place: str) -> bool:
    return str(Path(place).resolve()).startswith(_SYSTEM)


def name(program: str) -> str:
    """Return what keeps a run in, for a result's identity: programs of the tree, and QEMU where it is said."""
    return f"{sandbox.name()}, QEMU too" if not obstacle(program) else sandbox.name()


def entered(request: BootRequest, files: Files) -> Cage | None:
    """Return the cage for a boot, and give the user that QEMU runs as what is for it; None where there is no cage.

    All of the files must be there. Raises OSError.
    """
    if not request.caged or obstacle(request.program):
        return None
    kept = files.saved.memory(request.machine.numa_nodes) if files.saved else ()
    swap = (files.swap,) if files.swap else ()
    traced = (request.directory / trace.FILE,) if request.trace else ()
    writable = (files.console, *kept, *traced, *request.monitors, *(() if request.restored else swap))
    for path in (*writable, files.monitor):
        sandbox.give(path, sandbox.GUESTS)
    plugin = (request.trace.plugin,) if request.trace else ()
    sockets = (request.sockets,) if request.sockets else ()
    more = (*plugin, *sockets, *(swap if request.restored else ()))
    return Cage(
        writable=writable,
        readable=(files.kernel, files.initrd, files.monitor, *more),
        bounds=_bounds(request),
        networked=request.sockets is None,
        devices=(KVM,) if request.accel.accel is Accel.KVM else (),
        user=sandbox.GUESTS,
    )


def _bounds(request: BootRequest) -> Bounds:
    """Return what QEMU may take: what any program may, and its guest's memory besides; in /tmp there are swap disks."""
    usual, memory = Bounds(), request.machine.memory
    return Bounds(
        memory=usual.memory + memory,
        file=max(usual.file, memory),
        scratch=max(usual.scratch, 2 * (request.machine.swap or 0)),
    )
