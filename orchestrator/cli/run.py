"""`wpci run`: do what pipeline.yaml says."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli import complete, output, programs
from orchestrator.cli.options import (
    AheadOption,
    ConfigOption,
    EngineOption,
    JsonOption,
    ModeOption,
    QuietOption,
    ResultsOption,
    SuiteOption,
    TestOption,
    TreeOption,
    VariantOption,
    VerboseOption,
)
from orchestrator.cli.programs import (
    EndlessOption,
    ExpectSplatOption,
    ProgramArgsOption,
    ProgramOption,
    TimeoutOption,
)
from orchestrator.config import locate
from orchestrator.errors import UserError


def run(
    context: typer.Context,
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
    variant: VariantOption = [],  # noqa: B006
    suite: SuiteOption = [],  # noqa: B006
    test: TestOption = [],  # noqa: B006
    dirty: Annotated[bool, typer.Option("--dirty", help="Take uncommitted changes of the tree along.")] = False,
    three_way: Annotated[bool, typer.Option("--3way", help="Let git am fall back to a 3-way merge.")] = False,
    at: Annotated[int | None, typer.Option("--at", min=0, help="Apply only the first N patches of the series.")] = None,
    ahead: AheadOption = None,
    repeat: Annotated[int, typer.Option("--repeat", "-n", min=1, help="Run each test that often in one guest.")] = 1,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="Run each test in a guest of its own, cloned from a booted one.")
    ] = False,
    shards: Annotated[
        int | None, typer.Option("--shards", min=1, max=64, help="Split each suite over that many guests.")
    ] = None,
    program: ProgramOption = [],  # noqa: B006
    program_args: ProgramArgsOption = "",
    timeout: TimeoutOption = "60s",
    expect_splat: ExpectSplatOption = None,
    endless: EndlessOption = False,
    engine: EngineOption = None,
    results: ResultsOption = None,
    every_test: Annotated[bool, typer.Option("--all", help="List unchanged tests, too.")] = False,
    keep_on_failure: Annotated[
        bool, typer.Option("--keep-on-failure", help="After a red verdict, open a shell in the guest that was red.")
    ] = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Build, boot and test base and patched, and say test by test what the series changed.

    In a kernel tree, and without a series: the commits of HEAD on top of its upstream.
    """
    from orchestrator.config import overrides
    from orchestrator.engine import choose, slots, whole_run
    from orchestrator.pipeline import discover, opening, plan, reboot, values
    from orchestrator.pipeline import run as run_mode

    own = programs.given(context, program, program_args, timeout, expect_splat, endless)
    pipeline = overrides.with_programs(output.pipeline(config, quiet=as_json or quiet), own, repeat)
    results = locate.results(results)
    elsewhere = choose.wanted(pipeline, engine)
    choose.refuse_ahead(elsewhere, ahead)
    if patches and series:
        raise UserError(f"{patches} and --series {series}: one of them")
    series = patches or series
    here = output.own_tree(config, pipeline, tree, series, base)
    options = overrides.Options(tree=tree, series=series, dirty=dirty, three_way=three_way, here=here, base=base)
    named = values.Choice(tuple(variant), tuple(suite), tuple(test), repeat, at, isolate, shards)
    choice = programs.choice(pipeline, mode or pipeline.default_mode, own, named)
    with (
        output.terminal(values=as_json, verbose=verbose, quiet=quiet) as terminal,
        opening.open_run(pipeline, mode, options, results=results, progress=terminal) as (workspace, mode_name),
    ):
        planned = discover.narrowed(plan.expand(workspace.pipeline, mode_name, choice), workspace)
        if elsewhere is None:
            result = run_mode.run(planned, workspace, ahead=ahead)
        else:
            with choose.opened(elsewhere, slots.here(), workspace.cache, terminal) as at_work:
                result = whole_run.run(planned, workspace, at_work)
    output.result(result, as_json=as_json, quiet=quiet, every_test=every_test)
    if keep_on_failure and (red := reboot.first_red(result)):
        reboot.shell(red, (), output.Plain())
    raise typer.Exit(result.exit_code)
