"""`wpci report`: the history of runs as pages for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.history import refuse_unknown
from orchestrator.cli.options import ConfigOption, ModeOption, ResultsOption
from orchestrator.cli.screen import Screen
from orchestrator.config import locate


def report(
    config: ConfigOption = None,
    mode: ModeOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the pages (default: report in the results)")
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Look back on that many runs of each mode.")] = 60,
    results: ResultsOption = None,
) -> None:
    """Write the history of runs as a folder of static pages."""
    with output.extra("history"):
        from orchestrator.history import database, window
        from orchestrator.site import report as site

    pipeline = output.pipeline(config, quiet=True)
    results = locate.results(results)
    opened = database.open_(database.place(pipeline.history, results))
    refuse_unknown("is of mode", mode, window.modes(opened))
    written = site.write(opened, results, out, mode=mode or pipeline.nightly.mode, nights=runs)
    for problem in written.problems:
        Screen(stderr=True).line(f"not in the report: {problem}")
    Screen().line(f"{written.pages} pages: {written.front}")
