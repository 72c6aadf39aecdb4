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
        from orchestrator.history import database, read, store
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
        lines = summary.runs(runs, [run.id for run in runs if scratch.is_held(run.directory)])
    else:
        suite, _, name = test.partition("/")  # a suite has no slash in its name; a test may have some
        points = read.points(opened, name, suite=suite, job=job, mode=mode, limit=limit)
        points = points or read.points(opened, test, job=job, mode=mode, limit=limit)
        if not points:
            _refuse_unknown(test, read.test_names(opened))
        lines = summary.points(points)
    for line in lines:
        Screen().line(line)


def _refuse_unknown(test: str, known: Collection[str]) -> None:
    """Raise UserError for a test (NAME or SUITE/NAME) that never ran: no line at all would not say so."""
    alone = {name.partition("/")[2] for name in known}
    names = alone.union(known) if "/" in test else alone
    if test not in names:
        raise UserError(f"no run of the history has a test {test}{wording.nearest(test, names)}")
