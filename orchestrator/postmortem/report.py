"""What the reader says of a guest: its shape, checked, for what it was read from may be hostile."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, ValidationError

from orchestrator.config.strict import Strict
from orchestrator.errors import InfraError

MOST = 16 << 20
"""Characters of what the reader prints."""

Word = Annotated[str, Field(max_length=200)]
Line = Annotated[str, Field(max_length=2000)]


class Frame(Strict):
    """One function of a stack. ``locals`` are its variables, as far as they are known."""

    function: Word
    place: Word
    locals: dict[Word, Line] = Field(default_factory=dict)


class Task(Strict):
    """A task. ``waits`` says what for; ``address`` is that of its task_struct."""

    comm: Word
    pid: int
    state: Word
    kernel: bool
    cpu: int
    waits: Line
    idle: bool
    frames: tuple[Frame, ...]
    address: int


class Mapping(Strict):
    """A mapping. Of one that is registered, ``ptes`` counts the kinds of its ptes, and ``runs`` says where they are.

    Without a ``context`` nothing is registered, and the ptes are those that userfaultfd has left there.
    """

    start: int
    end: int
    flags: tuple[Word, ...]
    name: Line
    context: Word = ""
    ptes: dict[Word, int] = Field(default_factory=dict)
    runs: tuple[tuple[int, int, Word], ...] = ()


class Process(Strict):
    """A process: one of which userfaultfd has a part, or that may be of a test."""

    comm: Word
    pid: int
    contexts: tuple[Word, ...]
    vmas: tuple[Mapping, ...]


class Lock(Strict):
    """A lock that lockdep knows to be held, and the function that took it."""

    comm: Word
    pid: int
    lock: Line
    mode: Word
    taken: Word


class Report(Strict):
    """What a guest looked like. ``memory`` is in pages."""

    release: Word
    panic: Line
    culprit: Task | None
    tasks: tuple[Task, ...]
    processes: tuple[Process, ...]
    locks: tuple[Lock, ...]
    memory: dict[Word, int]
    log: tuple[Line, ...]
    notes: tuple[Line, ...]


def parsed(text: str) -> Report:
    """Read what the reader printed. Raises InfraError."""
    if len(text) > MOST:
        raise InfraError(f"drgn says {len(text)} characters of a guest")
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        raise InfraError(f"what drgn says of a guest is no report: {error.errors()[0]['msg']}") from error


_TRAP = re.compile(r"asm_(?:exc|sysvec)_\w+|page_fault|general_protection|invalid_op")
_REPORTING = frozenset({"panic", "nmi_panic", "oops_end", "die", "__warn", "check_panic_on_warn"})
_WAITING = re.compile(
    r"context_switch|__schedule|schedule\w*|io_schedule\w*|rwsem_\w+|__down_\w+|down_(?:read|write)\w*|__mutex_\w+|"
    r"mutex_lock\w*|wait_for_completion\w*|do_wait_for_common|mmap_(?:read|write)_lock\w*|preempt_schedule\w*|"
    r"rep_nop|cpu_relax|(?:native_|pv_)?queued_spin_lock\w*|virt_spin_lock|arch_spin_lock|(?:_+|do_)?raw_spin_lock\w*|"
    r"spin_lock\w*"
)


def blamed(task: Task) -> Frame | None:
    """Return the function in which a task is: that which faulted or called panic, or which waits or spins. Pure."""
    names = [frame.function for frame in task.frames]
    last = max((k for k, name in enumerate(names) if name in _REPORTING), default=None)
    if last is None:  # it did not complain: it waits, or it runs
        return next((frame for frame in task.frames if not _WAITING.fullmatch(frame.function)), None)
    trap = next((k for k, name in enumerate(names) if k > last and _TRAP.fullmatch(name)), last)
    return next(iter(task.frames[trap + 1 :]), None)
