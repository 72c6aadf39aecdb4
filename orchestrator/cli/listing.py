"""`wpci list`: what a run would do, and what its tests are about."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import output
from orchestrator.cli.options import ConfigOption, JsonOption, ModeOption, SuiteOption, TestOption, VariantOption
from orchestrator.cli.screen import Screen, Styled
from orchestrator.config import locate

if TYPE_CHECKING:
    from orchestrator.config.schema import Pipeline
    from orchestrator.pipeline.values import Job, Plan


def list_(
    config: ConfigOption = None,
    mode: ModeOption = None,
    variant: VariantOption = [],  # noqa: B006
    suite: SuiteOption = [],  # noqa: B006
    test: TestOption = [],  # noqa: B006
    tests: Annotated[bool, typer.Option("--tests", help="Say what each test is about, in a sentence.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a run would do, or what its tests are about."""
    from orchestrator.pipeline import plan, values

    pipeline = output.pipeline(config, quiet=as_json)
    planned = plan.expand(
        pipeline, mode or pipeline.default_mode, values.Choice(tuple(variant), tuple(suite), tuple(test))
    )
    if tests:
        _tests(planned, pipeline, as_json)
        return
    if as_json:
        output.json([_values(job) for job in planned.jobs])
        return
    if here := output.own_tree(config, pipeline, None, None):
        words = "`wpci run` here tests its commits on top of their upstream; below is the mode of the pipeline file"
        Screen(stderr=True).line(f"{here}: {words}")
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


def _values(job: Job) -> dict[str, Any]:
    """Return a job as values; of a series the subjects of its patches."""
    values = dataclasses.asdict(dataclasses.replace(job, patches=None, extra_series=(), prerequisites=()))
    extra = [subject for each in job.extra_series for subject in each.series.subjects]
    before = [subject for each in job.prerequisites for subject in each.subjects]
    subjects = job.patches.series.subjects if job.patches else ()
    return {**values, "patches": subjects, "extra_series": extra, "prerequisites": before}


def _tests(planned: Plan, pipeline: Pipeline, as_json: bool) -> None:
    from orchestrator.pipeline import discover, opening

    space = opening.workspace_in(pipeline, locate.results(None), output.Plain())
    listed = list(discover.listed(planned, space))
    if as_json:
        output.json([dataclasses.asdict(test) for test in listed])
        return
    out = Screen()
    for suite in dict.fromkeys(test.suite for test in listed):
        of_suite = [test for test in listed if test.suite == suite]
        out.line(Styled(suite, "bold"), f": {len(of_suite)} tests")
        for test in of_suite:
            place = f" ({test.place})" if test.place else ""
            out.line("  ", Styled(test.name, "bold"), f"  {test.sentence}", Styled(place, "dim"))
