"""The command line of QEMU, from small pure functions, and what its monitor answers.

Each choice here was measured: ``q35`` with an uncompressed kernel entered through PVH boots fastest under TCG, and
``-action panic=none`` leaves a panic to ``panic=-1`` and ``-no-reboot``, since QEMU's default ends the guest inside
the panic notifier, before the console is flushed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.arch import DEFAULT, Architecture
from orchestrator.config.schema import Machine
from orchestrator.model import Accel, AccelFact

SWAP_SERIAL = "swap"
"""The serial number by which init finds the swap disk."""

SWAP_DEVICE = f"virtio-blk-pci,drive=swap,serial={SWAP_SERIAL}"

SANDBOX = ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
"""What QEMU gives up before the guest runs: a hostile kernel that breaks out of it starts no program."""

PAUSED = ("-S",)
"""No instruction before the monitor says so: a kernel that dies in its first moments dies while its events are read."""

CMDLINE = (
    "ignore_loglevel",  # no program that runs can turn the console down: reports would be lost
    "panic=-1",  # reset at once; -no-reboot makes that an exit
    "oops=panic",  # what an oops leaves behind, held locks above all, makes later tests hang
    "printk.devkmsg=on",  # no rate limit on the markers
    "no_timer_check",  # on a busy host an emulated timer is late: "IO-APIC + timer doesn't work"; KVM guests imply it
    "nokaslr",  # code runs at the addresses of vmlinux: what sees which lines ran goes by them, and so does gdb
    "kasan_multi_shot",  # else KASAN ends with its first report, and what all tests behind that do wrong is not seen
    "random.trust_cpu=on",  # SSH needs random numbers, and a new guest has no other source
)


@dataclass(frozen=True)
class Saved:
    """Where a guest is saved once it is up: its memory in files, the state of its devices, its swap disk.

    A ``restored`` guest goes on from there, and changes nothing of it; another one is the guest to be saved.
    """

    folder: Path
    restored: bool = False

    @property
    def swap(self) -> Path:
        """The file behind the swap disk."""
        return self.folder / "swap.img"

    def memory(self, nodes: int) -> tuple[Path, ...]:
        """Return the files of the memory, one for each node."""
        return tuple(self.folder / f"memory{node}" for node in range(nodes))

    def memory_args(self, node: int, mebibytes: int) -> list[str]:
        """Return the memory of one node: a file, which a restored guest copies on write."""
        share = "off" if self.restored else "on"
        path = _escaped(self.memory(node + 1)[node])
        return ["-object", f"memory-backend-file,id=mem{node},size={mebibytes}M,share={share},mem-path={path}"]


@dataclass(frozen=True)
class Files:
    """The files of one guest. ``monitor`` is a socket that we listen on: mind the 108 bytes of sun_path."""

    kernel: Path
    initrd: Path
    console: Path
    monitor: Path
    swap: Path | None
    saved: Saved | None = None


@dataclass(frozen=True)
class Debugger:
    """Wait for a gdb on this loopback port before the first instruction."""

    port: int = 1234


def argv(
    files: Files,
    machine: Machine,
    accel: AccelFact,
    *,
    arch: Architecture = DEFAULT,
    binary: str = "",
    debugger: Debugger | None = None,
    sandboxed: bool = False,
    extra: Sequence[str] = (),
) -> list[str]:
    """Return the whole command line; ``binary`` is a QEMU instead of that of ``arch``; ``extra`` comes last."""
    restored = files.saved is not None and files.saved.restored
    return [
        binary or arch.qemu,
        "-nodefaults",
        *(SANDBOX if sandboxed else ()),
        *("-display", "none", "-no-reboot", "-action", "panic=none"),
        *accel_args(accel),
        *machine_args(machine, arch, files.saved),
        *kernel_args(files, machine, arch),
        *console_args(files.console),
        *monitor_args(files.monitor),
        *(("-device", arch.panic_device) if arch.panic_device else ()),
        *("-device", "vmcoreinfo"),  # by which drgn finds its way in the memory of the guest
        *network_args(),
        *(swap_args(files.swap, copied=restored) if files.swap else ()),
        *(("-incoming", "defer") if restored else PAUSED),
        *(debugger_args(debugger) if debugger else ()),
        *extra,
    ]


def unattended(machine: Machine, arch: Architecture = DEFAULT) -> list[str]:
    """Return what a guest that nobody enters takes besides kernel and accelerator: its console is standard output.

    Its swap disk is a file of QEMU's own, which is gone with it.
    """
    swap = f"driver=null-co,size={machine.swap},read-zeroes=on,if=none,id=swap,snapshot=on"
    return [
        *("-nodefaults", "-display", "none", "-no-reboot", "-action", "panic=none"),
        *machine_args(machine, arch),
        *("-chardev", "stdio,id=console,signal=on", "-serial", "chardev:console"),
        *network_args(),
        *(("-drive", swap, "-device", SWAP_DEVICE) if machine.swap else ()),
    ]


def accel_args(accel: AccelFact) -> list[str]:
    """Return accelerator and CPU model. No list of accelerators: falling back in silence is what we never do.

    TCG takes a thread for each vCPU of its own accord, except under -icount, which refuses to be asked for it.
    """
    name = "kvm" if accel.accel is Accel.KVM else "tcg"
    return ["-accel", name, "-cpu", accel.cpu]


def machine_args(machine: Machine, arch: Architecture = DEFAULT, saved: Saved | None = None) -> list[str]:
    """Return board, CPUs and memory."""
    mebibytes = machine.memory // 2**20
    single = saved is not None and machine.numa_nodes == 1
    board = f"{arch.board},memory-backend=mem0" if single else arch.board
    memory = saved.memory_args(0, mebibytes) if saved and single else numa_args(machine, saved)
    return ["-machine", board, "-smp", smp(machine), "-m", f"{mebibytes}M", *memory]


def smp(machine: Machine) -> str:
    """Return the CPUs; no socket lies across nodes, for that draws a WARNING: each node is one, or else each CPU."""
    cpus, nodes = machine.cpus, machine.numa_nodes
    if min(cpus, nodes) == 1:
        return str(cpus)
    return f"{cpus},sockets={cpus if cpus % nodes else nodes}"


def numa_args(machine: Machine, saved: Saved | None = None) -> list[str]:
    """Return the NUMA nodes: memory and CPUs dealt out evenly, the rest to the first ones, CPUs socket by socket."""
    nodes = machine.numa_nodes
    if nodes == 1:
        return []
    args: list[str] = []
    numbers, cpus_of = iter(range(machine.cpus)), shares(machine.cpus, nodes)
    for node, size in enumerate(shares(machine.memory // 2**20, nodes)):
        ram = ["-object", f"memory-backend-ram,id=mem{node},size={size}M"]
        args += saved.memory_args(node, size) if saved else ram
        cpus = "".join(f",cpus={cpu}" for cpu in itertools.islice(numbers, cpus_of[node]))
        args += ["-numa", f"node,nodeid={node},memdev=mem{node}{cpus}"]
    return args


def shares(total: int, parts: int) -> list[int]:
    """Return ``total`` in whole parts that differ by one at most."""
    each, over = divmod(total, parts)
    return [each + (number < over) for number in range(parts)]


def kernel_args(files: Files, machine: Machine, arch: Architecture = DEFAULT) -> list[str]:
    """Return the kernel, its initramfs and its command line."""
    return ["-kernel", str(files.kernel), "-initrd", str(files.initrd), "-append", cmdline(machine, arch)]


def cmdline(machine: Machine, arch: Architecture = DEFAULT) -> str:
    """Return the kernel's command line."""
    return " ".join([*arch.console, *CMDLINE, *machine.cmdline])


def console_args(console: Path) -> list[str]:
    """Return the serial port, written by QEMU straight to a file."""
    return ["-chardev", f"file,id=console,path={_escaped(console)}", "-serial", "chardev:console"]


def monitor_args(socket: Path) -> list[str]:
    """Return the QMP monitor. QEMU calls us, so that no event before our first command is lost."""
    return ["-chardev", f"socket,id=monitor,path={_escaped(socket)}", "-mon", "chardev=monitor,mode=control"]


def network_args() -> list[str]:
    """Return a network that reaches nothing, but for SSH from a loopback port that the host's kernel picks."""
    return [
        *("-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
    ]


def swap_args(disk: Path, copied: bool = False) -> list[str]:
    """Return the swap disk. Its content need not outlive the guest: no flush reaches the host's disk.

    Where it is ``copied`` the file stays as it is, and what the guest writes goes to one of QEMU's own.
    """
    copy = ",snapshot=on" if copied else ""
    return [
        *("-drive", f"file={_escaped(disk)},if=none,id=swap,format=raw,cache=unsafe,discard=unmap{copy}"),
        *("-device", SWAP_DEVICE),
    ]


def debugger_args(debugger: Debugger) -> list[str]:
    """Return the gdb stub."""
    return ["-gdb", f"tcp:127.0.0.1:{debugger.port}"]


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")


def ssh_port(usernet: str) -> int | None:
    """Return the host's port of the SSH forward in the answer to ``info usernet``."""
    match = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b", usernet)
    return int(match[1]) if match else None


def version(text: str) -> str | None:
    """Return the version in the answer to ``--version``: ``7.2.22 (Debian 1:7.2+dfsg-7)``."""
    match = re.search(r"^QEMU emulator version (.+)$", text, re.MULTILINE)
    return match[1].strip() if match else None
