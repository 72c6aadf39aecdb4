"""`wpci inspect`: what a guest looked like when it died or hung, in drgn's shell."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.options import JobOption, ResultsOption, RunArgument, SideOption, refuse
from orchestrator.config import locate
from orchestrator.model import Side


def inspect(
    context: typer.Context,
    run: RunArgument = "last",
    side: SideOption = Side.PATCHED,
    job: JobOption = None,
    guest: Annotated[
        str | None, typer.Option("--guest", help="Which guest of the job (boot-2), where several died or hung.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Boot that kernel, and look at it while it runs.")] = False,
    evaluate: Annotated[
        str, typer.Option("--eval", "-e", metavar="EXPRESSION", help="Print this, instead of opening a shell.")
    ] = "",
    results: ResultsOption = None,
) -> None:
    """Open the memory of a guest that died or hung in drgn's shell, with helpers for userfaultfd and its markers."""
    from orchestrator.pipeline import inspection, reboot

    if live:
        refuse(context, ("guest",), "only of a guest that died or hung")
    earlier = reboot.find(locate.results(results), run, side, job)
    if live:
        raise typer.Exit(inspection.live(earlier, evaluate, output.Plain()))
    raise typer.Exit(inspection.dump(earlier, guest, evaluate))
