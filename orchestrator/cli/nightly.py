"""`wpci nightly`: the whole matrix, unattended, against the nights before."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.groups import grouped
from orchestrator.cli.options import (
    ConfigOption,
    EngineOption,
    ModeOption,
    ResultsOption,
    Selection,
)
from orchestrator.cli.screen import Screen
from orchestrator.config import locate
from orchestrator.host.cache import Cache

if TYPE_CHECKING:
    from orchestrator.config.schema import Keep
    from orchestrator.history.database import Database
    from orchestrator.progress import Progress


@grouped
def nightly(
    *,
    config: ConfigOption = None,
    mode: ModeOption = None,
    selection: Selection,
    guests: Annotated[
        int | None, typer.Option("--guests", min=1, help="Guests at a time, instead of what cores and memory allow.")
    ] = None,
    bisect: Annotated[
        bool | None, typer.Option("--bisect/--no-bisect", help="Bisect what regressed; as pipeline.yaml says.")
    ] = None,
    engine: EngineOption = None,
    goes_on: Annotated[
        bool, typer.Option("--continue", help="Go on with the last night, which did not come to its end.")
    ] = False,
    results: ResultsOption = None,
    shown: output.Shown,
) -> None:
    """Run a whole matrix, several guests at a time, and say what is other than the nights before."""
    with output.extra("history"):
        from orchestrator.history import database
        from orchestrator.nightly import run as nightly_mode
        from orchestrator.nightly import summary
    from orchestrator.engine import choose, slots
    from orchestrator.pipeline import discover, opening, plan

    pipeline = shown.pipeline(config)
    results = locate.results(results)
    settings = pipeline.nightly
    elsewhere = choose.wanted(pipeline, engine)
    planned = plan.expand(pipeline, mode or settings.mode, selection.choice())
    place = database.place(pipeline.history, results)
    earlier = nightly_mode.incomplete(_history(place, results), planned.label) if goes_on else None
    with shown.terminal() as terminal, Cache.default().alone(nightly_mode.LOCK):
        _prune(results, settings.keep, earlier, terminal)  # before anything is written: the disk may be full
        with (
            opening.reopened(pipeline, earlier, terminal) if earlier else opening.opened(pipeline, results, terminal)
        ) as workspace:
            planned, history = discover.narrowed(planned, workspace), _history(place, results)
            chase = settings.bisect if bisect is None else bisect
            room = slots.here(guests or settings.guests)
            with choose.opened(elsewhere, room, workspace.cache, terminal) as at_work:
                night = nightly_mode.run(planned, workspace, history, at_work, bisect=chase, goes_on=goes_on)
            _prune(results, settings.keep, workspace.directory, terminal)
            if settings.report:
                terminal.note(_reported(history, results, planned.label))
    if shown.as_json:
        output.json(dataclasses.asdict(night))
    else:
        shown.result(night.result)
        for line in () if shown.quiet else summary.lines(night.comparison):
            Screen().line(line)
    raise typer.Exit(night.result.exit_code)


def _history(place: str, results: Path) -> Database:
    """Open the history, which may lie in the folder of results. Raises as ``database.open_``."""
    from orchestrator.history import database

    with contextlib.suppress(OSError):  # that it cannot be written is said by who writes it
        results.mkdir(parents=True, exist_ok=True)
    return database.open_(place)


def _prune(results: Path, keep: Keep, current: Path | None, progress: Progress) -> None:
    """Remove old artifacts, and say what went. What cannot be removed is no fault of the night."""
    from orchestrator.host import prune

    try:
        outcome = prune.prune(results, keep, current)
    except OSError as error:
        outcome = f"artifacts of earlier runs stay: {error}"
    if outcome:
        progress.note(outcome)


def _reported(history: Database, results: Path, mode: str) -> str:
    """Bring the pages up to date; return a line that says where they are. The night is judged, whatever comes of it."""
    from orchestrator.site import report

    try:
        written = report.write(history, results, mode=mode)
    except Exception as error:  # not even a mistake of ours may change the exit code of a night
        return f"the report was not written: {type(error).__name__}: {error}"
    return f"report: {written.front}"
