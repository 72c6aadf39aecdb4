"""`wpci report`: database and run folders → the folder of pages."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import PipelineError, UserError
from orchestrator.history import night, read, store, window
from orchestrator.history.database import Database
from orchestrator.model import RunResult, rundir
from orchestrator.report import result_json
from orchestrator.site import gather, pages, publish
from orchestrator.site.links import Places
from orchestrator.site.values import Part, Site

NIGHTS = 60
"""Runs of each mode that a report looks back on."""


@dataclass(frozen=True)
class Written:
    """What a report came to. ``problems`` are folders of runs that could not be read, a line each."""

    front: Path
    pages: int
    problems: tuple[str, ...]


def write(
    database: Database, results: Path, out: Path | None = None, *, mode: str | None = None, nights: int = NIGHTS
) -> Written:
    """Write the pages of the last runs; the front page is that of ``mode``, where it has any.

    Raises UserError where there is no run, or ``out`` holds something else; InfraError where it cannot be written.
    """
    results = results.absolute()
    folder = (out or results / "report").absolute()
    imported = store.import_folders(database, results)
    places = Places(results, folder)
    site = collect(database, places, mode, nights)
    made = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC"
    count = publish.publish(folder, iter(pages.Pages(site, places, made)))
    return Written(folder / pages.FRONT, count, imported.problems)


def collect(database: Database, places: Places, mode: str | None, nights: int = NIGHTS) -> Site:
    """Return what the pages show. Raises UserError where there is nothing."""
    modes = sorted(window.modes(database), key=lambda known: known != mode)
    if not modes:
        raise UserError(f"no run in {places.results}, and none in the history {database.name}: nothing to report")
    parts = tuple(_part(database, name, nights, places) for name in modes)
    splats = gather.splats(parts, read.titles(database), window.newest(database))
    return Site(parts, gather.tests(parts), splats)


def _part(database: Database, mode: str, nights: int, places: Places) -> Part:
    runs = window.last(database, mode, nights)
    result = _result(places.folder(runs[0].run) / rundir.RESULT)
    return Part(
        mode=mode,
        runs=runs,
        comparison=night.compare_last(runs),
        series=read.series(database, runs[0].run.id),
        transitions=None if result is None else gather.transitions(result),
        unexpected={} if result is None else gather.unexpected(result),
    )


def _result(path: Path) -> RunResult | None:
    try:
        return result_json.read_run(path)
    except PipelineError:
        return None
