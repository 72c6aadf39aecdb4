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
class _Set(Generic[R]):
    """Some tasks, and what has become of them so far. A set that does not end in time writes into itself alone."""

    tasks: Sequence[Task[R]] = ()
    group: process.ChildGroup = field(default_factory=process.ChildGroup)
    begun: set[str] = field(default_factory=set)
    ended: dict[str, R | BaseException] = field(default_factory=dict)
    fault: BaseException | None = None
    begins: bool = True
    over: bool = False


@dataclass
class Background(Generic[R]):
    """Runs tasks in the background, in their order. One set of them at a time; without an engine there are none."""

    engine: Engine | None
    workspace: Workspace
    _set: _Set[R] = field(default_factory=lambda: _Set(over=True))
    _thread: threading.Thread | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def start(self, tasks: Sequence[Task[R]]) -> None:
        """Begin with these tasks; what was under way is left."""
        self.stop()
        if self.engine is None or not tasks:
            return
        self._set = _Set(tasks)
        self._thread = threading.Thread(target=self._work, args=(self.engine, self._set), daemon=True)
        self._thread.start()

    def outcome(self, name: str) -> R:
        """Return what a task comes to, as soon as it does. Raises what it or the engine raised, or InfraError."""
        own = self._set
        with self._changed:
            self._changed.wait_for(lambda: name in own.ended or own.over)
            ended = own.ended.get(name, own.fault or InfraError(f"{name} did not run"))
        if isinstance(ended, BaseException):
            raise ended
        return ended

    def finish(self, name: str) -> None:
        """Let one task end if it has begun, and leave all others."""
        own = self._set
        with self._changed:
            own.begins = False
            self._changed.wait_for(lambda: name not in own.begun or name in own.ended or own.over)
        self.stop()

    def stop(self) -> None:
        """Leave what is under way, and wait until it is gone."""
        if self._thread is not None:
            self._set.group.cut()
            self._thread.join(_PATIENCE)
        self._thread = None

    def _work(self, engine: Engine, own: _Set[R]) -> None:
        process.use_group(own.group)
        fault: BaseException | None = None
        try:
            with (
                crash.contained(self.workspace.directory),
                contextlib.closing(engine.run(self._taken(own), self.workspace)) as ended,
            ):
                for done in ended:
                    with self._changed:
                        own.ended[done.task.name] = done.outcome
                        self._changed.notify_all()
        except (Cancelled, PipelineError) as error:
            fault = error
        finally:
            with self._changed:
                own.over, own.fault = True, fault
                self._changed.notify_all()

    def _taken(self, own: _Set[R]) -> Iterator[Task[R]]:
        for task in own.tasks:
            with self._changed:
                if not own.begins:
                    return
                own.begun.add(task.name)
            yield task
