"""`wpci report`: the history of runs as pages for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.options import PIPELINE, RESULTS, ConfigOption, ModeOption, ResultsOption
from orchestrator.cli.screen import Screen
from orchestrator.config import loader


def report(
    config: ConfigOption = PIPELINE,
    mode: ModeOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the pages [default: report in the results]")
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Look back on that many runs of each mode.")] = 60,
    results: ResultsOption = RESULTS,
) -> None:
    """Write the history of runs as a folder of static pages."""
    with output.extra("history"):
        from orchestrator.history import database
        from orchestrator.site import report as site

    pipeline = loader.load(config)
    opened = database.open_(database.place(pipeline.history, results))
    written = site.write(opened, results, out, mode=mode or pipeline.nightly.mode, nights=runs)
    for problem in written.problems:
        Screen(stderr=True).line(f"not in the report: {problem}")
    Screen().line(f"{written.pages} pages: {written.front}")
