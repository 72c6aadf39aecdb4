"""What differs from one architecture to another: one row each. docs/how-to-add.md says what a new row needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import UserError


@dataclass(frozen=True)
class Architecture:
    """An architecture by the name that kbuild knows (ARCH=).

    ``source`` is its folder under ``arch/``; ``images`` are the kernels that QEMU can load, by name, each with the path
    below the output folder. ``console`` are the words of the kernel's command line for the serial port; ``board`` is
    QEMU's ``-machine``. ``panic_device`` tells the host of a panic, where there is such a device. ``triplet`` names the
    folder of libraries and headers on Debian. ``uapi`` is what, below its folder, its exported headers are made from.
    """

    name: str
    source: str
    images: Mapping[str, str]
    qemu: str
    board: str
    console: tuple[str, ...]
    panic_device: str | None
    triplet: str
    uapi: tuple[str, ...]


ARCHITECTURES: Mapping[str, Architecture] = {
    row.name: row
    for row in (
        Architecture(
            name="x86_64",
            source="x86",
            images={"vmlinux": "vmlinux", "bzImage": "arch/x86/boot/bzImage"},
            qemu="qemu-system-x86_64",
            board="q35",
            # a kernel that dies before its console is up can still say so
            console=("console=ttyS0", "earlycon=uart8250,io,0x3f8,115200"),
            panic_device="pvpanic",
            triplet="x86_64-linux-gnu",
            uapi=("include/uapi", "include/asm/Kbuild", "entry/syscalls"),
        ),
    )
}

DEFAULT = ARCHITECTURES["x86_64"]


def named(name: str) -> Architecture:
    """Return the architecture of that name, as a result of an earlier run has it. Raises UserError."""
    if row := ARCHITECTURES.get(name):
        return row
    raise UserError(f"architecture {name}: not one of {', '.join(ARCHITECTURES)}")
