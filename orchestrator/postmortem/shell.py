"""Open drgn's shell on a dump or on a guest that runs, with helpers for what userfaultfd has.

python -m orchestrator.postmortem.shell qemu:SOCKET|core:FILE VMLINUX CONFIG [EXPRESSION]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import drgn
from drgn.cli import run_interactive
from drgn.helpers.linux.mm import for_each_vma, vma_find
from drgn.helpers.linux.pid import find_task, for_each_task

from orchestrator.errors import InfraError, PipelineError, UserError
from orchestrator.postmortem import locks, memory, reader, tasks, text
from orchestrator.postmortem.page_tables import PAGE, Format
from orchestrator.postmortem.report import Report
from orchestrator.text import plain

_BANNER = """
report()            what `wpci` writes of a guest that died or hung
task(WHAT)          a task, by its pid or name
pte(WHAT, ADDRESS)  what the pte of an address is: none, marker, present W, present P, swap, migration
ptes(WHAT)          the runs of equal ptes of what is registered with userfaultfd
markers(WHAT)       the addresses at which a marker stands, registered or not
waits()             who waits for mmap_lock or for a userfault
WHAT is a task, a pid or a name; prog is the program, as in drgn's manual."""


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")


class Helpers:
    """What can be called in the shell."""

    def __init__(self, program: drgn.Program, config: str) -> None:
        self._program = program
        self._config = config
        self._form = Format.of(program, config)

    def report(self) -> None:
        """Print what a run writes of a guest that died or hung."""
        seen = Report.model_validate(reader.read(self._program, self._config))
        _say(text.render(seen, "looked at").rstrip())

    def task(self, what: drgn.Object | int | str) -> drgn.Object:
        """Return a task, by its pid or name. Raises LookupError."""
        if isinstance(what, int):
            chosen = find_task(self._program, what)
        elif isinstance(what, str):
            named = (task for task in for_each_task(self._program) if tasks.name(task) == what)
            chosen = next(named, None)
        else:
            chosen = what
        if not chosen:
            raise LookupError(f"no task {what!r}")
        return chosen

    def pte(self, what: drgn.Object | int | str, address: int) -> str:
        """Say what the pte of an address is."""
        return self._form.at(self.task(what).mm, address & ~(PAGE - 1))

    def ptes(self, what: drgn.Object | int | str) -> None:
        """Print the runs of equal ptes of what is registered with userfaultfd."""
        mm = self.task(what).mm
        for vma in for_each_vma(mm):
            if vma.vm_userfaultfd_ctx.ctx:
                _say(f"{vma.vm_start.value_():#x}-{vma.vm_end.value_():#x}")
                for address, pages, kind in self._form.walk(mm, vma.vm_start.value_(), vma.vm_end.value_()):
                    _say(f"  {address:#x} {pages} {kind}")

    def markers(self, what: drgn.Object | int | str) -> list[int]:
        """Return the addresses at which a marker stands, in all mappings of a task."""
        mm = self.task(what).mm
        return [
            address + PAGE * number
            for vma in for_each_vma(mm)
            for address, pages, kind in self._form.walk(mm, vma.vm_start.value_(), vma.vm_end.value_())
            if kind == "marker"
            for number in range(pages)
        ]

    def waits(self) -> None:
        """Print who waits for mmap_lock or for a userfault."""
        every = locks.waits(self._program) | memory.userfaults(self._program, self._form)
        for address, why in every.items():
            task = drgn.Object(self._program, "struct task_struct *", address)
            _say(plain.printable(f"{tasks.name(task)} ({task.pid.value_()}) waits {why}"))

    @property
    def names(self) -> dict[str, Any]:
        """What the shell knows by name."""
        return {name: getattr(self, name) for name in ("report", "task", "pte", "ptes", "markers", "waits")} | {
            "vma_find": vma_find
        }


def main(source: str, vmlinux: str, config: str, expression: str = "") -> None:
    """Open the shell, or evaluate one expression. Raises InfraError where drgn does not read the guest, UserError."""
    try:
        program = reader.opened(source, Path(vmlinux))
        names = Helpers(program, Path(config).read_text()).names
    except Exception as error:  # drgn's errors have no common class
        raise InfraError(f"drgn does not read {source.partition(':')[2]}: {_words(error)}") from error
    if not expression:
        run_interactive(program, lambda banner: banner + _BANNER, lambda known: {**known, **names})
        return
    try:
        value = eval(expression, {**names, "prog": program})
        if value is not None:
            _say(value)
    except Exception as error:  # whatever the expression raises
        raise UserError(f"{expression}: {_words(error)}") from error


def _words(error: Exception) -> str:
    return plain.printable(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except PipelineError as fault:
        sys.stderr.write(f"wpci: {fault}\n")
        sys.exit(fault.exit_code)
