"""`wpci validate`: is this series fit to be merged?"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.groups import grouped
from orchestrator.cli.options import (
    AheadOption,
    ConfigOption,
    EngineOption,
    EveryTestOption,
    IsolateOption,
    ModeOption,
    ResultsOption,
    Selection,
    StopOption,
    ThreeWayOption,
    TreeOption,
)
from orchestrator.cli.programs import ProgramOptions, checked_choice
from orchestrator.config import locate


@grouped
def validate(
    context: typer.Context,
    *,
    series: Annotated[
        str,
        typer.Argument(help="A folder, mbox, A..B, message-id or its URL, name of the pipeline file, or - (stdin)."),
    ],
    config: ConfigOption = None,
    mode: ModeOption = None,
    tree: TreeOption = None,
    mbox: Annotated[
        Path | None, typer.Option("--mbox", help="A thread to take a message-id from, instead of the network.")
    ] = None,
    base: Annotated[str | None, typer.Option("--base", help="The commit that the series goes on.")] = None,
    selection: Selection,
    build: Annotated[
        list[str], typer.Option("--build", help="Variant that must build, instead of those configured; repeatable.")
    ] = [],  # noqa: B006
    skip: Annotated[list[str], typer.Option("--skip", help="A check not to make; repeatable.")] = [],  # noqa: B006
    each_patch: Annotated[
        str | None, typer.Option("--each-patch", help="How far the kernel after each patch goes: build, boot or test.")
    ] = None,
    three_way: ThreeWayOption = False,
    runs: Annotated[int, typer.Option("--runs", "-n", min=1, help="Run each test that often, in new guests.")] = 1,
    isolate: IsolateOption = False,
    stop_at_first: StopOption = False,
    ahead: AheadOption = None,
    patchwork_id: Annotated[
        list[int], typer.Option("--patchwork-id", help="Patch at Patchwork to put the check on; repeatable.")
    ] = [],  # noqa: B006
    commit: Annotated[str | None, typer.Option("--commit", help="Commit to put the GitHub status on.")] = None,
    programs: ProgramOptions,
    engine: EngineOption = None,
    results: ResultsOption = None,
    every_test: EveryTestOption = False,
    shown: output.Shown,
) -> None:
    """Check each patch of a series, build, boot and test base and patched, and say whether it may be merged."""
    from orchestrator.config import overrides
    from orchestrator.engine import choose, slots
    from orchestrator.pipeline import discover
    from orchestrator.validate import request, submission
    from orchestrator.validate import run as mode_validate

    own = programs.own(context)
    recipients = request.Recipients(tuple(patchwork_id), commit)
    requested = request.Options(tuple(skip), tuple(build), runs, recipients, stop_at_first, ahead, each_patch)
    pipeline = overrides.with_programs(shown.pipeline(config), own, runs)
    results = locate.results(results)
    elsewhere = choose.wanted(pipeline, engine)
    choose.refuse_ahead(elsewhere, ahead)
    here = output.own_tree(config, pipeline, tree, series)
    tree = str(here) if here else tree
    options = overrides.Options(tree=tree, series=series, three_way=three_way, mbox=mbox)
    chosen = mode or pipeline.validation.mode or pipeline.default_mode
    named = replace(selection.choice(), isolate=isolate)
    choice = checked_choice(pipeline, chosen, own, named)
    request.check(pipeline, requested)
    with (
        shown.terminal() as terminal,
        submission.open_validation(pipeline, chosen, options, base, results=results, progress=terminal) as opened,
    ):
        workspace, settled = opened
        to_do = request.put_together(settled, choice, requested)
        to_do = replace(to_do, plan=discover.narrowed(to_do.plan, workspace))
        workers = choose.opened(elsewhere, slots.here(), workspace.cache, terminal) if elsewhere else None
        with workers or contextlib.nullcontext() as at_work:
            result = mode_validate.run(to_do, workspace, at_work)
    shown.result(result, every_test=every_test)
    raise typer.Exit(result.exit_code)
