"""A job that goes on while other work is done: a kernel is built beside a guest, or a guest runs beside a build."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.errors import Cancelled, PipelineError
from orchestrator.host import crash, process
from orchestrator.model import Stage
from orchestrator.pipeline import job
from orchestrator.pipeline.job_record import JobRecord

_PATIENCE = 30.0
"""Seconds that what is not wanted any more has to end."""


@dataclass
class Alongside:
    """A job in a thread of its own, on some cores or (None) on all.

    What ends it that is no result is not told here: the stage is not recorded, and runs when the job goes on.
    """

    record: JobRecord
    until: Stage
    cores: frozenset[int] | None = None
    _group: process.ChildGroup = field(default_factory=process.ChildGroup)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Let the job begin."""
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the job has come as far as it is to."""
        if self._thread:
            self._thread.join()

    def leave(self) -> None:
        """End the job: it is not wanted any more. Its guest and its build are gone afterwards."""
        self._group.cut()  # kills its children; its thread ends where it would start another
        if self._thread:
            self._thread.join(_PATIENCE)

    def _work(self) -> None:
        process.use_group(self._group)
        if self.cores:
            os.sched_setaffinity(0, self.cores)  # of this thread, and of what it starts
        with contextlib.suppress(Cancelled, PipelineError), crash.contained(self.record.directory):
            job.go_on(self.record, self.until)


@contextlib.contextmanager
def building(record: JobRecord | None, cores: frozenset[int]) -> Iterator[None]:
    """Make the kernel and rootfs of a job on these cores while the block runs a guest; with none, do nothing."""
    if record is None or not cores:
        yield
        return
    with _beside(Alongside(record, Stage.ROOTFS, cores)):
        yield


@contextlib.contextmanager
def testing(record: JobRecord, cores: frozenset[int]) -> Iterator[Alongside | None]:
    """Boot and test a kernel that is there while the block builds on these cores; with none, do nothing.

    Yields what can leave the guest before its end.
    """
    if not cores:
        yield None
        return
    every = os.sched_getaffinity(0)
    with _beside(Alongside(record, Stage.SUITE)) as guest:
        os.sched_setaffinity(0, cores)
        try:
            yield guest
        finally:
            os.sched_setaffinity(0, every)


@contextlib.contextmanager
def _beside(other: Alongside) -> Iterator[Alongside]:
    other.start()
    try:
        yield other
        other.wait()  # in the block's thread: the record is handed on, and one thread at a time works with it
    except BaseException:
        other.leave()
        raise
