"""Look at the guests of a job that died or hung, and keep what was seen: evidence, by which no verdict changes."""

from __future__ import annotations

from pathlib import Path

from orchestrator.arch import ARCHITECTURES
from orchestrator.errors import PipelineError
from orchestrator.guest.hold import Examine, Memory
from orchestrator.host import disk
from orchestrator.host.process import Deadline
from orchestrator.model import Kernel, rundir
from orchestrator.model.postmortem import Postmortem
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.postmortem import kdump, look, text
from orchestrator.suite import state

MOST = 24
"""Looks at the guests of one job after which no other guest is looked at: each leaves a dump, and takes its time."""


def examiner(record: JobRecord, kernel: Kernel, guest: str) -> Examine | None:
    """Return what looks at one guest of a job, by the name of its folder; None where nobody is to."""
    if record.job.trial is not None or not guest.startswith((rundir.BOOT, rundir.TEMPLATE)):
        return None
    why = look.obstacle()
    if why or record.looks >= MOST:
        note = f"guests that die or hang are not looked at: {why or f'that was done, or tried, {MOST} times'}"
        record.notes += [] if note in record.notes else [note]
        return None

    def examine(memory: Memory, deadline: Deadline) -> None:
        record.looks += 1
        dump = record.directory / guest / f"{rundir.POSTMORTEM}{memory.number}{rundir.DUMP}"
        try:
            record.postmortems.append(_examined(record, kernel, dump, memory, deadline))
        except (PipelineError, OSError) as error:
            record.notes.append(_note(dump, memory, str(error)))
        except Exception as error:
            record.notes.append(_note(dump, memory, f"{type(error).__name__}: {error}"))

    return examine


def _note(dump: Path, memory: Memory, why: str) -> str:
    kept = f"; its memory is in {dump}" if dump.exists() else ""
    return f"{dump.parent.name}: not looked at ({memory.occasion}): {why}{kept}"


def _examined(record: JobRecord, kernel: Kernel, dump: Path, memory: Memory, deadline: Deadline) -> Postmortem:
    """Look at a guest, and write down what was seen. Raises InfraError, OSError."""
    if memory.fault:
        raise memory.fault
    machine = ARCHITECTURES[record.job.variant_config.arch].name
    kdump.make_readable(memory.pieces, dump, kernel.release, machine, deadline)
    report = look.look(dump, kernel.vmlinux, kernel.config, deadline)
    data, words = dump.with_suffix(".json"), dump.with_suffix(".txt")
    disk.write_atomic(data, report.model_dump_json(indent=1))
    disk.write_atomic(words, text.render(report, memory.occasion))
    return Postmortem(
        guest=dump.parent.name,
        occasion=memory.occasion,
        test=state.seen(dump.with_name(rundir.CONSOLE), memory.printed).last,
        lines=text.summary(report, memory.occasion),
        text=words,
        data=data,
        dump=dump,
    )
