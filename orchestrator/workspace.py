"""Where a run works: its pipeline, its cache, its own folder, and whom it tells."""

from __future__ import annotations

import datetime
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cache import Cache
from orchestrator.config import Pipeline
from orchestrator.errors import InfraError
from orchestrator.progress import Progress
from orchestrator.results.splat import Rules


@dataclass(frozen=True)
class Workspace:
    """What every job of a run shares. ``directory`` is the run's own folder."""

    pipeline: Pipeline
    cache: Cache
    directory: Path
    progress: Progress
    rules: Rules
    today: datetime.date

    def job_directory(self, name: str) -> Path:
        """Return the folder of one job; it exists afterwards."""
        path = self.directory / "jobs" / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def new_run(results: Path) -> Path:
    """Make the folder of a new run, named by the time. Raises InfraError."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    directory = results.absolute() / f"{stamp}-{secrets.token_hex(2)}"
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise InfraError(f"cannot make the folder of the run, {directory}: {error.strerror}") from error
    return directory


def point_last(directory: Path) -> None:
    """Point ``last`` beside the folder of a run at it. Raises InfraError."""
    pointer = directory.parent / f".last.{os.getpid()}"
    try:
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(directory.name)
        pointer.replace(directory.parent / "last")
    except OSError as error:
        raise InfraError(f"cannot write {directory.parent / 'last'}: {error.strerror}") from error
