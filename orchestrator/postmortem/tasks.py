"""The tasks of a guest: their states, their stacks, and which of them is to blame."""

from __future__ import annotations

import re
from typing import Any

import drgn
from drgn.helpers.linux.panic import panic_message
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.printk import get_printk_records
from drgn.helpers.linux.sched import cpu_curr, task_cpu, task_state_to_char

from orchestrator.postmortem.programs import ROOTFS, WITHOUT_SHELL

MOST_FRAMES, MOST_LOCALS, MOST_TASKS = 30, 12, 400
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD
_SCHEDULER = re.compile(r"context_switch|__schedule|(?:io_|preempt_)?schedule\w*|do_nanosleep")

Task = dict[str, Any]


def every(program: drgn.Program, waits: dict[int, str]) -> list[Task]:
    """Return the tasks; ``waits`` says for some, by address, what they wait for."""
    return [_task(program, task, waits) for task, _ in zip(for_each_task(program), range(MOST_TASKS), strict=False)]


def _task(program: drgn.Program, task: drgn.Object, waits: dict[int, str]) -> Task:
    frames = stack(program, task)
    state = task_state_to_char(task)
    kernel = bool(task.flags.value_() & _KERNEL_THREAD)
    below = next((frame["function"] for frame in frames if not _SCHEDULER.fullmatch(frame["function"])), "")
    wait = waits.get(task.value_(), f"in {below}" if below and state != "R" else "")
    return {
        "comm": name(task),
        "pid": task.pid.value_(),
        "state": state,
        "kernel": kernel,
        "cpu": task_cpu(task),
        "waits": wait,
        "idle": kernel and state in "SI" and task.value_() not in waits,
        "frames": frames,
        "address": task.value_(),
    }


def name(task: drgn.Object) -> str:
    """Return what a task is called."""
    text: str = task.comm.string_().decode(errors="replace")
    return text


def stack(program: drgn.Program, task: drgn.Object, with_locals: bool = False) -> list[dict[str, Any]]:
    """Return the frames of a task, the innermost first; none where it cannot be unwound."""
    try:
        trace = program.stack_trace(task)
    except (ValueError, LookupError, drgn.FaultError):
        return []
    kernel = (frame for frame in trace if frame.name and not frame.name.startswith("0x"))  # no name: user space
    return [_frame(frame, with_locals) for frame, _ in zip(kernel, range(MOST_FRAMES), strict=False)]


def _frame(frame: drgn.StackFrame, with_locals: bool) -> dict[str, Any]:
    try:
        file, line, _ = frame.source()
        place = f"{re.sub(r'^(?:[.][.]/)+', '', file)}:{line}"
    except LookupError:
        place = ""
    shown = {"function": frame.name or "?", "place": place}
    # what the scheduler switched to is chance
    return {**shown, "locals": _locals(frame)} if with_locals and not _SCHEDULER.fullmatch(frame.name or "") else shown


def _locals(frame: drgn.StackFrame) -> dict[str, str]:
    """Return the variables of a frame whose values are known."""
    values: dict[str, str] = {}
    for variable in frame.locals():
        try:
            value = frame[variable]
            if not value.absent_ and len(values) < MOST_LOCALS:
                values[variable] = _shown(value)
        except (LookupError, ValueError, drgn.FaultError, drgn.ObjectAbsentError):
            continue
    return values


def _shown(value: drgn.Object) -> str:
    text = value.format_(dereference=False, symbolize=True, string=False, char=False)
    return re.sub(r"\s+", " ", text)[:160]


def panic(program: drgn.Program) -> str:
    """Return what the kernel said when it panicked; empty where it did not."""
    if _panic_cpu(program) < 0:
        return ""
    try:
        return (panic_message(program) or b"the kernel panicked").decode(errors="replace")
    except (LookupError, ValueError, drgn.FaultError):
        return "the kernel panicked"


def _panic_cpu(program: drgn.Program) -> int:
    cpu: int = program["panic_cpu"].counter.value_()
    return cpu


def culprit(program: drgn.Program, tasks: list[Task]) -> Task | None:
    """Return the task that panicked, else the one that most looks as if it hung, with its local variables.

    Who panics because another task is blocked (``hung_task_panic``) has only looked at it.
    """
    cpu = _panic_cpu(program)
    if cpu >= 0 and not panic(program).startswith("hung_task:"):
        address = cpu_curr(program, cpu).value_()
        chosen = next((task for task in tasks if task["address"] == address), None)
        if chosen is None:  # the idle task is in no list
            chosen = _task(program, cpu_curr(program, cpu), {})
    else:
        suspects = [task for task in tasks if not task["kernel"] and task["comm"] not in ROOTFS]
        suspects += [task for task in tasks if task["kernel"] and not task["idle"]]
        scripts = [task for task in tasks if not task["kernel"] and task["comm"] not in WITHOUT_SHELL]
        chosen = min(suspects or scripts, key=_rank, default=None)
    if chosen is None:
        return None
    task = drgn.Object(program, "struct task_struct *", chosen["address"])
    return {**chosen, "frames": stack(program, task, with_locals=True)}


_STATES = {"R": 1, "Z": 3, "X": 3}
"""How far a task is from being stuck, by its state: what runs may spin, what has ended hangs no more; others sleep."""


def _rank(task: Task) -> tuple[bool, int, int]:
    """Return what suspects are sorted by: those of user space first, then what looks stuck, then the newest."""
    functions = {frame["function"] for frame in task["frames"]}
    stuck = task["state"] == "D" or "handle_userfault" in functions or "rwsem_down" in task["waits"]
    return task["kernel"], 0 if stuck else _STATES.get(task["state"], 2), -task["pid"]


def log(program: drgn.Program) -> list[str]:
    """Return the kernel's log."""
    return [
        f"[{record.timestamp / 1e9:12.6f}] {line}"
        for record in get_printk_records(program)
        for line in record.text.decode(errors="replace").split("\n")  # no other character ends a line
    ]
