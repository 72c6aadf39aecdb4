"""Look at the guests of a job that died or hung, and keep what was seen: evidence, by which no verdict changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestrator.arch import ARCHITECTURES
from orchestrator.errors import InfraError, PipelineError
from orchestrator.guest.hold import Examine, Memory
from orchestrator.host import disk
from orchestrator.host.process import Deadline
from orchestrator.model import Kernel, rundir
from orchestrator.model.postmortem import Postmortem
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.postmortem import kdump, look, text
from orchestrator.suite import state


def examiner(record: JobRecord, kernel: Kernel, guest: str) -> Examine | None:
    """Return what looks at one guest of a job, by the name of its folder; None where nobody is to."""
    if record.job.trial is not None or not guest.startswith(rundir.BOOT):
        return None
    if why := look.obstacle():
        note = f"guests that die or hang are not looked at: {why}"
        record.notes += [] if note in record.notes else [note]
        return None

    def examine(memory: Memory, deadline: Deadline) -> None:
        try:
            seen = _examined(record, kernel, guest, memory, deadline)
        except (PipelineError, OSError) as error:
            record.notes.append(f"{guest}: not looked at ({memory.occasion}): {error}")
        except Exception as error:
            record.notes.append(f"{guest}: not looked at ({memory.occasion}): {type(error).__name__}: {error}")
        else:
            record.postmortems.append(seen)

    return examine


def _examined(record: JobRecord, kernel: Kernel, guest: str, memory: Memory, deadline: Deadline) -> Postmortem:
    """Look at a guest, and write down what was seen. Raises InfraError, OSError."""
    if memory.fault:
        raise memory.fault
    folder = record.directory / guest
    name: Callable[[str], Path] = lambda kind: folder / f"postmortem-{memory.number}.{kind}"  # noqa: E731
    dump = name("kdump")
    kdump.make_readable(memory.pieces, dump, kernel.release, ARCHITECTURES[record.job.variant_config.arch].name)
    if deadline.expired:
        raise InfraError("out of time")
    report = look.look(dump, kernel.vmlinux, kernel.config, deadline)
    disk.write_atomic(name("json"), report.model_dump_json(indent=1))
    disk.write_atomic(name("txt"), text.render(report, memory.occasion))
    return Postmortem(
        guest=guest,
        occasion=memory.occasion,
        test=state.seen(folder / rundir.CONSOLE, memory.printed).last,
        lines=text.summary(report, memory.occasion),
        text=name("txt"),
        data=name("json"),
        dump=dump,
    )
