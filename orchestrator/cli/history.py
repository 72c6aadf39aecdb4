"""`wpci history`: what the database of runs knows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.options import ConfigOption, JobOption, ModeOption, ResultsOption, refuse
from orchestrator.cli.screen import Screen
from orchestrator.config import locate
from orchestrator.errors import UserError
from orchestrator.host import scratch
from orchestrator.text import wording


def history_(
    context: typer.Context,
    test: Annotated[str | None, typer.Argument(help="A test (SUITE/TEST): what it showed in each run.")] = None,
    config: ConfigOption = None,
    mode: ModeOption = None,
    job: JobOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="No more lines than that.")] = 30,
    import_: Annotated[bool, typer.Option("--import", help="Add the runs in the folder of results first.")] = False,
    results: ResultsOption = None,
) -> None:
    """List the runs of the history, newest first, or what one test showed in them."""
    with output.extra("history"):
        from orchestrator.history import database, read, store, window
        from orchestrator.nightly import summary

    if test is None:
        refuse(context, ("job",), "only of one test")
    results = locate.results(results)
    url = output.pipeline(config, quiet=True).history
    if url is None and not results.is_dir():
        raise UserError(f"{results}: no such folder of results")
    opened = database.open_(database.place(url, results))
    if import_:
        imported = store.import_folders(opened, results)
        Screen(stderr=True).line(f"{len(imported.runs)} runs added")
        for problem in imported.problems:
            Screen(stderr=True).line(f"not added: {problem}")
    if test is None:
        runs = read.runs(opened, mode=mode, limit=limit)
        known = bool(runs)
        lines = summary.runs(runs, [run.id for run in runs if scratch.is_held(run.directory)])
    else:
        suite, _, name = test.partition("/")  # a suite has no slash in its name; a test may have some
        points = read.points(opened, name, suite=suite, job=job, mode=mode, limit=limit)
        points = points or read.points(opened, test, job=job, mode=mode, limit=limit)
        known = bool(points)
        lines = summary.points(points)
    if not known:  # no line at all would not say which word it is that fits none
        refuse_unknown("is of mode", mode, window.modes(opened))
        refuse_unknown("has a job", job, read.job_names(opened))
        if test is not None:
            refuse_unknown("has a test", test, _names(test, read.test_names(opened)))
    for line in lines:
        Screen().line(line)


def _names(test: str, known: Collection[str]) -> Collection[str]:
    """Return the names that a test may be called by: NAME, or SUITE/NAME."""
    alone = {name.partition("/")[2] for name in known}
    return alone.union(known) if "/" in test else alone


def refuse_unknown(what: str, name: str | None, known: Collection[str]) -> None:
    """Raise UserError for a name that was given, and is none that is known."""
    if name is not None and name not in known:
        raise UserError(f"no run of the history {what} {name}{wording.nearest(name, known)}")
