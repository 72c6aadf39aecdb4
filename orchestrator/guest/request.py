"""What a boot needs, and how long it may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.arch import DEFAULT, Architecture
from orchestrator.config.schema import Machine
from orchestrator.guest import qemu
from orchestrator.guest.hold import PAUSES, Examine
from orchestrator.guest.plugin.trace import Trace
from orchestrator.model import AccelFact, Kernel, Rootfs, rundir


@dataclass(frozen=True)
class Limits:
    """Seconds, scaled for the accelerator already. ``silence``: neither a console line nor output of the command."""

    boot: float
    shutdown: float
    silence: float

    @property
    def start(self) -> float:
        """Seconds that QEMU has to open its monitor; what stretches a boot, such as a slow host, stretches this."""
        return max(20.0, self.boot / 3)


@dataclass(frozen=True)
class BootRequest:
    """All that a boot needs. ``directory`` gets console.log and qemu.log, and is for one boot only.

    ``arch`` is that of the kernel; ``binary`` a QEMU instead of its own. ``extra`` are more arguments for QEMU, such as
    a device that no variant has. One to be ``saved`` becomes a template, or begins as its clone (``template``).
    ``trace`` says of which pieces of the kernel's text it is noted that they ran, under TCG.
    ``examine`` looks at the memory of a guest that dies or hangs. QEMU is ``caged`` where this host allows it;
    ``monitors`` are folders in which ``extra`` makes it listen: whoever comes there may stop the guest for a while.
    With ``sockets`` (``dial.program``) a caged QEMU has a network of its own; without, others may enter the guest, too.
    """

    kernel: Kernel
    rootfs: Rootfs
    machine: Machine
    accel: AccelFact
    directory: Path
    limits: Limits
    is_fatal: Callable[[str], bool]
    debugger: qemu.Debugger | None = None
    arch: Architecture = DEFAULT
    binary: str = ""
    extra: tuple[str, ...] = ()
    saved: qemu.Saved | None = None
    trace: Trace | None = None
    examine: Examine | None = None
    caged: bool = True
    monitors: tuple[Path, ...] = ()
    sockets: Path | None = None

    @property
    def may_be_stopped(self) -> bool:
        """Whether the guest stops without a fault: a debugger stops it as it likes, who saves it has to."""
        return bool(self.debugger or self.saved or self.monitors)

    @property
    def restored(self) -> bool:
        """Whether the guest goes on from where it was saved."""
        return self.saved is not None and self.saved.restored

    @property
    def program(self) -> str:
        """The QEMU that is started."""
        return self.binary or self.arch.qemu

    @property
    def more(self) -> tuple[str, ...]:
        """The arguments of QEMU that go to the end."""
        traced = self.trace.args(self.directory) if self.trace else ()
        return (*self.extra, *traced, *(PAUSES if self.examine else ()))

    @property
    def console(self) -> Path:
        """The file of the console."""
        return self.directory / rundir.CONSOLE

    @property
    def log(self) -> Path:
        """The file with the command line of QEMU and what QEMU itself says."""
        return self.directory / "qemu.log"

    @property
    def swap(self) -> Path:
        """The file behind the swap disk, where there is one."""
        return self.saved.swap if self.saved else self.directory / "swap.img"
