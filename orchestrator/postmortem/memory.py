"""The memory of a guest: the mappings of its processes, what userfaultfd has of them, and the counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import drgn
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.mm import for_each_vma, vma_name
from drgn.helpers.linux.swap import for_each_swap_info
from drgn.helpers.linux.vmstat import nr_free_pages

from orchestrator.postmortem import locks, tasks
from orchestrator.postmortem.page_tables import PAGE, Format, flags
from orchestrator.postmortem.programs import WITHOUT_SHELL

MOST_RUNS, MOST_VMAS, MOST_FAULTS, MOST_PROCESSES = 64, 300, 200, 50
_BITS = {"read": 1, "write": 2, "exec": 4, "shared": 8, "missing": 0x200, "wp": 0x1000}


def processes(program: drgn.Program, form: Format) -> list[dict[str, Any]]:
    """Return processes with their mappings, and the ptes of which userfaultfd has a part, or has left one.

    First come those of which it does, then those that may be of a test.
    """
    every = [_process(task, mm, list(_vmas(mm)), form) for task, mm in locks.mms(program)]
    parts = [process for process in every if _is_part(process)]
    others = [process for process in every if not _is_part(process) and process["comm"] not in WITHOUT_SHELL]
    return [*parts, *others[:MOST_PROCESSES]]


def _is_part(process: dict[str, Any]) -> bool:
    return any("ptes" in vma for vma in process["vmas"])


def _vmas(mm: drgn.Object) -> Iterator[drgn.Object]:
    for vma, _ in zip(for_each_vma(mm), range(MOST_VMAS), strict=False):
        yield vma


def _context(vma: drgn.Object) -> int:
    """Return the address of the userfaultfd that a mapping is registered with; 0 where it is not."""
    address: int = vma.vm_userfaultfd_ctx.ctx.value_()
    return address


def _process(task: drgn.Object, mm: drgn.Object, vmas: list[drgn.Object], form: Format) -> dict[str, Any]:
    return {
        "comm": tasks.name(task),
        "pid": task.pid.value_(),
        "contexts": [f"{address:#x}" for address in sorted({_context(vma) for vma in vmas} - {0})],
        "vmas": [_vma(mm, vma, form) for vma in vmas],
    }


def _vma(mm: drgn.Object, vma: drgn.Object, form: Format) -> dict[str, Any]:
    """Return a mapping, with its ptes where it is registered, and those that userfaultfd left where it is not."""
    start, end = vma.vm_start.value_(), vma.vm_end.value_()
    shown = {"start": start, "end": end, "flags": flags(vma, _BITS), "name": _name(vma)}
    counts: Counter[str] = Counter()
    runs: list[tuple[int, int, str]] = []
    registered = bool(_context(vma))
    for address, pages, kind in form.walk(mm, start, end):
        if not (registered or kind == "marker" or kind.endswith("P")):
            continue
        counts[kind] += pages
        if len(runs) < MOST_RUNS:
            runs.append((address, pages, kind))
    if not (registered or counts):
        return shown
    return {**shown, "context": f"{_context(vma):#x}" if registered else "", "ptes": dict(counts), "runs": runs}


def _name(vma: drgn.Object) -> str:
    text: str = vma_name(vma).decode(errors="replace")
    return text


def userfaults(program: drgn.Program, form: Format) -> dict[int, str]:
    """Return who waits for a userfault to be resolved, by the address of the task: where, and what the pte is."""
    waiting: dict[int, str] = {}
    known = set()
    for _, mm in locks.mms(program):
        for vma in _vmas(mm):
            context = vma.vm_userfaultfd_ctx.ctx
            if context and context.value_() not in known:
                known.add(context.value_())
                waiting |= _waiters(context, form)
    return waiting


def _waiters(context: drgn.Object, form: Format) -> dict[int, str]:
    waiting: dict[int, str] = {}
    for queue, read in ((context.fault_pending_wqh, "nobody has read it"), (context.fault_wqh, "it was read")):
        entries = list_for_each_entry("struct userfaultfd_wait_queue", queue.head.address_of_(), "wq.entry")
        for entry, _ in zip(entries, range(MOST_FAULTS), strict=False):
            fault = entry.msg.arg.pagefault
            address = fault.address.value_()
            task = drgn.Object(context.prog_, "struct task_struct *", entry.wq.private.value_())
            kind = _fault(fault.flags.value_())
            pte = form.at(context.mm, address & ~(PAGE - 1))
            waiting[task.value_()] = f"for a userfault ({kind}) at {address:#x} to be resolved, {read}; its pte: {pte}"
    return waiting


def _fault(bits: int) -> str:
    """Return the words for UFFD_PAGEFAULT_FLAG_*."""
    kind = "wp" if bits & 2 else "minor" if bits & 4 else "missing"
    return f"{kind}, write" if bits & 1 else kind


def counters(program: drgn.Program) -> dict[str, int]:
    """Return the counters of memory and swap, in pages."""
    totals = {"free": nr_free_pages(program), "total": program["_totalram_pages"].counter.value_()}
    for index, name in enumerate(_items(program, "enum node_stat_item")):
        if name in _WANTED:
            totals[_WANTED[name]] = max(0, program["vm_node_stat"][index].counter.value_())
    swap = list(for_each_swap_info(program))
    return {
        **totals,
        "swap": sum(s.pages.value_() for s in swap),
        "swap used": sum(s.inuse_pages.value_() for s in swap),
    }


_WANTED = {"NR_ANON_MAPPED": "anonymous", "NR_FILE_PAGES": "file", "NR_SHMEM": "shmem", "NR_ISOLATED_ANON": "isolated"}


def _items(program: drgn.Program, name: str) -> list[str]:
    return [enumerator.name for enumerator in program.type(name).enumerators or ()]
