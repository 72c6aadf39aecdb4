"""Where things lie as seen from a page, and whether they are still there: no link dangles."""

from __future__ import annotations

import functools
import os.path
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from orchestrator.history.values import Job, Run
from orchestrator.model import rundir


@dataclass(frozen=True)
class Artifact:
    """A file of a job, or of a run. ``href`` is None where there is none any more, and ``gone`` says why."""

    name: str
    href: str | None
    gone: str = ""


PRUNED = "pruned"


@dataclass(frozen=True, eq=False)
class Places:
    """The folder of results, and that of the pages; a folder of a run that was moved along with it is found."""

    results: Path
    out: Path

    @functools.cache  # noqa: B019  one for each report
    def folder(self, run: Run) -> Path:
        """Return where a run lies now."""
        beside = self.results / run.id
        return beside if beside.is_dir() or not run.directory.is_dir() else run.directory

    @functools.cache  # noqa: B019
    def page(self, run: Run) -> str | None:
        """Return the link to a run's own page, or to the most readable of what it has; None where nothing is left."""
        folder = self.folder(run)
        links = (self.link(folder / name) for name in (rundir.PAGE, rundir.SUMMARY, rundir.RESULT))
        return next((href for href in links if href), None)

    def link(self, path: Path) -> str | None:
        """Return the link to a file, or None where it is not there."""
        if not path.is_file():
            return None
        return quote(os.path.relpath(path, self.out).encode(errors="surrogateescape"))

    def moved(self, run: Run, path: Path) -> Path:
        """Return where a file of a run lies now."""
        inside = path.is_relative_to(run.directory)
        return self.folder(run) / path.relative_to(run.directory) if inside else path

    @functools.cache  # noqa: B019
    def artifacts(self, run: Run, job: Job) -> tuple[Artifact, ...]:
        """Return what a reader of a job asks for: consoles, configuration, the script, the result."""
        folder = self.moved(run, job.directory)
        config = folder / rundir.CONFIG
        if job.config and not config.is_file():
            config = self.moved(run, job.config)
        return (
            *self._consoles(folder, job),
            self._file("config", config, "" if job.release else "no kernel was built"),
            self._file(rundir.REPRODUCE, folder / rundir.REPRODUCE),
            self._file(rundir.RESULT, folder / rundir.RESULT),
        )

    def _consoles(self, folder: Path, job: Job) -> tuple[Artifact, ...]:
        links = [(rundir.boot_number(path), self.link(path)) for path in rundir.consoles(folder)]
        if links:
            names = ["console"] if len(links) == 1 else [f"console {number}" for number, _ in links]
            return tuple(Artifact(name, href, PRUNED) for name, (_, href) in zip(names, links, strict=True))
        return (Artifact("console", None, PRUNED if job.identity else "no guest ran tests"),)

    def _file(self, name: str, path: Path, never: str = "") -> Artifact:
        return Artifact(name, self.link(path), never or PRUNED)
