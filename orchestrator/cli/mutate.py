"""`wpci mutate`: mutation testing of a series: take it apart, seed faults in it, and say which test notices each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.groups import grouped
from orchestrator.cli.options import (
    AheadOption,
    ConfigOption,
    EngineOption,
    ModeOption,
    QuietOption,
    ResultsOption,
    VariantOption,
    VerboseOption,
)
from orchestrator.cli.programs import ProgramOptions
from orchestrator.cli.screen import Screen
from orchestrator.config import locate
from orchestrator.errors import Exit, UserError
from orchestrator.host import cores
from orchestrator.host.process import FOREVER, Deadline

if TYPE_CHECKING:
    from orchestrator.mutation.report import Entry, Report

REPORT = Path("patches/evidence/mutation")
_AHEAD = 12
"""Mutants in work at once, of which one is built and one is in its guest: one that survives is there for as many
minutes as ten kernels take, which have 110 MB each in the cache until they are tried."""


@grouped
def mutate(
    context: typer.Context,
    *,
    config: ConfigOption = None,
    mode: ModeOption = None,
    variant: VariantOption = [],  # noqa: B006
    only: Annotated[
        list[str], typer.Option("--only", help="Glob over mutants ('0014*', '*mprotect.c*', 'fault/*', an id).")
    ] = [],  # noqa: B006
    first: Annotated[
        list[str], typer.Option("--first", help="Glob of tests to try before those of the mode; repeatable.")
    ] = [],  # noqa: B006
    late: Annotated[list[str], typer.Option("--late", help="Glob of tests that run last; repeatable.")] = ["R*"],  # noqa: B006
    budget: Annotated[float, typer.Option("--budget", min=0.1, help="Seconds of tests that work for a time.")] = 3.0,
    every_test: Annotated[
        bool, typer.Option("--every-test", help="Try each mutant with all tests, to learn which ones never fail.")
    ] = False,
    limit: Annotated[
        str, typer.Option("--for", help="Begin no mutant after that time (90s, 10m, 1h); the next run goes on.")
    ] = "",
    report: Annotated[
        Path, typer.Option("--report", help="Where progress lives: this path with .json, .md and -why.yaml.")
    ] = REPORT,
    programs: ProgramOptions,
    ahead: AheadOption = None,
    engine: EngineOption = None,
    results: ResultsOption = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take each hunk and each patch out of a series, seed each fault in it, and say which test kills each mutant.

    Goes on where an earlier run ended. Exit code 1: a mutant survived, and nobody says why; 3: one was not judged.
    """
    from orchestrator.config import overrides, scalars
    from orchestrator.engine import choose, slots
    from orchestrator.mutation import run as mutation
    from orchestrator.pipeline import opening, plan, values

    deadline = Deadline.after(scalars.seconds(limit, "--for")) if limit else FOREVER
    if not report.name:
        raise UserError(f"--report {report}: that is a folder; the name of a file without its suffix is needed")
    own = programs.own(context)
    pipeline = overrides.with_programs(output.pipeline(config, quiet=quiet), own)
    elsewhere = choose.wanted(pipeline, engine)
    choose.refuse_ahead(elsewhere, ahead)
    with (
        output.terminal(values=False, verbose=verbose, quiet=quiet) as terminal,
        opening.open_run(pipeline, mode, overrides.Options(), results=locate.results(results), progress=terminal) as (
            workspace,
            mode_name,
        ),
    ):
        choice = values.Choice(tuple(variant), own.suites(()), own.names or ("*",))
        pairs = plan.expand(workspace.pipeline, mode_name, choice).pairs
        if len(pairs) != 1:
            raise UserError(f"mode {mode_name}: {len(pairs)} series and variants; --mode and --variant must leave one")
        request = mutation.Request(
            job=pairs[0].patched,
            report=report,
            first=(tuple(first), own.names or workspace.pipeline.modes[mode_name].tests),
            late=tuple(late),
            only=tuple(only),
            budget=budget,
            every_test=every_test,
            deadline=deadline,
        )
        builds_ahead = bool(cores.spare(request.job.variant_config.machine.cpus, ahead))
        room = slots.here(guests=1 if builds_ahead else None)
        with choose.opened(elsewhere, room, workspace.cache, terminal, most=_AHEAD if builds_ahead else 1) as at_work:
            done = mutation.run(request, workspace, at_work)
    open_ones = _shown(done.report, pairs[0].patched.variant, mutation.reasons(report), every_test=every_test)
    for name in done.not_judged:
        Screen().line(f"not judged: {name}: the next run tries it again")
    raise typer.Exit(Exit.FAIL if open_ones else Exit.INFRA if done.not_judged else Exit.PASS)


def _shown(done: Report, variant: str, why: Mapping[str, str], *, every_test: bool) -> Sequence[Entry]:
    """Print what became of the mutants; return those that survived or did not run, and that nobody explains."""
    from orchestrator.mutation import page
    from orchestrator.mutation.report import Outcome

    section = done.section(variant)
    for line in page.summary(section):
        Screen().line(line)
    open_ones = page.unexplained(section, why)
    for entry in open_ones:
        fate = entry.outcome.value if entry.outcome is Outcome.NOT_RUN else "survived"
        Screen().line(f"{fate}: {entry.name} ({entry.identity}) {entry.where}")
    for entry in section.entries:
        if entry.doubtful:
            Screen().line(f"doubtful: {entry.name}: {', '.join(entry.doubtful)} failed once and not again")
    for test in page.unproven(done, why) if every_test else ():
        Screen().line(f"not seen failing: {test}")
    return open_ones
