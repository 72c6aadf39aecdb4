"""`wpci bisect`: which commit, patch or version brings a symptom."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.groups import grouped, names
from orchestrator.cli.options import (
    ConfigOption,
    EngineOption,
    ModeOption,
    ResultsOption,
    SuiteOption,
    TestOption,
    ThreeWayOption,
    TreeOption,
    refuse,
)
from orchestrator.cli.programs import ProgramOptions
from orchestrator.cli.screen import Screen
from orchestrator.config import locate
from orchestrator.errors import UserError
from orchestrator.model import rundir
from orchestrator.text import textfile

if TYPE_CHECKING:
    from orchestrator.bisect.values import Outcome, Request
    from orchestrator.cli.terminal import Terminal
    from orchestrator.config.overrides import OwnPrograms
    from orchestrator.config.schema import Dask, Pipeline
    from orchestrator.model import Symptom


@dataclass(frozen=True)
class RequestOptions:
    """What a bisect looks for, where, and how. It keeps that from its beginning to its end."""

    good: Annotated[
        str | None,
        typer.Option("--good", help="Commit or version without the symptom; patches applied, with --series."),
    ] = None
    bad: Annotated[str | None, typer.Option("--bad", help="Commit, version or number of patches that shows it.")] = None
    symptom: Annotated[
        str | None, typer.Option("--symptom", "-s", help="boot, build, test:ID, splat:TITLE, or an id or a title.")
    ] = None
    tree: TreeOption = None
    series: Annotated[str | None, typer.Option("--series", help="Bisect the patches of this series instead.")] = None
    carry: Annotated[str | None, typer.Option("--carry", help="Apply this series on top of each step.")] = None
    mode: ModeOption = None
    variant: Annotated[str | None, typer.Option("--variant", help="Variant to run instead of the mode's first.")] = None
    suite: SuiteOption = field(default_factory=list)
    test: TestOption = field(default_factory=list)
    runs: Annotated[int | None, typer.Option("--runs", min=1, help="Runs of each step; else they are measured.")] = None
    confidence: Annotated[
        float, typer.Option("--confidence", min=0.5, max=0.99999, help="How sure the whole path is to be.")
    ] = 0.99
    ahead: Annotated[
        bool | None, typer.Option("--ahead/--no-ahead", help="Build what may be next while guests run.")
    ] = None
    three_way: ThreeWayOption = False

    def request(self, pipeline: Pipeline, own: OwnPrograms) -> Request:
        """Return the request, for a pipeline that has the programs of the user's own. Raises UserError."""
        from orchestrator.bisect import values
        from orchestrator.config import overrides

        here = locate.kernel_tree(Path()) if self.tree is None and self.series is None else None
        first, last = _ends(self.good, self.bad, self.series)
        return values.Request(
            good=first,
            bad=last,
            symptom=_symptom(self.symptom or _failing(own)),
            tree=str(here) if here else _named(self.tree, pipeline.trees),
            series=_named(self.series, pipeline.series),
            carry=_named(self.carry, pipeline.series),
            mode=self.mode,
            variant=self.variant,
            suites=own.suites(self.suite),
            tests=own.tests(self.test, self.suite, ("*",)),
            runs=self.runs,
            confidence=self.confidence,
            ahead=self.ahead,
            three_way=self.three_way,
            program=pipeline.suites[overrides.PROGRAM] if own.names else None,
        )


@grouped
def bisect(
    context: typer.Context,
    *,
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="With --continue: the run to go on with.")] = "last",
    wanted: RequestOptions,
    config: ConfigOption = None,
    go_on: Annotated[bool, typer.Option("--continue", help="Go on with a bisect that was interrupted.")] = False,
    programs: ProgramOptions,
    engine: EngineOption = None,
    results: ResultsOption = None,
    shown: output.Shown,
) -> None:
    """Find the commit, patch or version that brings a symptom; exit code 0 only when the answer is verified."""
    from orchestrator.bisect import values
    from orchestrator.cli import bisect_table
    from orchestrator.config import overrides
    from orchestrator.engine import choose
    from orchestrator.pipeline.context import opened_run

    pipeline = shown.pipeline(config)
    results = locate.results(results)
    elsewhere = choose.wanted(pipeline, engine)
    choose.refuse_ahead(elsewhere, wanted.ahead)
    folder: contextlib.AbstractContextManager[Path]
    if go_on:
        refuse(context, (*names(RequestOptions), *names(ProgramOptions)), "a bisect goes on as it began")
        request, folder = _continued(results, run)
    else:
        refuse(context, ("run",), "only with --continue")
        own = programs.own(context)
        pipeline = overrides.with_programs(pipeline, own, wanted.runs or _RUNS)
        request, folder = wanted.request(pipeline, own), opened_run(results, judged=values.STATE)
    with shown.terminal() as terminal:
        outcome = _walked(request, pipeline, folder, elsewhere, terminal)
    if shown.as_json:
        output.json(dataclasses.asdict(outcome))
    else:
        bisect_table.show(outcome, Screen())
    raise typer.Exit(outcome.exit_code)


def _continued(results: Path, run: str) -> tuple[Request, contextlib.AbstractContextManager[Path]]:
    """Return what an earlier bisect was asked for, and its folder. Raises UserError."""
    from orchestrator.bisect import values
    from orchestrator.pipeline.context import at_work

    earlier = _folder(results, run)
    state = values.load(textfile.read(earlier / values.STATE), str(earlier / values.STATE))
    return state.request, at_work(earlier)


def _symptom(text: str) -> Symptom:
    """Read the symptom that was named. Raises UserError."""
    from orchestrator.bisect.symptom import parse

    if not text:
        raise UserError("name what to look for: --symptom boot, build, test:ID or splat:TITLE")
    return parse(text)


def _walked(
    request: Request,
    pipeline: Pipeline,
    folder: contextlib.AbstractContextManager[Path],
    elsewhere: Dask | None,
    terminal: Terminal,
) -> Outcome:
    """Bisect in a folder, as long as that is open; return what it came to."""
    from orchestrator.bisect import run as mode
    from orchestrator.config import overrides
    from orchestrator.engine import choose, slots
    from orchestrator.pipeline import opening

    if request.program:
        pipeline = overrides.with_suite(pipeline, request.program)
    with opening.cache_in_use(pipeline, terminal), folder as directory:
        workspace = opening.workspace_in(pipeline, directory, terminal)
        workers = choose.opened(elsewhere, slots.here(), workspace.cache, terminal) if elsewhere else None
        with workers or contextlib.nullcontext() as at_work:
            return mode.run(request, workspace, at_work)


_RUNS = 10
"""Runs of a program that its suite has time for in one guest, where nobody says how many are made."""


def _failing(own: OwnPrograms) -> str:
    """Return the symptom that is meant where none is named: the one program fails."""
    return f"test:{own.names[0]}" if len(own.names) == 1 else ""


def _ends(good: str | None, bad: str | None, series: str | None) -> tuple[str, str]:
    """Return both ends; those of a series are its base and all of it. Raises UserError."""
    from orchestrator.bisect.values import ALL

    if series:
        return good or "0", bad or ALL
    if good is None or bad is None:
        raise UserError("name both ends: --good and --bad")
    return good, bad


def _named(name: str | None, known: Mapping[str, object]) -> str | None:
    """Return a name of the pipeline as it is, and a path so that it means the same from another folder."""
    return name if name is None or name in known else str(textfile.expanded(name).absolute())


def _folder(results: Path, run: str) -> Path:
    """Return the folder of an earlier bisect. Raises UserError."""
    from orchestrator.bisect.values import STATE

    try:
        return rundir.find(results, run, STATE).resolve()
    except UserError as error:
        raise UserError(f"--continue {run}: there is no bisect to go on with in {results / run}") from error
