"""Tasks that run on an engine while other work is done here; what becomes of them is there when somebody wants it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic

from orchestrator.engine.task import Engine, R, Task
from orchestrator.errors import Cancelled, InfraError, PipelineError
from orchestrator.host import crash, process
from orchestrator.pipeline.context import Workspace

_PATIENCE = 30.0
"""Seconds that what is not wanted any more has to end."""


@dataclass
class Background(Generic[R]):
    """Runs tasks in the background, in their order. One set of them at a time; without an engine there are none."""

    engine: Engine | None
    workspace: Workspace
    _thread: threading.Thread | None = None
    _group: process.ChildGroup = field(default_factory=process.ChildGroup)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _begun: set[str] = field(default_factory=set)
    _ended: dict[str, R | BaseException] = field(default_factory=dict)
    _fault: BaseException | None = None
    _begins: bool = True
    _over: bool = True

    def start(self, tasks: Sequence[Task[R]]) -> None:
        """Begin with these tasks; what was under way is left."""
        self.stop()
        if self.engine is None or not tasks:
            return
        self._group, self._begun, self._ended, self._fault = process.ChildGroup(), set(), {}, None
        self._begins, self._over = True, False
        self._thread = threading.Thread(target=self._work, args=(self.engine, tasks, self._group), daemon=True)
        self._thread.start()

    def outcome(self, name: str) -> R:
        """Return what a task comes to, as soon as it does. Raises what it or the engine raised, or InfraError."""
        with self._changed:
            self._changed.wait_for(lambda: name in self._ended or self._over)
            ended = self._ended.get(name, self._fault or InfraError(f"{name} did not run"))
        if isinstance(ended, BaseException):
            raise ended
        return ended

    def finish(self, name: str) -> None:
        """Let one task end if it has begun, and leave all others."""
        with self._changed:
            self._begins = False
            self._changed.wait_for(lambda: name not in self._begun or name in self._ended or self._over)
        self.stop()

    def stop(self) -> None:
        """Leave what is under way, and wait until it is gone."""
        if self._thread is not None:
            self._group.cut()
            self._thread.join(_PATIENCE)
        self._thread = None

    def _work(self, engine: Engine, tasks: Sequence[Task[R]], group: process.ChildGroup) -> None:
        process.use_group(group)
        fault: BaseException | None = None
        try:
            with (
                crash.contained(self.workspace.directory),
                contextlib.closing(engine.run(self._taken(tasks), self.workspace)) as ended,
            ):
                for done in ended:
                    with self._changed:
                        self._ended[done.task.name] = done.outcome
                        self._changed.notify_all()
        except (Cancelled, PipelineError) as error:
            fault = error
        finally:
            with self._changed:
                self._over, self._fault = True, fault
                self._changed.notify_all()

    def _taken(self, tasks: Sequence[Task[R]]) -> Iterator[Task[R]]:
        for task in tasks:
            with self._changed:
                if not self._begins:
                    return
                self._begun.add(task.name)
            yield task
