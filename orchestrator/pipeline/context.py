"""Where a run works: its pipeline, its cache, its own folder, and how it shows its progress."""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.schema import Pipeline
from orchestrator.errors import InfraError, PipelineError, UserError
from orchestrator.host import crash, scratch
from orchestrator.host.cache import Cache
from orchestrator.model import rundir
from orchestrator.parse.splat import Rules
from orchestrator.progress import Progress

if TYPE_CHECKING:
    from orchestrator.host.store import Store


@dataclass(frozen=True)
class Workspace:
    """What every job of a run shares. ``directory`` is the run's own folder, ``store`` what other machines share.

    ``sources`` are the digests of what the user's own programs were made from when the run first needed them.
    """

    pipeline: Pipeline
    cache: Cache
    directory: Path
    progress: Progress
    rules: Rules
    today: datetime.date
    store: Store | None = None
    sources: dict[Path, str] = field(default_factory=dict, compare=False)

    def job_directory(self, name: str) -> Path:
        """Return the folder of one job; it exists afterwards."""
        path = self.directory / "jobs" / name
        path.mkdir(parents=True, exist_ok=True)
        return path


@contextlib.contextmanager
def opened_run(results: Path, judged: str = rundir.RESULT) -> Iterator[Path]:
    """Make the folder of a new run, and point ``last`` at it, for the block in which it is run.

    Raises InfraError, and UserError where something of somebody else's has that name.
    Where the block fails before the file ``judged`` is there, nothing was judged: ``last`` points again where it did,
    and after a UserError, when what was asked for is wrong, nothing of the folder stays.
    """
    _check_last(results)
    before = _pointed(results)
    directory = _new_run(results)
    _point(results, directory.name)
    try:
        with at_work(directory), crash.contained(directory):
            yield directory
    except PipelineError as error:
        if not (directory / judged).exists():
            if _pointed(results) == directory.name:
                _point(results, _still_there(results, before))
            if isinstance(error, UserError):
                shutil.rmtree(directory)
                error.log = error.log if error.log and error.log.exists() else None
        raise


@contextlib.contextmanager
def reopened_run(directory: Path) -> Iterator[Path]:
    """Point ``last`` at a run that is there, for the block in which it goes on. Raises as ``at_work``."""
    with at_work(directory), crash.contained(directory):
        _point(directory.parent, directory.name)
        yield directory


@contextlib.contextmanager
def at_work(directory: Path) -> Iterator[Path]:
    """Hold the folder of a run for the block, so that it is seen to be at work.

    Raises InfraError where another process is at work in it.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(scratch.held(directory, waits=False))
        except BlockingIOError as error:
            raise InfraError(f"{directory}: another process is at work in this run") from error
        except OSError:  # not every network file system has locks
            pass
        yield directory


def _new_run(results: Path) -> Path:
    """Make a folder that is named by the time."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    directory = results.absolute() / f"{stamp}-{secrets.token_hex(2)}"
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise InfraError(f"cannot make the folder of the run, {directory}: {error.strerror}") from error
    return directory


def _check_last(results: Path) -> None:
    """Raise UserError for a ``last`` that is no link: a file of the user's, or the folder that a copy made of ours."""
    last = results / "last"
    if os.path.lexists(last) and not last.is_symlink():
        raise UserError(f"{last} is no link, as which it would name the last run: move it away")


def _pointed(results: Path) -> str | None:
    """Return where ``last`` points; None where it does not, or what it points at is gone."""
    last = results / "last"
    with contextlib.suppress(OSError):  # a name that no folder can have is refused when the folder is made
        return str(last.readlink()) if last.is_symlink() and last.exists() else None
    return None


def _still_there(results: Path, name: str | None) -> str | None:
    """Return the name of a run, or where another process has removed that one, of the newest that was judged."""
    if name is None or (results / name).exists():
        return name
    judged = (path.parent.name for path in results.glob(f"*/{rundir.RESULT}"))
    return max((run for run in judged if rundir.RUN.fullmatch(run)), default=None)


def _point(results: Path, name: str | None) -> None:
    """Point ``last`` at a run; None takes it away."""
    last, pointer = results.absolute() / "last", results.absolute() / f".last.{os.getpid()}"
    try:
        pointer.unlink(missing_ok=True)
        if name is None:
            last.unlink(missing_ok=True)
        else:
            pointer.symlink_to(name)
            pointer.replace(last)
    except OSError as error:
        raise InfraError(f"cannot write {last}: {error.strerror}") from error
