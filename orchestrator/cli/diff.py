"""`wpci diff`: two runs, and what is not alike in them."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from orchestrator.cli import complete, output
from orchestrator.cli.options import JsonOption, ResultsOption
from orchestrator.cli.screen import Screen
from orchestrator.config import locate
from orchestrator.model import rundir
from orchestrator.verdict import comparison

_HEX = 12
"""Digits of a hash that are shown."""

RunArgument = Annotated[str, typer.Argument(help="A run: its folder or its name.", autocompletion=complete.runs)]


def diff(
    first: RunArgument,
    second: RunArgument = "last",
    results: ResultsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what changed from one run to another: in tree, configuration, toolchain, machine, and in outcomes.

    Exit code 1 where an outcome differs.
    """
    from orchestrator.report import result_json

    folder = locate.results(results)
    runs = [result_json.read_run(rundir.find(folder, name) / rundir.RESULT) for name in (first, second)]
    differences = comparison.between(*runs)
    if as_json:
        output.json([dataclasses.asdict(one) for one in differences])
    for one in () if as_json else differences:
        where = f"{one.job}: " if one.job else ""
        Screen().line(f"{one.kind:8} {where}{one.what}: {_short(one.first)} → {_short(one.second)}")
    if not differences and not as_json:
        Screen().line("nothing differs")
    raise typer.Exit(any(one.kind == "outcome" for one in differences))


def _short(text: str) -> str:
    return text[:_HEX] if len(text) >= 40 and all(c in "0123456789abcdef" for c in text) else text
