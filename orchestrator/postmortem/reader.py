"""Read a paused guest, or a dump of one, with drgn, and print what it looks like as JSON.

It runs as a process of its own, for it believes what stands in the memory of a kernel that may be hostile: its memory
and its time are bounded from outside, and what it prints is checked by whoever reads it.

    python -m orchestrator.postmortem.reader qemu:SOCKET|core:FILE VMLINUX CONFIG
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import drgn

from orchestrator.postmortem import locks, memory, tasks
from orchestrator.postmortem.page_tables import Format

MOST_LOG = 400
"""Lines of the kernel's log that are kept: the last ones."""


def opened(source: str, vmlinux: Path) -> drgn.Program:
    """Open what is to be read: the monitor of a guest, or the file of a dump."""
    program = drgn.Program()
    kind, _, where = source.partition(":")
    if kind == "qemu":
        program.set_qemu_qmp(where)
    else:
        program.set_core_dump(where)
    program.load_debug_info([str(vmlinux)])
    return program


def read(program: drgn.Program, config: str) -> dict[str, Any]:
    """Return what the guest looks like. A part that cannot be read is a note, and the others are there."""
    notes: list[str] = []

    def part(what: str, look: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return look()
        except (drgn.FaultError, LookupError, AttributeError, TypeError, ValueError, OverflowError) as error:
            notes.append(f"{what}: {type(error).__name__}: {error}"[:300])
            return otherwise

    form = part("page tables", lambda: Format.of(program, config), None)
    waits = part("waits", lambda: locks.waits(program), {})
    if form:
        waits |= part("userfaults", lambda: memory.userfaults(program, form), {})
    every = part("tasks", lambda: tasks.every(program, waits), [])
    return {
        "release": part("release", lambda: program["init_uts_ns"].name.release.string_().decode(errors="replace"), ""),
        "panic": part("panic", lambda: tasks.panic(program), ""),
        "culprit": part("culprit", lambda: tasks.culprit(program, every), None),
        "tasks": every,
        "processes": part("processes", lambda: memory.processes(program, form), []) if form else [],
        "locks": part("locks", lambda: locks.held(program), []),
        "memory": part("memory", lambda: memory.counters(program), {}),
        "log": part("log", lambda: tasks.log(program)[-MOST_LOG:], []),
        "notes": notes,
    }


def main(source: str, vmlinux: str, config: str) -> None:
    """Print what a guest looks like."""
    program = opened(source, Path(vmlinux))
    json.dump(read(program, Path(config).read_text()), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
