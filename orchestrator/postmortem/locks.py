"""Who holds which lock, and who waits for one: by lockdep where the kernel has it, by the lock itself for mmap_lock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import drgn
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.locking import rwsem_owner
from drgn.helpers.linux.pid import for_each_task

from orchestrator.postmortem import tasks

MOST_WAITERS = 200


def mms(program: drgn.Program) -> Iterator[tuple[drgn.Object, drgn.Object]]:
    """Yield each mm once, with a task that has it."""
    known = set()
    for task in for_each_task(program):
        mm = task.mm
        if mm and mm.value_() not in known:
            known.add(mm.value_())
            yield task, mm


def waits(program: drgn.Program) -> dict[int, str]:
    """Return who waits for the mmap_lock of a process, by the address of the task, and who has it."""
    waiting: dict[int, str] = {}
    for task, mm in mms(program):
        lock = getattr(mm, "mmap_lock" if hasattr(mm, "mmap_lock") else "mmap_sem")
        entries = list_for_each_entry("struct rwsem_waiter", lock.wait_list.address_of_(), "list")
        for waiter, _ in zip(entries, range(MOST_WAITERS), strict=False):
            kind = "write" if "WRITE" in str(waiter.type.format_(type_name=False)) else "read"
            waiting[waiter.task.value_()] = f"for mmap_lock of {tasks.name(task)} to {kind}, {_holder(lock)}"
    return waiting


def _holder(lock: drgn.Object) -> str:
    owner = rwsem_owner(lock.address_of_())
    return f"held by {tasks.name(owner)} to write" if owner and owner.value_() else "held by readers"


def held(program: drgn.Program) -> list[dict[str, Any]]:
    """Return the locks that lockdep knows to be held; none where the kernel has no lockdep."""
    if not program.type("struct task_struct").has_member("held_locks"):
        return []
    return [
        {"comm": tasks.name(task), "pid": task.pid.value_(), **_lock(program, task.held_locks[number])}
        for task in for_each_task(program)
        for number in range(min(task.lockdep_depth.value_(), len(task.held_locks)))
    ]


def _lock(program: drgn.Program, entry: drgn.Object) -> dict[str, str]:
    kind = program["lock_classes"][entry.class_idx]
    called = kind.name.string_().decode(errors="replace") if kind.name else "?"
    try:
        where = program.symbol(entry.acquire_ip.value_()).name
    except LookupError:
        where = "?"
    return {"lock": called, "mode": ("write", "read", "read")[entry.read.value_()], "taken": where}
