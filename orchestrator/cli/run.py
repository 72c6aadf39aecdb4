"""`wpci run` and `wpci list`: do what pipeline.yaml says, or say what that would be."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.options import (
    PIPELINE,
    RESULTS,
    ConfigOption,
    JsonOption,
    ModeOption,
    ResultsOption,
    SuiteOption,
    TestOption,
    VariantOption,
)
from orchestrator.cli.screen import Screen, Styled
from orchestrator.cli.tables import show
from orchestrator.config import loader
from orchestrator.model import plan


def run(
    config: ConfigOption = PIPELINE,
    mode: ModeOption = None,
    tree: Annotated[
        str | None, typer.Option("--tree", help="A tree of the pipeline file, or your own directory.")
    ] = None,
    series: Annotated[
        str | None,
        typer.Option("--series", help="A series of the pipeline file, a folder, an mbox, A..B, or - (stdin)."),
    ] = None,
    variant: VariantOption = [],  # noqa: B006
    suite: SuiteOption = [],  # noqa: B006
    test: TestOption = [],  # noqa: B006
    dirty: Annotated[bool, typer.Option("--dirty", help="Take uncommitted changes of --tree along.")] = False,
    three_way: Annotated[bool, typer.Option("--3way", help="Let git am fall back to a 3-way merge.")] = False,
    at: Annotated[int | None, typer.Option("--at", min=0, help="Apply only the first N patches of the series.")] = None,
    repeat: Annotated[int, typer.Option("--repeat", "-n", min=1, help="Run each test that often in one guest.")] = 1,
    results: ResultsOption = RESULTS,
    every_test: Annotated[bool, typer.Option("--all", help="List unchanged tests, too.")] = False,
    keep_on_failure: Annotated[
        bool, typer.Option("--keep-on-failure", help="After a red verdict, open a shell in the guest that was red.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build, boot and test base and patched, and say test by test what the series changed."""
    from orchestrator.config import overrides
    from orchestrator.pipeline import discover, opening, reboot
    from orchestrator.pipeline import run as run_mode

    pipeline = loader.load(config)
    options = overrides.Options(tree=tree, series=series, dirty=dirty, three_way=three_way)
    choice = plan.Choice(tuple(variant), tuple(suite), tuple(test), repeat, at)
    plan.check(pipeline, mode or pipeline.default_mode, choice)
    with (
        output.terminal(quiet=as_json) as terminal,
        opening.open_run(pipeline, mode, options, results=results, progress=terminal) as (workspace, mode_name),
    ):
        planned = discover.narrowed(plan.expand(workspace.pipeline, mode_name, choice), workspace)
        result = run_mode.run(planned, workspace)
    if as_json:
        from orchestrator.report import result_json

        Screen().document(result_json.dump(result))
    else:
        show(result, Screen(), every_test=every_test)
    if keep_on_failure and (red := reboot.first_red(result)):
        reboot.shell(red, output.Plain())
    raise typer.Exit(result.exit_code)


def list_(
    config: ConfigOption = PIPELINE,
    mode: ModeOption = None,
    variant: VariantOption = [],  # noqa: B006
    suite: SuiteOption = [],  # noqa: B006
    test: TestOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Say what a run would do."""
    pipeline = loader.load(config)
    planned = plan.expand(
        pipeline, mode or pipeline.default_mode, plan.Choice(tuple(variant), tuple(suite), tuple(test))
    )
    if as_json:
        output.json([dataclasses.asdict(job) for job in planned.jobs])
        return
    out = Screen()
    out.line(f"mode {planned.label}: {len(planned.jobs)} jobs")
    for job in planned.jobs:
        box = job.variant_config.machine
        out.line()
        out.line(Styled(job.name, "bold"))
        for what, value in (
            ("tree", f"{job.tree} ({job.source.provider})"),
            ("series", job.series or "none: the base alone"),
            ("variant", f"{job.variant}: {', '.join(f.name for f in job.variant_config.fragments)}"),
            ("machine", f"{box.cpus} vCPU, {box.memory >> 20} MiB, {box.numa_nodes} nodes, {job.variant_config.accel}"),
            ("suites", ", ".join(name for name, _ in job.suites)),
            ("tests", ", ".join(job.tests)),
        ):
            out.line(f"  {what:8} {value}")
