"""`wpci run`: do what pipeline.yaml says."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from orchestrator.cli import complete, output
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
from orchestrator.errors import UserError


@grouped
def run(
    context: typer.Context,
    *,
    patches: Annotated[
        str | None,
        typer.Argument(metavar="[SERIES]", help="As --series.", autocompletion=complete.series),
    ] = None,
    config: ConfigOption = None,
    mode: ModeOption = None,
    tree: TreeOption = None,
    series: Annotated[
        str | None,
        typer.Option("--series", help="A series of the pipeline file, a folder, an mbox, A..B, a mail, or - (stdin)."),
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="What HEAD goes on (default: the merge base with its upstream)")
    ] = None,
    selection: Selection,
    dirty: Annotated[bool, typer.Option("--dirty", help="Take uncommitted changes of the tree along.")] = False,
    three_way: ThreeWayOption = False,
    at: Annotated[int | None, typer.Option("--at", min=0, help="Apply only the first N patches of the series.")] = None,
    stop_at_first: StopOption = False,
    ahead: AheadOption = None,
    repeat: Annotated[int, typer.Option("--repeat", "-n", min=1, help="Run each test that often in one guest.")] = 1,
    isolate: IsolateOption = False,
    shards: Annotated[
        int | None, typer.Option("--shards", min=1, max=64, help="Split each suite over that many guests.")
    ] = None,
    programs: ProgramOptions,
    engine: EngineOption = None,
    results: ResultsOption = None,
    every_test: EveryTestOption = False,
    keep_on_failure: Annotated[
        bool, typer.Option("--keep-on-failure", help="After a red verdict, open a shell in the guest that was red.")
    ] = False,
    shown: output.Shown,
) -> None:
    """Build, boot and test base and patched, and say test by test what the series changed.

    In a kernel tree, and without a series: the commits of HEAD on top of its upstream.
    """
    from orchestrator.config import overrides
    from orchestrator.engine import choose, slots, whole_run
    from orchestrator.pipeline import discover, opening, plan, reboot
    from orchestrator.pipeline import run as run_mode

    own = programs.own(context)
    pipeline = overrides.with_programs(shown.pipeline(config), own, repeat)
    results = locate.results(results)
    elsewhere = choose.wanted(pipeline, engine)
    choose.refuse_ahead(elsewhere, ahead)
    if patches and series:
        raise UserError(f"{patches} and --series {series}: one of them")
    series = patches or series
    here = output.own_tree(config, pipeline, tree, series, base)
    options = overrides.Options(tree=tree, series=series, dirty=dirty, three_way=three_way, here=here, base=base)
    named = replace(selection.choice(), repeat=repeat, upto=at, isolate=isolate, shards=shards)
    choice = checked_choice(pipeline, mode or pipeline.default_mode, own, named)
    with (
        shown.terminal() as terminal,
        opening.open_run(pipeline, mode, options, results=results, progress=terminal) as (workspace, mode_name),
    ):
        planned = discover.narrowed(plan.expand(workspace.pipeline, mode_name, choice), workspace)
        if elsewhere is None:
            result = run_mode.run(planned, workspace, ahead=ahead, stops_at_first=stop_at_first)
        else:
            with choose.opened(elsewhere, slots.here(), workspace.cache, terminal) as at_work:
                result = whole_run.run(planned, workspace, at_work, stops_at_first=stop_at_first)
    shown.result(result, every_test=every_test)
    if keep_on_failure and (red := reboot.first_red(result)):
        reboot.shell(red, (), output.Plain())
    raise typer.Exit(result.exit_code)
