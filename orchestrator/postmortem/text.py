"""A report as text for people: the same bug gives the same text, but for addresses. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from orchestrator.guest.protocol import READY
from orchestrator.postmortem.programs import ROOTFS
from orchestrator.postmortem.report import Mapping, Report, Task, blamed
from orchestrator.text import plain

MOST_LOG, MOST_FRAMES, MOST_RUNS, MOST_TASKS = 60, 16, 24, 60
_STAMP = re.compile(r"^\[ *\d+\.\d+\] ")
_NUMBERS = re.compile(r"\b(PID|pid|CPU)([:=]? ?)\d+")


def summary(report: Report, occasion: str) -> tuple[str, ...]:
    """Return the first lines: what happened, in which function, what is waited for, and what userfaultfd has."""
    lines = [report.panic or occasion]
    if task := report.culprit:
        frame = blamed(task)
        place = f" in {frame.function}{f' ({frame.place})' if frame.place else ''}" if frame else ""
        lines.append(f"{task.comm} [{task.state}]{place}")
        if task.waits:
            lines.append(f"waits {task.waits}")
    lines += [line for process in report.processes for line in _registered(process.comm, process.vmas)][:3]
    return tuple(plain.printable(line) for line in lines)


def render(report: Report, occasion: str) -> str:
    """Return the whole text."""
    return "".join(f"{plain.printable(line)}\n" for line in _lines(report, occasion))


def _lines(report: Report, occasion: str) -> Iterator[str]:
    yield from summary(report, occasion)
    if report.culprit:
        yield from ("", "The task, with the variables that are known")
        yield from _stack(report.culprit)
    yield from ("", "Tasks that are not idle")
    for task in sorted((t for t in report.tasks if not t.idle), key=_order)[:MOST_TASKS]:
        yield f"  {task.comm} [{task.state}] {_doing(task)}".rstrip()
        if task.comm not in ROOTFS:
            yield from (f"    {frame.function} {frame.place}".rstrip() for frame in task.frames[:MOST_FRAMES])
    yield from ("", "What userfaultfd has")
    for process in report.processes:
        yield from _registered(process.comm, process.vmas, runs=True)
    yield from ("", "Locks that lockdep knows to be held")
    yield from (f"  {lock.comm}: {lock.lock} to {lock.mode}, taken in {lock.taken}" for lock in report.locks)
    yield from ("", f"Memory: {_memory(report)}", "", "The end of the kernel's log")
    yield from (f"  {_unnumbered(line)}" for line in _since_boot(report.log)[-MOST_LOG:])
    yield from (f"note: {note}" for note in report.notes)


def _doing(task: Task) -> str:
    if task.waits:
        return f"waits {task.waits}"
    return "runs" if task.state == "R" else ""


def _since_boot(log: Sequence[str]) -> Sequence[str]:
    """Return the log from where the guest was up; all of it where it was not."""
    up = max((number for number, line in enumerate(log) if line.endswith(READY)), default=0)
    return log[up:]


def _unnumbered(line: str) -> str:
    """Return a line of the log without what differs each time, but for addresses."""
    return _NUMBERS.sub(r"\1\2N", _STAMP.sub("", line))


def _order(task: Task) -> tuple[bool, bool, str, str, int]:
    return task.comm in ROOTFS, task.state == "S", task.comm, task.state, task.pid


def _stack(task: Task) -> Iterator[str]:
    for number, frame in enumerate(task.frames):
        yield f"  #{number} {frame.function} {frame.place}".rstrip()
        yield from (f"       {name} = {value}" for name, value in frame.locals.items())


def _registered(comm: str, vmas: Sequence[Mapping], runs: bool = False) -> Iterator[str]:
    for vma in vmas:
        if vma.ptes:
            ptes = ", ".join(f"{count} {kind}" for kind, count in sorted(vma.ptes.items()))
            left = "" if vma.context else " left where nothing is registered"
            yield f"{comm}: {vma.start:#x}-{vma.end:#x} {' '.join(vma.flags)} {vma.name or 'anonymous'}: {ptes}{left}"
            for start, pages, kind in vma.runs[:MOST_RUNS] if runs else ():
                yield f"    {start:#x} {pages} {kind}"


def _memory(report: Report) -> str:
    """Return the counters, coarse enough to be the same when the same happens again."""
    total = report.memory.get("total", 0)
    if total <= 0:
        return "not known"
    free = 10 * round(10 * report.memory.get("free", 0) / total)
    swap = "swap is used" if report.memory.get("swap used") else "no swap is used"
    return f"{total >> 8} MiB, about {free} % free; {swap}"
