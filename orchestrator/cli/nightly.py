"""`wpci nightly`: the whole matrix, unattended, against the nights before."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.options import (
    ConfigOption,
    JsonOption,
    ModeOption,
    QuietOption,
    ResultsOption,
    SuiteOption,
    TestOption,
    VariantOption,
    VerboseOption,
)
from orchestrator.cli.screen import Screen
from orchestrator.cli.tables import show, show_verdict
from orchestrator.config import locate
from orchestrator.host.cache import Cache
from orchestrator.model import plan

if TYPE_CHECKING:
    from orchestrator.history.database import Database


def nightly(
    config: ConfigOption = None,
    mode: ModeOption = None,
    variant: VariantOption = [],  # noqa: B006
    suite: SuiteOption = [],  # noqa: B006
    test: TestOption = [],  # noqa: B006
    guests: Annotated[
        int | None, typer.Option("--guests", min=1, help="Guests at a time, instead of what cores and memory allow.")
    ] = None,
    bisect: Annotated[
        bool | None, typer.Option("--bisect/--no-bisect", help="Bisect what regressed; as pipeline.yaml says.")
    ] = None,
    results: ResultsOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a whole matrix, several guests at a time, and say what is other than the nights before."""
    with output.extra("history"):
        from orchestrator.history import database
        from orchestrator.nightly import run as nightly_mode
        from orchestrator.nightly import summary
    from orchestrator.config import overrides
    from orchestrator.engine import slots
    from orchestrator.engine.local import LocalEngine
    from orchestrator.host import prune
    from orchestrator.pipeline import discover, opening

    pipeline = output.pipeline(config, quiet=as_json or quiet)
    results = locate.results(results)
    settings = pipeline.nightly
    planned = plan.expand(pipeline, mode or settings.mode, plan.Choice(tuple(variant), tuple(suite), tuple(test)))
    with (
        output.terminal(values=as_json, verbose=verbose, quiet=quiet) as terminal,
        Cache.default().alone(nightly_mode.LOCK),
        opening.open_run(pipeline, planned.mode, overrides.Options(), results=results, progress=terminal) as (
            workspace,
            _,
        ),
    ):
        planned = discover.narrowed(planned, workspace)
        history = database.open_(database.place(pipeline.history, results))
        chase = settings.bisect if bisect is None else bisect
        engine = LocalEngine(slots.here(guests or settings.guests))
        night = nightly_mode.run(planned, workspace, history, engine, bisect=chase)
        terminal.note(prune.prune(results, settings.keep, workspace.directory))
        if settings.report:
            terminal.note(_reported(history, results, planned.label))
    if as_json:
        output.json(dataclasses.asdict(night))
    elif quiet:
        show_verdict(night.result, Screen())
    else:
        show(night.result, Screen(), every_test=False)
        for line in summary.lines(night.comparison):
            Screen().line(line)
    raise typer.Exit(night.result.exit_code)


def _reported(history: Database, results: Path, mode: str) -> str:
    """Bring the pages up to date; return a line that says where they are. The night is judged, whatever comes of it."""
    from orchestrator.site import report

    try:
        written = report.write(history, results, mode=mode)
    except Exception as error:  # not even a mistake of ours may change the exit code of a night
        return f"the report was not written: {type(error).__name__}: {error}"
    return f"report: {written.front}"
